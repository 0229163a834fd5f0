"""Lists the packages of the service (build/sbom.json), and looks for those with known weaknesses.

    python scripts/audit.py [--may-be-unreachable]

It runs in the environment of `make audit`. The list is in the format CycloneDX, made from requirements/service.lock,
which the image installs too. The exit code is 0 if every package was looked up and none has a known weakness, 1 if one
has, and 3 if packages could not be looked up, for example without a network. With --may-be-unreachable, 3 becomes 0;
what was not looked up is printed nevertheless.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = Path("requirements") / "service.lock"
SBOM = Path("build") / "sbom.json"
SERVICES = ("pypi", "osv")
"""The databases of advisories that pip-audit can ask, in the order in which they are tried."""
TIMEOUT_SECONDS = 300
WEAK, NOT_CHECKED = 1, 3

Run = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class Report:
    """What a database says: packages without a known weakness, weaknesses as lines, and packages it does not know."""

    clean: tuple[str, ...] = ()
    weaknesses: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> Report:
        """Reads what pip-audit prints as JSON."""
        try:
            found = json.loads(text)["dependencies"]
        except (ValueError, KeyError, TypeError):
            # It prints no JSON if it cannot connect.
            return cls()
        known = [each for each in found if "skip_reason" not in each]
        return cls(
            tuple(each["name"] for each in known if not each["vulns"]),
            tuple(line for each in known for line in _lines(each)),
            tuple(each["name"] for each in found if "skip_reason" in each),
        )


def main(arguments: Sequence[str]) -> int:
    """Writes the list, asks the databases, and prints what they say. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--may-be-unreachable", action="store_true", help="exit with 0 instead of 3")
    given = parser.parse_args(arguments)
    write_list(_run)
    report = look_up(_run)
    print("\n".join(describe(report)))
    if report.weaknesses:
        return WEAK
    if report.unknown or not report.clean:
        return 0 if given.may_be_unreachable else NOT_CHECKED
    return 0


def write_list(run: Run) -> None:
    """Writes the list of packages."""
    SBOM.parent.mkdir(exist_ok=True)
    command = ["cyclonedx_py", "requirements", str(LOCK), "--pyproject", "pyproject.toml"]
    run([*command, "--output-reproducible", "--output-file", str(SBOM)])
    print(f"wrote {SBOM}: {len(json.loads(SBOM.read_text())['components'])} packages")


def look_up(run: Run) -> Report:
    """Returns the report of the first database that knows any package."""
    report = Report()
    for service in SERVICES:
        command = ["pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"]
        options = ["--progress-spinner", "off", "--format", "json", "--vulnerability-service", service]
        report = Report.of(run([*command, *options]))
        if report.clean or report.weaknesses:
            break
    return report


def describe(report: Report) -> Iterator[str]:
    """Yields lines for a person."""
    yield from report.weaknesses
    if report.weaknesses:
        yield f"{len(report.weaknesses)} known weaknesses: raise the versions in pyproject.toml, then make lock"
    if not (report.clean or report.weaknesses):
        # pip-audit itself calls this success.
        yield "NOT CHECKED: no database of advisories could be reached, so weaknesses would not have been found"
    elif report.unknown:
        yield f"NOT CHECKED: {', '.join(report.unknown)}"
    elif not report.weaknesses:
        yield f"no known weakness in {len(report.clean)} packages"


def _lines(package: Any) -> Iterator[str]:
    for each in package["vulns"]:
        fixed = ", ".join(each["fix_versions"]) or "no version yet"
        names = " ".join([each["id"], *each.get("aliases", ())])
        yield f"{package['name']} {package['version']}: {names}, fixed in {fixed}"


def _run(module: Sequence[str]) -> str:
    """Runs a module, and returns what it prints. Its exit code does not matter, because its output says more."""
    command = [sys.executable, "-W", "ignore", "-m", *module]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    if done.returncode and not done.stdout:
        # The last line of a traceback says what is wrong.
        print((done.stderr.strip().splitlines() or [""])[-1][:300], file=sys.stderr)
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
