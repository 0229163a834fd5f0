"""`sequela token`: the server accepts what it makes."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sequela.access.lines import NAME
from sequela.access.roles import AccessRole
from sequela.access.token_file import TokenFile
from sequela_client.cli.access_token import NAME_CHARACTERS, NAME_LENGTH, ROLES
from sequela_client.cli.main import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["token", *arguments])


def test_the_server_reads_the_line(tmp_path: Path) -> None:
    """The line is all of standard output, and the token is in a file of the owner, and nowhere else."""
    path = tmp_path / "scorer.token"
    done = run("scorer", "--roles", "explain, read", "--days", "90", "--token-file", str(path))
    assert done.exit_code == 0
    token = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in done.output
    file = TokenFile.parse(done.stdout)
    assert file.caller(token).name == "scorer"
    assert file.caller(token).roles == {AccessRole.EXPLAIN, AccessRole.READ}
    left = file.entries[0].expires - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)


def test_a_token_that_is_shown(tmp_path: Path) -> None:
    """On standard error, so that standard output can be appended to the file. Each is another one, of 256 bits."""
    tokens = set()
    for _ in range(3):
        done = run("scorer", "--roles", "admin")
        token = done.stderr.strip().rpartition(" ")[2]
        assert token not in done.stdout
        assert TokenFile.parse(done.stdout).caller(token).roles == {AccessRole.ADMIN}
        tokens.add(token)
    assert len(tokens) == 3
    assert all(each.startswith("sequela_") and len(each) >= len("sequela_") + 43 for each in tokens)
    assert not any("." in each for each in tokens), "two dots are the mark of signed tokens"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a b", "--roles", "read"], "letters, digits and ._@:/+-"),
        (
            ["a", "--roles", "read,write"],
            "must be some of explain, read, admin, separated by commas, not 'write'",
        ),
        (["a"], "Missing option '--roles'"),
        (["a", "--roles", "read", "--days", "0"], "--days"),
    ],
)
def test_wrong_arguments(arguments: list[str], said: str) -> None:
    """They are refused before any token is made."""
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    """It may be the token of another client."""
    path = tmp_path / "other.token"
    path.write_text("other")
    done = run("a", "--roles", "read", "--token-file", str(path))
    assert done.exit_code == 1
    assert "File exists" in done.stderr
    assert (path.read_text(), done.stdout) == ("other", "")


def test_the_command_and_the_server_agree() -> None:
    """On roles, and on which names there are. They share no code."""
    assert set(ROLES) == set(AccessRole)
    assert NAME.fullmatch("a" * NAME_LENGTH)
    assert not NAME.fullmatch("a" * (NAME_LENGTH + 1))
    assert {chr(code) for code in range(0x300) if NAME.fullmatch(chr(code))} == NAME_CHARACTERS
