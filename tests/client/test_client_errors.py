"""Errors say who must act, and carry the server's details."""

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from client.scripted import Script, serving
from sequela_client import (
    AsyncSequela,
    AuthenticationError,
    CallerError,
    DeadlineExceeded,
    EventInfo,
    ModelOrBackgroundError,
    NotFound,
    NotImplementedByServer,
    OperatorError,
    PermissionDenied,
    Retries,
    Sequela,
    SequelaError,
    Sequence,
    TimeSpentWaiting,
    TryAgain,
    Unavailable,
    Violation,
)

SEQUENCE = np.ones((3, 2))
AT_ONCE = Retries(first_wait_seconds=0.01)
CASES = [
    (grpc.StatusCode.INVALID_ARGUMENT, CallerError),
    (grpc.StatusCode.ALREADY_EXISTS, CallerError),
    (grpc.StatusCode.NOT_FOUND, NotFound),
    (grpc.StatusCode.FAILED_PRECONDITION, ModelOrBackgroundError),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, TryAgain),
    (grpc.StatusCode.ABORTED, TryAgain),
    (grpc.StatusCode.CANCELLED, Unavailable),
    (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
    (grpc.StatusCode.UNIMPLEMENTED, NotImplementedByServer),
    (grpc.StatusCode.INTERNAL, OperatorError),
    (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
    (grpc.StatusCode.UNAUTHENTICATED, AuthenticationError),
]


def test_time_spent_waiting_may_be_tried_again(address: str, script: Script) -> None:
    """Whoever catches either kind of error catches it: the timeout was too short, because the server was busy."""
    reason = "DEADLINE_SPENT_WAITING"
    script.failures = [(grpc.StatusCode.DEADLINE_EXCEEDED, reason, "waited", "", 1.5)]
    # More time than the server asks for would make the client try again.
    once = Retries(attempts=1)
    with Sequela(address, timeout=60, retries=once) as client, pytest.raises(TimeSpentWaiting) as failed:
        client.explain(SEQUENCE, model="m")
    assert isinstance(failed.value, TryAgain)
    assert isinstance(failed.value, DeadlineExceeded)
    assert (failed.value.reason, failed.value.retry_after) == (reason, 1.5)


@pytest.mark.parametrize(("code", "kind"), CASES, ids=lambda case: getattr(case, "name", None))
def test_each_code_has_its_class(
    address: str, script: Script, code: grpc.StatusCode, kind: type[SequelaError]
) -> None:
    """The class says who must act; reason, fields and waiting time come from the details."""
    script.failures = [(code, "SOME_REASON", "too short", "sequence.inputs[0]", 1.5)]
    with Sequela(address, retries=Retries(attempts=1)) as client, pytest.raises(kind) as failed:
        client.explain(SEQUENCE, model="m")
    assert type(failed.value) is kind
    assert failed.value.reason == "SOME_REASON"
    assert failed.value.violations == (Violation("sequence", "too short"),)
    assert failed.value.retry_after == 1.5


def test_asyncio_errors_are_the_same(address: str, script: Script) -> None:
    """The asyncio client translates as the blocking one does."""
    script.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "SOME_REASON", "bad", "options.seed")]

    async def explain() -> None:
        async with AsyncSequela(address) as sequela:
            await sequela.explain(SEQUENCE, model="m")

    with pytest.raises(CallerError, match="bad") as failed:
        asyncio.run(explain())
    assert failed.value.violations[0].field == "seed"


def test_the_text_names_every_field_once() -> None:
    """What the message already says is not said again; what it lacks follows."""
    error = CallerError(
        "levels: unknown", violations=[Violation("levels", "unknown"), Violation("seed", "negative")]
    )
    assert str(error) == "levels: unknown; seed: negative"


def test_an_upload_is_retried(script: Script, model_file: Path) -> None:
    """Its messages are sent again by the client; gRPC would lose some of them now and then."""
    script.upload_failures = 3
    with serving(script) as where, Sequela(where, retries=AT_ONCE) as sequela:
        assert sequela.register_model(model_file).digest in script.models

    async def register(where: str) -> None:
        async with AsyncSequela(where, retries=AT_ONCE) as sequela:
            await sequela.register_model(model_file)

    script.upload_failures = 3
    with serving(script) as where:
        asyncio.run(register(where))
    script.upload_failures = 4
    with (
        serving(script) as where,
        Sequela(where, retries=AT_ONCE) as sequela,
        pytest.raises(Unavailable, match="draining"),
    ):
        sequela.register_model(model_file)


def test_an_average_is_retried_if_its_sequences_can_be_read_again(script: Script) -> None:
    """A list can; of a generator, some sequences would be missing."""
    script.models.add("m")
    with serving(script) as where, Sequela(where, retries=AT_ONCE) as sequela:
        script.upload_failures = 2
        assert sequela.average_background("b", [SEQUENCE] * 5, model="m").sequences == 5
        script.upload_failures = 1
        with pytest.raises(Unavailable):
            sequela.average_background("b", (each for each in [SEQUENCE] * 5), model="m")


def test_a_message_over_the_servers_limit(client: Sequela) -> None:
    """GRPC's own refusal of a large message is the caller's to change: trying again would not help."""
    with pytest.raises(CallerError) as failed:
        client.explain(np.ones((300, 1000)), model="m")
    assert failed.value.reason == "MESSAGE_TOO_LARGE"


def test_a_message_over_the_clients_limit(address: str) -> None:
    """So is the client's own limit."""
    with Sequela(address, max_message_bytes=1000) as sequela, pytest.raises(CallerError) as failed:
        sequela.explain(np.ones((100, 10)), model="m")
    assert failed.value.reason == "MESSAGE_TOO_LARGE"


def test_nobody_listens(tmp_path: Path) -> None:
    """A server that is not there is worth another try."""
    nobody = f"unix:{tmp_path}/nobody"
    with Sequela(nobody, timeout=60, retries=AT_ONCE) as sequela, pytest.raises(TryAgain):
        sequela.explain(SEQUENCE, model="m")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": ["events"]}, "levels: must be one of event, feature, cell, not 'events'"),
        ({"feature_scope": "all"}, "feature_scope: must be one of unpruned, full_sequence, not 'all'"),
        ({"link": "probit"}, "link: must be one of identity, logit, not 'probit'"),
        ({"seed": -1}, "seed: must be from 0 to 18446744073709551615, not -1"),
        ({"max_coalitions": 1.5}, "max_coalitions: must be a whole number"),
        ({"targets": 1.5}, "targets: must be names or column numbers, not 1.5"),
    ],
)
def test_bad_options_never_leave(
    client: Sequela, script: Script, options: dict[str, object], message: str
) -> None:
    """Words and types that the contract lacks are refused at once, by the option's name."""
    with pytest.raises(CallerError, match=message):
        client.explain(SEQUENCE, model="m", **options)  # type: ignore[arg-type]
    assert not script.calls


def test_an_unknown_option_is_a_type_error(client: Sequela) -> None:
    """As for any Python function."""
    with pytest.raises(TypeError, match="tolerance"):
        client.explain(SEQUENCE, model="m", tolerance=0.1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"caller_id": 17}, "caller_id: must be a string, not 17 of type int"),
        ({"labels": {"team": 3}}, "labels['team']: must be a string, not 3 of type int"),
        ({"labels": {3: "team"}}, "labels key: must be a string"),
        ({"labels": "team"}, "labels: must be a mapping, not 'team' of type str"),
        ({"model": None}, "model: must be a path, a name or an Endpoint, not None"),
        ({"timeout": "5"}, "timeout: must be a number of seconds, at least 0, or None, not '5'"),
        ({"timeout": -1}, "timeout: must be a number of seconds"),
        (
            {"sequence": Sequence(SEQUENCE, ({"id": "e"},) * len(SEQUENCE))},
            "events: each item must be an EventInfo, not dict",
        ),  # type: ignore[arg-type]
        (
            {"sequence": Sequence(SEQUENCE, (EventInfo(time="now"),))},
            "events.time: must be a datetime, not 'now'",
        ),  # type: ignore[arg-type]
        ({"sequence": Sequence(SEQUENCE, (EventInfo(id=5),))}, "events.id: must be a string, not 5"),  # type: ignore[arg-type]
    ],
)
def test_arguments_of_another_type_are_named(
    client: Sequela, script: Script, arguments: dict[str, object], message: str
) -> None:
    """The message names the argument, its value and its type; nothing is sent."""
    asked: dict[str, Any] = {"sequence": SEQUENCE, "model": "m", **arguments}
    with pytest.raises(CallerError, match=re.escape(message)) as failed:
        client.explain(**asked)
    assert failed.value.reason == "ARGUMENT_INVALID"
    assert not script.calls


@pytest.mark.parametrize("values", [[["a"]], [[1, 2], [3]], np.ones(3, complex), [object()]])
def test_values_that_are_no_numbers(client: Sequela, values: object) -> None:
    """What cannot be a tensor is the caller's error, before anything is sent."""
    with pytest.raises(CallerError) as failed:
        client.explain(values, model="m")  # type: ignore[arg-type]
    assert failed.value.reason == "NOT_AN_ARRAY"


def test_the_callers_own_error_comes_back(
    client: Sequela, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """An error raised by the caller's iterator reaches the caller, not gRPC's words for it."""
    caplog.set_level(logging.CRITICAL)
    script.models.add("m")

    def broken() -> Iterator[np.ndarray]:
        yield SEQUENCE
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        list(client.explain_many(broken(), model="m"))
    with pytest.raises(ZeroDivisionError, match="mine"):
        client.average_background("b", broken(), model="m")
