"""Checks and builds the front end of the console, with the node of `.venv`.

    python scripts/console_web.py install    what package-lock.json names, if it is not there yet
    python scripts/console_web.py check      style, types, tests, and whether the committed bundles are up to date
    python scripts/console_web.py bundle     builds the bundles that are committed: of the console and of reports

Each step says what it does; the first that fails ends the run with its output and what to do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "clients" / "console"
WEB = CONSOLE / "web"
# Each script of package.json that builds something, and where the result is committed.
BUNDLES = {
    "build": CONSOLE / "sequela_console" / "static",
    "build:report": ROOT / "clients" / "python" / "sequela_client" / "pages" / "bundle",
}
LOCK = WEB / "package-lock.json"
STAMP = WEB / "node_modules" / ".sequela-installed"
DELIBERATE_ERRORS = WEB / "deliberate_errors"
# They would change the bundle, or what npm prints.
UNSET = ("NODE_ENV", "NODE_OPTIONS", "VITEST", "FORCE_COLOR")


class Problem(Exception):
    """Something is wrong with the front end. The message says what, and what to do."""


def npm(*arguments: str, folder: Path = WEB) -> subprocess.CompletedProcess[str]:
    """Runs npm in the folder of the front end, and returns what came of it."""
    tools = Path(sys.executable).parent
    if not (tools / "npm").exists():
        raise Problem(f"there is no npm in {tools.name}; run: make setup")
    environment = {key: value for key, value in os.environ.items() if key not in UNSET}
    # Behind a company's proxy, only the system knows the authority that its certificates are of.
    environment |= {"NODE_USE_SYSTEM_CA": "1", "NO_COLOR": "1"}
    environment["PATH"] = f"{tools}{os.pathsep}{environment.get('PATH', '')}"
    command = [str(tools / "npm"), "--no-update-notifier", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


def run(*arguments: str, advice: str) -> None:
    """Runs a script of package.json or a tool. Raises Problem with its output if it fails."""
    done = npm(*arguments)
    if done.returncode:
        raise Problem(f"{done.stdout}{done.stderr}\n{advice}")


def install() -> None:
    """Installs what package-lock.json names, unless that is done already."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (WEB / "package.json").read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    run("ci", advice="npm could not install the packages of package-lock.json; see its message above.")
    STAMP.write_text(wanted)


def check_lock() -> None:
    """Checks that each package has a digest, and that no host is named, so that any mirror serves."""
    packages: dict[str, dict[str, Any]] = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    if wrong := list(unlocked(packages)):
        raise Problem(
            "package-lock.json: "
            + "; ".join(wrong)
            + "\nWrite it anew with the .npmrc beside it: rm package-lock.json, then npm install."
        )


def unlocked(packages: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yields what is wrong with the entries of package-lock.json."""
    for name, entry in packages.items():
        if name and not str(entry.get("integrity", "")).startswith("sha512-"):
            yield f"{name} has no sha512 digest"
        if "resolved" in entry:
            yield f"{name} names the host it came from"


def check_style() -> None:
    """Checks the style of all files."""
    run("run", "-s", "lint", advice="Run `npm run format` in clients/console/web.")


def check_types() -> None:
    """Checks the types, and that mistakes made on purpose are found: a checker that finds nothing may see nothing."""
    with deliberate_errors() as names:
        tool = ("--tsconfig", "./tsconfig.json", "--fail-on-warnings", "--output", "machine-verbose")
        done = npm("exec", "--offline", "--", "svelte-check", *tool)
    try:
        found = diagnostics(done.stdout)
    except ValueError:
        raise Problem(f"svelte-check did not finish:\n{done.stdout}{done.stderr}") from None
    if real := [each for each in found if each["filename"] not in names]:
        raise Problem("\n".join(map(diagnostic_line, real)))
    if missed := names - {each["filename"] for each in found}:
        raise Problem(
            f"svelte-check did not find the mistakes made on purpose in {', '.join(sorted(missed))}"
        )


@contextmanager
def deliberate_errors() -> Iterator[set[str]]:
    """Copies the mistakes made on purpose to src, yields their names, and removes them again."""
    copies = [WEB / "src" / file.name for file in sorted(DELIBERATE_ERRORS.iterdir())]
    try:
        for copy in copies:
            shutil.copyfile(DELIBERATE_ERRORS / copy.name, copy)
        yield {f"src/{copy.name}" for copy in copies}
    finally:
        for copy in copies:
            copy.unlink(missing_ok=True)


def diagnostics(output: str) -> list[dict[str, Any]]:
    """Returns the errors and warnings of svelte-check. Raises ValueError if it did not come to its end."""
    lines = [line.partition(" ")[2] for line in output.splitlines()]
    if not any(line.startswith("COMPLETED ") for line in lines):
        raise ValueError("no end")
    return [json.loads(line) for line in lines if line.startswith("{")]


def diagnostic_line(found: dict[str, Any]) -> str:
    """Returns an error or a warning as a line: file, line, message."""
    return f"clients/console/web/{found['filename']}:{found['start']['line'] + 1}: {found['message']}"


def check_tests() -> None:
    """Runs the tests of the front end."""
    run("run", "-s", "test", advice="Tests of the front end fail; run `npm run test` in clients/console/web.")


def build(script: str, output: Path) -> None:
    """Builds a bundle into a folder.

    Args:
        script: the script of package.json that builds it.
        output: the folder, which is emptied before.
    """
    arguments = ("run", "-s", script, "--", "--outDir", str(output), "--emptyOutDir", "--logLevel", "warn")
    run(*arguments, advice="The front end could not be built; see the message above.")


def build_all() -> None:
    """Builds all bundles where they are committed."""
    for script, folder in BUNDLES.items():
        build(script, folder)


def check_bundles() -> None:
    """Checks that the committed bundles are what the sources give."""
    for script, committed in BUNDLES.items():
        with tempfile.TemporaryDirectory() as folder:
            build(script, Path(folder))
            differing = differences(committed, Path(folder))
        if differing:
            names = "\n".join(f"  {each}" for each in differing[:10])
            place = committed.relative_to(ROOT).as_posix()
            raise Problem(
                "the committed bundle is not what its sources give:\n"
                f"{names}\nRun `make console-bundle`, and commit {place}."
            )


def differences(committed: Path, built: Path) -> list[str]:
    """Returns the files that differ between two folders, with how they do."""
    first, second = contents(committed), contents(built)
    words = {
        name: "is missing" if name not in first else "is no longer built" if name not in second else "differs"
        for name in first.keys() | second.keys()
        if first.get(name) != second.get(name)
    }
    return [f"{name} {words[name]}" for name in sorted(words)]


def contents(folder: Path) -> dict[str, bytes]:
    """Returns the bytes of all files of a folder by their paths in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


CHECKS: tuple[tuple[str, Callable[[], None]], ...] = (
    ("packages", install),
    ("lock file", check_lock),
    ("style", check_style),
    ("types", check_types),
    ("tests", check_tests),
    ("bundles", check_bundles),
)
COMMANDS: dict[str, tuple[tuple[str, Callable[[], None]], ...]] = {
    "install": (("packages", install),),
    "check": CHECKS,
    "bundle": (("packages", install), ("bundles", build_all)),
}


def main() -> None:
    """Runs the steps of a command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    for name, step in COMMANDS[parser.parse_args().command]:
        sys.stdout.write(f"console, {name}\n")
        sys.stdout.flush()
        try:
            step()
        except Problem as problem:
            sys.exit(f"console, {name}: {problem}")


if __name__ == "__main__":
    main()
