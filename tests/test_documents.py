"""The documentation points to files, headings and sections that exist."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
from documents import PAGES, ROOT, anchors, links, sections, server_options
from sequela_console.command import console

CODE_PAGES = ("docs/architecture.md", "docs/design.md", "docs/estimator.md")
"""Pages that name modules."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link leads to a file, and every anchor to a heading of that page."""
    for link in links(page.read_text()):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_every_page_is_linked_from_the_readme() -> None:
    """A reader of the README finds every page in docs."""
    linked = {link.partition("#")[0] for link in links((ROOT / "README.md").read_text())}
    pages = {page.relative_to(ROOT).as_posix() for page in PAGES if page.parent == ROOT / "docs"}
    assert pages <= linked


def test_cited_sections_exist() -> None:
    """Where code cites `docs/page.md`, the page exists, and so does the section that it names."""
    cited = _citations()
    assert ("docs/design.md", "4.1") in cited
    for page, section in cited:
        assert (ROOT / page).is_file(), page
        assert not section or section in sections((ROOT / page).read_text()), f"{page} §{section}"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", *CODE_PAGES])
def test_named_modules_exist(name: str) -> None:
    """Every module and folder that these pages name is in the repository; a short name is the end of a path."""
    tracked = {f"/{file}" for file in _tracked(".")}
    folders = {f"{parent}/" for file in tracked for parent in Path(file).parents}
    page = (ROOT / name).read_text()
    modules = set(re.findall(r"(?<![\w./-])[\w/]+\.py\b", page))
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*/)`", page))
    assert {each for each in modules if not any(file.endswith(f"/{each}") for file in tracked)} == set()
    assert {each for each in named if not any(folder.endswith(f"/{each}") for folder in folders)} == set()


def test_every_port_is_listed() -> None:
    """The table of ports in docs/architecture.md has the protocols of `explain/ports.py`, and no others."""
    module = ast.parse((ROOT / "service" / "sequela" / "explain" / "ports.py").read_text())
    ports = {
        node.name
        for node in module.body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases)
    }
    table = (ROOT / "docs" / "architecture.md").read_text().partition("| Port |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == ports


def test_named_make_targets_exist() -> None:
    """Every `make` command in a page has a target."""
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in PAGES:
        commands = re.findall(r"(?:`|^\$ )make ((?:[A-Z]+=\S+ )*)([a-z-]+)", page.read_text(), re.MULTILINE)
        assert {target for _, target in commands} <= known, page


@pytest.mark.parametrize(
    "name",
    ["README.md", "docs/operations.md", "docs/open_inference.md", "docs/models.md", "docs/architecture.md"],
)
def test_named_options_are_options_of_a_server(name: str) -> None:
    """Options that stand alone in a code span are options of `sequela serve`, or of `sequela console`."""
    named = set(re.findall(r"`(--[a-z][a-z-]+)(?: [a-z]+)?`", (ROOT / name).read_text()))
    of_console = {each for option in console.params for each in option.opts}
    assert named - server_options() - of_console == set()


def _tracked(*folders: str) -> list[str]:
    listed = subprocess.check_output(["git", "ls-files", "-z", *folders], cwd=ROOT, text=True)
    return [name for name in listed.split("\0") if name and (ROOT / name).exists()]


def _citations() -> set[tuple[str, str]]:
    """Returns the page and the section (may be empty) of each citation in the code."""
    folders = ("service", "clients", "proto", "models", "benchmarks", "scripts", "deploy")
    files = [ROOT / name for name in _tracked(*folders) if Path(name).suffix in {".py", ".proto", ".yaml"}]
    pattern = r"(docs/[a-z_]+\.md)(?:,? §\s*([0-9]+(?:\.[0-9]+)*))?"
    return {cited for file in files for cited in re.findall(pattern, file.read_text())}
