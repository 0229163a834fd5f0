"""What is installed: the wheel that the image is built from, and the source archive."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "sequela": ROOT / "service" / "sequela",
    "sequela_client": ROOT / "clients" / "python" / "sequela_client",
    "sequela_command": ROOT / "clients" / "python" / "sequela_command",
    "sequela_console": ROOT / "clients" / "console" / "sequela_console",
    "sequela_proto": ROOT / "proto" / "python" / "sequela_proto",
}


# Files that code reads at run time.
DATA = tuple(
    f"sequela_client/pages/templates/{name}"
    for name in ("base.html", "alert.html", "alert.css", "cohort_report.html", "cohort_report.css")
)


@pytest.mark.slow
def test_the_wheel_holds_the_packages_whole(tmp_path: Path) -> None:
    """Every file of theirs, models and type markers too, the license, and no test."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("sequela-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert wanted <= held
    assert {f"{name}/py.typed" for name in PACKAGES} <= held
    assert set(DATA) <= held
    surplus = {name for name in held - wanted if ".dist-info/" not in name}
    assert not surplus
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in held)


@pytest.mark.slow
def test_the_source_archive_holds_the_templates(tmp_path: Path) -> None:
    """A wheel can be built from it that is the same."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("sequela-*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    assert {f"clients/python/{name}" for name in DATA} <= held
