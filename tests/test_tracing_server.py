"""A server whose operator looks for a wrong number: it records, computes anew, and says so in its log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from matrix import BY_NAME
from sequela.explain.evaluate.choose_execution import ExecutionKind
from sequela.main import CANNOT_START
from sequela_client import DeadlineExceeded, Sequela
from serving import Serving, in_process
from trace_reader import Trace, traces

from models.exported.page import ROOT

GRU = BY_NAME["gru"]


def test_every_explanation_is_recorded(tmp_path: Path) -> None:
    """Also one that was asked for before; the start is warned of."""
    with structlog.testing.capture_logs() as logs:
        settings = in_process(trace_dir=tmp_path / "traces", execution=ExecutionKind.WHOLE)
        with Serving(settings) as serving, Sequela(serving.bound.grpc) as client:
            asked = {"model": GRU.path, "background": GRU.average(), "pruning_tolerance": 0}
            first, second = (client.explain(GRU.sample(5), **asked) for _ in range(2))  # type: ignore[arg-type]
            client.score([GRU.sample(5)], model=GRU.path)
    assert first.name != second.name
    assert not second.cost.cached
    assert [each.value for each in first.events] == [each.value for each in second.events]
    recorded = {trace.facts["answered_as"]: trace.facts for trace in traces(tmp_path / "traces")}
    assert recorded.keys() == {first.name, second.name}
    assert {facts["execution"] for facts in recorded.values()} == {"whole"}
    warned = {each["event"]: each for each in logs if each["log_level"] == "warning"}
    assert warned["tracing explanations"]["folder"] == str(tmp_path / "traces")
    assert "what callers sent" in warned["tracing explanations"]["detail"]
    assert warned["execution forced"]["execution"] == "whole"


def test_the_page_names_parts_of_an_explanation(tmp_path: Path) -> None:
    """What docs/debugging.md says to look at first is there."""
    page = (ROOT / "docs" / "debugging.md").read_text()
    named = set(re.findall(r"`(e\.[\w.\[\]\"]+)`", page))
    assert len(named) >= 7
    with Serving(in_process(trace_dir=tmp_path)) as serving, Sequela(serving.bound.grpc) as client:
        explanation = client.explain(GRU.sample(5), model=GRU.path, background=GRU.average())
    for each in named:
        eval(each, {"e": explanation})


def test_an_answer_that_was_cut_short(tmp_path: Path) -> None:
    """Its folder has the name under which it was computed, and the record says the answer's name."""
    case = BY_NAME["stacked_lstm"]
    endless = {"pruning_tolerance": 0, "max_coalitions": 1 << 20, "target_standard_error": 0}
    with Serving(in_process(trace_dir=tmp_path)) as serving, Sequela(serving.bound.grpc) as client:
        model = client.register_model(case.path, name="stacked_lstm").name
        for seconds in (0.5, 2.0, 8.0, 32.0):
            # On a busy machine the caller's own clock may come first.
            with suppress(DeadlineExceeded):
                answer = client.explain(
                    case.sample(200), model=model, background=case.average(), timeout=seconds, **endless
                )
                break
        else:
            pytest.fail("the server answered before no deadline")
    assert answer.cut_short
    (trace,) = (each for each in traces(tmp_path) if each.facts.get("answered_as") == answer.name)
    assert trace.facts["cut_short"]
    assert Trace(tmp_path / trace.facts["explanation"].rpartition("/")[2]) == trace


def test_nothing_is_switched_on_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default nothing is written, nothing is warned of, and answers are reused."""
    monkeypatch.chdir(tmp_path)
    with (
        structlog.testing.capture_logs() as logs,
        Serving() as serving,
        Sequela(serving.bound.grpc) as client,
    ):
        asked = {"model": GRU.path, "background": GRU.average()}
        answers = [client.explain(GRU.sample(5), **asked) for _ in range(2)]  # type: ignore[arg-type]
    assert answers[1].cost.cached
    assert not list(tmp_path.iterdir())
    assert not [each for each in logs if each["log_level"] == "warning"]


@pytest.mark.slow
def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """Ends the start, with the option that names it."""
    path = tmp_path / "file"
    path.touch()
    server = [sys.executable, "-m", "sequela", "--port", "0", "--http-port", "0", "--trace-dir", str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(server, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == CANNOT_START
    assert json.loads(done.stderr.splitlines()[-1])["detail"] == f"--trace-dir {path}: File exists"
