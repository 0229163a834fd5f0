"""docs/exporting.md in the environment of its frameworks: the code runs as it stands, and what it exports is explained
rightly.

Keras and TensorFlow take two gigabytes more: `make models` runs their code, and what it wrote is tested as a fixture.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from exported_models import BY_NAME, FOLDER
from sequela_client import Sequela
from serving import Serving

from models.exported.export import MODELS, run
from models.exported.page import PAGE, ROOT, program, snippets
from scripts.peer_env import ensure

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(900)]

HERE = [name for name, peer in MODELS.items() if peer == "exporters"]
NAMED = snippets(PAGE.read_text())
OTHERS = [name for name in NAMED if name not in MODELS]
NUMBER = re.compile(r"[-+]?\d+\.\d+")


@pytest.fixture(scope="module")
def sequela(server: Serving) -> Iterator[Sequela]:
    with Sequela(server.bound.grpc) as client:
        yield client


@pytest.mark.parametrize("name", HERE)
def test_the_code_makes_a_model_that_is_explained_rightly(
    sequela: Sequela, tmp_path: Path, name: str
) -> None:
    """In a new process and an empty folder; the model is also the one that is committed, number by number."""
    run(NAMED, name, tmp_path)
    model = BY_NAME[name]
    truth = model.truth(tmp_path)
    assert truth.values == pytest.approx(model.truth(FOLDER / name).values, abs=1e-4)
    e = sequela.explain(
        model.sequence, model=tmp_path / "model.onnx", background=model.background, pruning_tolerance=0
    )
    last = e.target(max(target.name for target in e.targets))
    assert last.score == pytest.approx(truth.score[-1], abs=1e-5)
    for event in last.events:
        assert event.value == pytest.approx(truth.of("event", event.t)[-1], abs=1e-5)


@pytest.mark.parametrize("name", OTHERS)
def test_the_code_prints_what_the_page_shows(server: Serving, tmp_path: Path, name: str) -> None:
    """With the client, pandas and a real server; numbers to the last digit but two."""
    code = program(NAMED, name).replace("localhost:50051", server.bound.grpc)
    (tmp_path / "program.py").write_text(code)
    path = os.pathsep.join(str(ROOT / folder) for folder in ("clients/python", "proto/python"))
    done = subprocess.run(
        [ensure("exporters"), "-W", "ignore", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shown = NAMED[name].output
    if shown is not None:
        printed = "".join(line for line in done.stdout.splitlines(True) if not line.startswith("[torch"))
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
        numbers = [float(number) for number in NUMBER.findall(shown)]
        assert [float(number) for number in NUMBER.findall(printed)] == pytest.approx(numbers, abs=2e-3)
