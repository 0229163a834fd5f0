"""Models from callers run in processes that nobody trusts: whatever such a process does, others do not notice."""

from __future__ import annotations

import ast
import os
import resource
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import sequela
from api.rpc_calls import background, explain_request, inline, register, sequence
from matrix import BY_NAME, CASES, Case
from model_engines import forging_engine
from model_engines.engine_processes import untrusted_engines
from sequela import engine_pools
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.upload_engines import quarantine
from sequela.adapters.upload_engines.model_answers import REASONS
from sequela.adapters.upload_engines.quarantine import MAX_QUESTIONS
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded
from waiting import PATIENCE, eventually

ENDLESS = pb.ExplainOptions(pruning_tolerance=0, max_coalitions=1 << 20, target_standard_error=0)
OTHER = BY_NAME["transformer"].path.read_bytes()
QUARANTINE_SECONDS = 600.0


def refused(server: Serving, request: pb.ExplainRequest) -> Failure:
    with pytest.raises(grpc.RpcError) as caught:
        server.explanations.Explain(request, timeout=PATIENCE)
    return Failure(caught.value)


def test_no_model_of_a_caller_is_loaded_in_the_server(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that is uploaded nor one that is sent along. GetModel says what contains it."""

    def load(*_: Any) -> None:
        raise AssertionError("a model was loaded in the server")

    monkeypatch.setattr(Loader, "load", load)
    found = register(server, "contained", BY_NAME["regression"].path.read_bytes())
    assert "sandbox of its own" in found.execution
    assert server.explanations.Explain(explain_request(model=inline(OTHER))).explanation.explained


def test_processor_time_of_engines_is_bounded() -> None:
    """Also between two tasks, when it is a second or two."""
    others = set(untrusted_engines())  # of servers that other tests share
    with Serving(embedded()) as server:
        register(server, "bounded")
        (engine,) = set(untrusted_engines()) - others
        assert resource.prlimit(engine, resource.RLIMIT_CPU)[0] < 30


def fail_while_at_work(server: Serving, number: signal.Signals, seed: int = 5) -> Failure:
    """Returns how a long explanation fails when its engines are ended by a signal, until one was at work just then."""
    others = set(untrusted_engines())  # of servers that other tests share
    request = explain_request(sequence=sequence(seed, 300), options=ENDLESS)
    calls = server.wired.metrics.registry.get_sample_value
    with ThreadPoolExecutor(1) as callers:
        call = callers.submit(refused, server, request)
        eventually(lambda: calls("sequela_model_calls_total"))
        while not call.done():
            for pid in set(untrusted_engines()) - others:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            wait([call], timeout=0.05)
        return call.result(PATIENCE)


def test_a_model_that_ends_several_engines_is_put_into_quarantine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers hear so until it ends; other models notice nothing."""
    with Serving(embedded(quarantine_seconds=QUARANTINE_SECONDS)) as server:
        for seed in range(5, 5 + MAX_QUESTIONS):
            failed = fail_while_at_work(server, signal.SIGSEGV, seed)
            # The engine may have waited for the next batch just then.
            assert failed.reason in ("ENGINE_CRASHED", "REQUEST_QUARANTINED", "MODEL_QUARANTINED")
            if failed.reason == "MODEL_QUARANTINED":
                break
        again = refused(server, explain_request())
        assert (again.code, again.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MODEL_QUARANTINED")
        assert "SIGSEGV" in again.message
        assert server.explanations.Explain(explain_request(model=inline(OTHER))).explanation.explained
        # The clock of the quarantine goes on by as much as it lasts.
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + QUARANTINE_SECONDS)
        monkeypatch.setattr(quarantine, "time", later)
        assert outcome(server) == "ok"


def outcome(server: Serving) -> str:
    try:
        server.explanations.Explain(explain_request(), timeout=PATIENCE)
    except grpc.RpcError as error:
        return Failure(error).reason
    return "ok"


def test_a_model_is_not_blamed_for_an_engine_that_somebody_kills() -> None:
    """UNAVAILABLE for the call at work; the next one gets a new engine."""
    with Serving(embedded()) as server:
        failed = fail_while_at_work(server, signal.SIGKILL)
        assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "ENGINE_KILLED")
        assert server.explanations.Explain(explain_request()).explanation.explained


def takes_events_of(width: int, case: Case) -> bool:
    sample = case.sample(6, 0)
    return list(sample) == ["events"] and sample["events"].shape == (6, width)


def test_models_that_take_turns_have_engines_of_their_own() -> None:
    """More models than engines: each engine has had one model only, and every answer is right."""
    models = [case.path.read_bytes() for case in CASES if takes_events_of(5, case)][:3]
    others = set(untrusted_engines())  # of servers that other tests share
    with Serving(embedded(upload_engines=1)) as server:
        first = [server.explanations.Explain(explain_request(model=inline(each))) for each in models]
        again = [
            server.explanations.Explain(explain_request(model=inline(each), caller_id="again"))
            for each in models
        ]
        eventually(lambda: len(set(untrusted_engines()) - others) <= 1)  # another one may be about to end
    digests = [each.explanation.model_digest for each in first]
    assert len(set(digests)) == 3
    assert [each.explanation.model_digest for each in again] == digests


def test_an_engine_with_nothing_to_do_ends_after_a_while() -> None:
    """And its memory is free. The model is loaded again when a request needs it, and gives the same answer."""
    with Serving(embedded(upload_engine_idle_seconds=0.3)) as server:
        register(server, "multi_input")
        answers = [server.explanations.Explain(explain_request(caller_id="first")).explanation]
        exits = server.wired.metrics.registry.get_sample_value
        labels = {"class": "untrusted", "reason": "retired"}
        eventually(
            lambda: (
                exits("sequela_engine_exits_total", labels)
                == exits("sequela_engine_starts_total", {"class": "untrusted"})
            )
        )
        answers.append(server.explanations.Explain(explain_request(caller_id="second")).explanation)
    assert answers[0].event_level == answers[1].event_level


@pytest.fixture(scope="module")
def forged() -> Iterator[Serving]:
    """A server whose engines have been taken over by the models of callers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_pools, "LOAD_ENTRY", "model_engines.forging_engine:serve")
        with Serving(embedded()) as server:
            yield server


def forging(kind: str, name: str) -> pb.ExplainRequest:
    return pb.ExplainRequest(
        model=inline(f"{kind}:{name}".encode()), background=background(), sequence=sequence()
    )


FORGERIES = [
    *(("describe", name) for name in forging_engine.DESCRIPTIONS),
    *(("run", name) for name in forging_engine.RUNS),
    ("ask", "theirs"),
]


ONE_OF_A_KIND = {
    ("describe", name)
    for name in (
        "noise", "pickle of facts", "never loaded", "other reason", "endless text", "name of another",
        "negative work", "no targets", "columns of others",
    )
} | {
    ("run", name) for name in ("objects", "not finite", "too few rows", "other type", "announced terabyte", "facts")
}  # fmt: skip
"""Each of these is refused at another place."""


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(
            *forgery,
            id=" ".join(forgery),
            marks=() if forgery in ONE_OF_A_KIND or "ask" in forgery else pytest.mark.slow,
        )
        for forgery in FORGERIES
    ],
)
def test_an_engine_that_was_taken_over_convinces_nobody(forged: Serving, kind: str, name: str) -> None:
    """What it forges ends in one named error, and nothing is stored, unpickled or believed."""
    failed = refused(forged, forging(kind, name))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ENGINE_ANSWER_INVALID")
    assert not failed.violations
    assert refused(forged, forging(kind, name)).reason == "MODEL_QUARANTINED"
    assert not Path("forged").exists()


def test_what_an_engine_says_of_other_models_changes_nothing(forged: Serving) -> None:
    """A model that tells the truth is explained as ever, under its own name, digest and caller."""
    found = forged.explanations.Explain(
        explain_request(model=inline(b"honest:"), background=background(), caller_id="a")
    ).explanation
    listed = forged.explanations.ListExplanations(pb.ListExplanationsRequest()).explanations
    of_callers = {(each.name, each.model_digest) for each in listed if each.caller_id}
    assert of_callers == {(found.name, found.model_digest)}
    assert found.model == f"models/{found.model_digest}/versions/1"


def test_all_reasons_of_loading_and_running_are_known() -> None:
    """Those in the source of the modules that load and run models: others would not be passed on."""
    folder = Path(sequela.__file__).parent / "adapters"
    found = set()
    for path in (*folder.glob("onnx/**/*.py"), *folder.glob("model_io/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (reason := reason_of(node)):
                found.add(reason)
    assert found <= REASONS


def reason_of(call: ast.Call) -> str | None:
    """Returns the reason of `DoesNotFit(reason)`, `InvalidInput(reason)` or `InvalidInput.at(path, reason)`."""
    function = ast.unparse(call.func)
    place = {"DoesNotFit": 0, "InvalidInput": 0, "InvalidInput.at": 1}.get(function)
    if place is None or len(call.args) <= place:
        return None
    argument = call.args[place]
    return argument.value if isinstance(argument, ast.Constant) else None
