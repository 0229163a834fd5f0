"""The samples of docs/open_inference.md run as they stand, but for the ports."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from real_servers import DEMO, ROOT, python
from serving import Serving, embedded
from waiting import PATIENCE

PAGE = (ROOT / "docs" / "open_inference.md").read_text()


def samples(server: Serving, language: str) -> list[str]:
    """What stands in the page's fences of a language, with the server's own ports."""
    page = PAGE.replace("localhost:50051", server.bound.grpc).replace("localhost:9464", server.bound.http)
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def demo() -> Iterator[Serving]:
    """A server with the demo's model."""
    with Serving(embedded(model_repository=DEMO.parents[2])) as server:
        yield server


def test_a_plain_caller_runs(
    demo: Serving, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By HTTP, with a library that knows nothing of the protocol; `sequela serve` names a folder that is there."""
    monkeypatch.chdir(ROOT)
    (plain,) = (sample for sample in samples(demo, "python") if "tritonclient" not in sample)
    exec(compile(plain, "open_inference.md", "exec"), {})
    assert capsys.readouterr().out.endswith("score [1, 1]\nevent_attributions [1, 20, 1]\n")  # after the log
    serve = samples(demo, "console")[0]
    assert (ROOT / serve.split()[-1]) == DEMO.parents[2]


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.timeout(600)
def test_the_clients_run(demo: Serving) -> None:
    """tritonclient's by gRPC and by HTTP, one after the other in its environment, which print what the page says."""
    theirs = [sample for sample in samples(demo, "python") if "tritonclient" in sample]
    command = [python("triton"), "-c", "\n".join(theirs)]
    printed = subprocess.check_output(command, cwd=ROOT, env={}, text=True, timeout=PATIENCE)
    assert printed.startswith("(1, 20, 1)\n[[0.99")
