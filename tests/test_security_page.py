"""SECURITY.md: its tests exist, and its claims about roles are those of docs/operations.md and of the code."""

from __future__ import annotations

import re

import pytest
from documents import ROOT
from sequela.access.deny_list import DenyList
from sequela.access.identity_file import IdentityFile
from sequela.access.roles import AccessRole
from sequela.access.token_file import TokenFile
from sequela.api.permissions import GRANTS

PAGE = (ROOT / "SECURITY.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
THREATS = PAGE.partition("| Asset | Threat |")[2].partition("\n\n")[0].splitlines()[2:]


@pytest.mark.parametrize("row", THREATS)
def test_every_threat_has_a_defence_and_tests(row: str) -> None:
    """The files of the tests exist, and hold some."""
    _, _, threat, defence, tests, _ = (cell.strip() for cell in row.split("|"))
    assert threat
    assert defence
    files = re.findall(r"`([^`]+)`", tests)
    assert files
    for file in files:
        assert re.search(r"^def test_", (ROOT / file).read_text(), flags=re.MULTILINE), file


def test_links_lead_somewhere() -> None:
    """Files of the repository, and a section of the operations page."""
    for target, section in re.findall(r"\]\((?!https:)([^)#]+)#?([^)]*)\)", PAGE):
        assert (ROOT / target).exists()
        assert section.replace("-", " ") in OPERATIONS.lower()


def test_the_table_of_roles_names_the_methods_of_the_code() -> None:
    """Explain and read have those methods in the table of docs/operations.md that the code permits them."""
    rows = dict(re.findall(r"^\| `(explain|read|admin)` \| ([^|]*)\|", OPERATIONS, flags=re.MULTILINE))
    assert set(rows) == set(AccessRole)
    for role in (AccessRole.EXPLAIN, AccessRole.READ):
        own = {name for name, roles in GRANTS.items() if roles == {role, AccessRole.ADMIN}}
        methods = {name.rpartition("/")[2] for name in own if name.startswith("sequela.")}
        assert methods
        assert methods <= set(re.findall(r"\w+", rows[role]))


def test_the_files_of_the_operations_page_are_read() -> None:
    """The examples of tokens, identities and revoked clients are what the server reads."""
    section = OPERATIONS.partition("## Who may do what")[2].partition("\n## ")[0]
    tokens, identities, revoked = re.findall(r"```text\n(.*?)```", section, flags=re.DOTALL)
    assert TokenFile.parse(tokens).entries[0].caller.name == "fraud-scoring"
    assert set(IdentityFile.parse(identities).roles) == {
        "dns:scorer.bank.example",
        "uri:spiffe://bank.example/ns/fraud/sa/scorer",
    }
    found = DenyList.parse(revoked)
    assert (len(found.names), len(found.fingerprints)) == (5, 1)
