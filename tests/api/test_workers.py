"""Workers: how many there are changes no answer, and requests under way are more than workers."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from api.made import Gate
from api.rpc_calls import GRU, explain_request, sequence
from matrix import ROOT
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.explain.evaluate import model_caller
from sequela.explain.evaluate.prefix_states import execution
from sequela.explain.evaluate.prefix_states.execution import MAX_UNSHARED_WORK
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded
from waiting import PATIENCE

ALERTS = 6
EVENTS, COALITIONS = 24, 4096


def numbers(response: pb.ExplainResponse) -> bytes:
    """All attributions of an answer, bit by bit."""
    explanation = response.explanation
    levels = (explanation.event_level, explanation.feature_level, explanation.cell_level)
    return b"".join(
        attribution.SerializeToString(deterministic=True)
        for level in levels
        for attribution in level.attributions
    )


def answers(workers: int) -> list[bytes]:
    """What a server with so many workers answers to several callers at once, whose games are walked."""
    options = pb.ExplainOptions(pruning_tolerance=0.0, max_coalitions=COALITIONS, target_standard_error=0.0)
    with Serving(embedded(workers=workers)) as server, ThreadPoolExecutor(ALERTS) as callers:

        def ask(seed: int) -> bytes:
            request = explain_request(sequence=sequence(seed, events=EVENTS), options=options)
            return numbers(server.explanations.Explain(request, timeout=PATIENCE))

        return list(callers.map(ask, range(ALERTS)))


@pytest.mark.slow
def test_answers_do_not_depend_on_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone or beside others, with one worker or several, the same question gives the same bits."""
    for module in (model_caller, execution):
        monkeypatch.setattr(
            module, "MAX_SINGLE_THREAD_WORK", 0
        )  # so that a model as small as this one is shared out
    model = Loader().load("gru", ModelBytes(GRU, b"", "onnx", "schema_json"))
    assert model.recurrence
    assert COALITIONS * model.work(EVENTS) > 2 * MAX_UNSHARED_WORK
    alone = answers(workers=1)
    assert all(alone)
    assert len(set(alone)) == ALERTS
    for workers in (2, 5):
        assert answers(workers) == alone


@pytest.mark.parametrize(("workers", "seats"), [(1, 2), (3, 3)])
def test_a_request_is_under_way_for_each_worker(workers: int, seats: int, tmp_path: Path) -> None:
    """By default, and two at least; one more waits for one of them to end. The model is the operator's."""
    gate = Gate()
    shutil.copytree(ROOT / "gru", tmp_path / "gru")
    request = explain_request(model=pb.ModelReference(name="gru"))
    with Serving(embedded(workers=workers, model_repository=tmp_path), explainer=gate) as server:
        asked = [server.explanations.Explain.future(request, timeout=PATIENCE) for _ in range(seats + 1)]
        for _ in range(seats):
            assert gate.begun.acquire(timeout=PATIENCE)
        assert not gate.begun.acquire(timeout=0.05)
        gate.open.set()
        assert all(call.result().explanation.name for call in asked)
