"""Runs inside the image, from standard input: says what the process may do, and explains the demo's alert.

    podman run --rm --interactive --entrypoint python … sequela:0.1.0 - < scripts/image_probe.py

Prints one line of JSON, and exits with 1 if the server does not start, answer or end as it should.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from sequela_client import Sequela
from sequela_client.files import read_sequence

HOME = Path(sys.prefix)
PLACES = ("/", "/etc", "/usr", sys.prefix, "/var", "/home", "/tmp", "/run")
READY = "http://127.0.0.1:9464/readyz"
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.02
SETTINGS = {
    "SEQUELA_MODEL_REPOSITORY": str(HOME / "demo" / "models"),
    "SEQUELA_HTTP_HOST": "127.0.0.1",
}


def main() -> None:
    """Prints the facts."""
    facts = {"uid": os.getuid(), "gid": os.getgid(), "writable": [each for each in PLACES if writable(each)]}
    facts |= {key: value for key, value in status().items() if key in ("CapEff", "CapBnd", "NoNewPrivs")}
    packages = json.loads((HOME / "sbom.json").read_text())["components"]
    facts["sbom_packages"] = len(packages)
    begun = time.monotonic()
    server = subprocess.Popen(["sequela", "serve"], env={**os.environ, **SETTINGS}, stdout=sys.stderr)
    try:
        wait_until_ready(server)
        facts["startup_seconds"] = round(time.monotonic() - begun, 2)
        facts |= explain()
    finally:
        server.send_signal(signal.SIGTERM)
        facts["exit_status"] = server.wait(PATIENCE_SECONDS)
    print(json.dumps(facts))


def writable(folder: str) -> bool:
    """Tries to write a file."""
    try:
        (Path(folder) / "probe").write_text("")
    except OSError:
        return False
    return True


def status() -> dict[str, str]:
    """Returns what the kernel says of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def wait_until_ready(server: "subprocess.Popen[bytes]") -> None:
    """Waits until /readyz says so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(READY, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_SECONDS)
    sys.exit("the server is not ready")


def explain() -> dict[str, object]:
    """Explains the alert, with the server's model and with its file, and returns what that gave."""
    alert = read_sequence(HOME / "demo" / "alerts" / "takeover-47.json")
    begun = time.monotonic()
    with Sequela("127.0.0.1:50051") as client:
        found = client.explain(alert, model="account_takeover")
        seconds = time.monotonic() - begun
        model = HOME / "demo" / "models" / "account_takeover" / "1" / "model.onnx"
        uploaded = client.register_model(model, name="uploaded")
        again = client.explain(alert, model="uploaded")
    return {
        "score": round(found.score, 4),
        "explain_seconds": round(seconds, 2),
        "same_with_the_file": abs(again.score - found.score) < 1e-6,
        "sandbox": uploaded.execution.rpartition(";")[2].strip(),
    }


main()
