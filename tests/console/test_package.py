"""The wheel and the source archive carry the pages of the console, so that nobody needs node."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "sequela_console"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    for target in ("wheel", "sdist"):
        command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_pages_are_in_the_package(built: Path, kind: str) -> None:
    files = content(built, kind)
    for page in ("index.html", "embed.html"):
        text = files[f"{PACKAGE}/static/{page}"].decode()
        named = re.findall(r'(?:src|href)="/([^"]+)"', text)
        assert named
        assert all(f"{PACKAGE}/static/{each}" in files for each in named)
        assert not re.search(r"https?://", text)
    committed = {
        f"{PACKAGE}/static/{each.relative_to(ROOT / 'clients' / 'console' / PACKAGE / 'static').as_posix()}"
        for each in (ROOT / "clients" / "console" / PACKAGE / "static").rglob("*")
        if each.is_file()
    }
    assert {each for each in files if "/static/" in each} == committed
    assert f"{PACKAGE}/state/schema.sql" in files
    report = "sequela_client/pages/bundle/report"
    assert {".js", ".css"} <= {
        each.rpartition("report")[2] for each in files if each.endswith((f"{report}.js", f"{report}.css"))
    }
    assert f"{PACKAGE}/demo/alerts.jsonl.gz" in files
    assert any(re.fullmatch(rf"{PACKAGE}/demo/cohorts/contracts/part-\d+\.parquet", each) for each in files)


@pytest.mark.slow
def test_users_do_not_get_the_sources_of_the_pages(built: Path) -> None:
    assert not any("node_modules" in each or each.endswith(".svelte") for each in content(built, "wheel"))
    assert not any("node_modules" in each for each in content(built, "sdist"))


def content(folder: Path, kind: str) -> dict[str, bytes]:
    """The files of an archive, by their paths from the folder of the packages."""
    if kind == "wheel":
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
            return {each: archive.read(each) for each in archive.namelist()}
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        found = {each.name: archive.extractfile(each) for each in archive.getmembers() if each.isfile()}
        return {
            name.partition("/clients/console/")[2] or name: file.read()
            for name, file in found.items()
            if file
        }
