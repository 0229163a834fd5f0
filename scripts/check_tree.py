"""Checks the files of the repository: their sizes, and that they contain no paths of a developer's machine.

Prints each violation, and fails if there is one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KB = 1000
MAX_FILE = 1000 * KB  # the demo's model
MAX_FIXTURE = 100 * KB
MAX_MODULE = 400  # lines
GENERATED = "proto/python/"
# Paths in a home folder or a folder for temporary files, and local package indexes. They exist on one machine only.
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.:$}-])/(?:home|root|Users|work|tmp|opt|mnt)/[\w.-]+|file:///|index-url|find-links"
)
# Paths inside a container image are fine, and the two files below name the words that they forbid.
MAY_NAME_PATHS = ("Dockerfile", "deploy/", "LICENSE", "scripts/check_tree.py", "scripts/lock.py")


@dataclass(frozen=True, slots=True)
class Tracked:
    """A file of the repository: its path from the root with `/`, its bytes."""

    name: str
    content: bytes

    @property
    def lines(self) -> list[str]:
        """The lines of a text file; none for other files."""
        return [] if b"\0" in self.content else self.content.decode(errors="replace").splitlines()


def tracked() -> Iterator[Tracked]:
    """Yields all files that are committed, or that `git add .` would add."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in sorted(set(names.split("\0")) - {""}):
        if (ROOT / name).is_file():
            yield Tracked(name, (ROOT / name).read_bytes())


def breaches(file: Tracked) -> Iterator[str]:
    """Yields a message for each problem of a file."""
    limit = MAX_FIXTURE if file.name.startswith("tests/fixtures/") else MAX_FILE
    if len(file.content) > limit:
        yield f"{file.name}: has {len(file.content) / KB:.0f} kB, and the limit is {limit / KB:.0f} kB"
    if file.name.startswith(GENERATED):
        return
    if file.name.endswith(".py") and len(file.lines) > MAX_MODULE:
        yield f"{file.name}: has {len(file.lines)} lines, and the limit is {MAX_MODULE}"
    if file.name.startswith(MAY_NAME_PATHS):
        return
    for number, line in enumerate(file.lines, start=1):
        if found := OF_ONE_MACHINE.search(line):
            yield f"{file.name}:{number}: {found[0]!r} exists on one machine only; write a path in the repository"


def main() -> None:
    """Checks all files."""
    found = [breach for file in tracked() for breach in breaches(file)]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
