"""What the two clients send and give back, apart from digests and errors."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from client.scripted import Script
from sequela_client import (
    AsyncSequela,
    EventInfo,
    Explanation,
    Outcome,
    Sequela,
    Sequence,
    Verdict,
)
from sequela_client.options import Options
from sequela_proto.v1 import sequela_pb2 as pb

SEQUENCE = np.arange(8, dtype=np.float32).reshape(4, 2)


@pytest.fixture
def explained(client: Sequela) -> Explanation:
    """The scripted explanation of four events, two of them pruned."""
    return client.explain(SEQUENCE, model="m")


def test_reads_as_the_design_says(explained: Explanation) -> None:
    """Most recent event first; P, features by name, cells; the first target's numbers."""
    assert (explained.base_value, explained.score) == (0.1, 0.9)
    assert explained.pruning.pruned_events == 2
    assert [(item.t, item.value, item.standard_error) for item in explained.events] == [
        (0, 0.9, 0.01),
        (-1, -0.12, 0.01),
    ]
    assert explained.pruned is not None
    assert (explained.pruned.value, explained.pruned.first_t, explained.pruned.last_t) == (0.02, -3, -2)
    assert list(explained.features) == ["amount", "device"]
    assert explained.features["amount"].value == 0.7
    kinds = ["pruned", "cell", "event_rest", "feature_rest", "other"]
    assert [cell.kind for cell in explained.cells] == kinds
    assert (explained.cells[1].t, explained.cells[1].feature) == (0, "amount")
    assert explained.cells[1].selection_uncertain
    assert explained.pruning.verdict is Verdict.UNCERTAIN
    assert explained.levels["event"].quality.coalitions == 8
    assert explained.static is None
    assert explained.history == ()


def test_another_target(explained: Explanation) -> None:
    """`target` gives the same explanation with one target's numbers; an unknown one is a KeyError."""
    honest = explained.target("honest")
    assert (honest.base_value, honest.score) == (0.9, 0.1)
    assert honest.events[0].values == (-0.9,)
    assert honest.pruned is not None
    assert honest.pruned.value == -0.02
    assert honest.pruning.verdict is Verdict.WITHIN
    assert honest.pruning.curve[0].importance == -0.01
    assert explained.events[0].values == (0.9, -0.9)
    with pytest.raises(KeyError, match="fraud, honest"):
        explained.target("nobody")


def test_every_level_of_every_target_adds_up(explained: Explanation) -> None:
    """Additivity survives the way through the client."""
    for target in explained.targets:
        one = explained.target(target.name)
        for level in one.levels.values():
            assert sum(item.value for item in level.attributions) == pytest.approx(one.score - one.base_value)


def test_json_holds_everything(explained: Explanation) -> None:
    """JSON parses, and holds numbers, words and times."""
    content = json.loads(explained.to_json())
    assert content == explained.to_dict()
    assert content["event_level"]["attributions"][2]["values"] == [0.9, -0.9]
    assert content["create_time"] == "1970-01-01T00:00:00+00:00"
    assert content["cell_level"]["attributions"][1]["kind"] == "cell"


def test_csv_has_a_row_for_each_attribution_and_target(explained: Explanation) -> None:
    """Numbers in full precision, cells with their values as people read them."""
    rows = list(csv.DictReader(io.StringIO(explained.to_csv())))
    assert len(rows) == 2 * (3 + 3 + 5)
    cell = next(row for row in rows if row["kind"] == "cell" and row["target"] == "honest")
    assert (cell["t"], cell["feature"], cell["displayed"]) == ("0", "amount", "4210.00")
    assert float(cell["value"]) == -0.6


def test_csv_holds_no_formulas(client: Sequela) -> None:
    """A spreadsheet would run an event's text that begins like a formula; numbers with a sign stay as they are."""
    for text, written in (("=1+1", "'=1+1"), ("@a", "'@a"), ("-x", "'-x"), ("-5.00 EUR", "-5.00 EUR")):
        infos = (*(EventInfo(),) * 3, EventInfo(display={"amount": text}))
        told = client.explain(Sequence(SEQUENCE, infos, id="=id"), model="m")
        cell = next(row for row in csv.DictReader(io.StringIO(told.to_csv())) if row["kind"] == "cell")
        assert (cell["displayed"], cell["caller_id"]) == (written, "'=id")


def test_what_is_known_of_a_sequence_goes_with_it(client: Sequela, script: Script) -> None:
    """Id, labels and event infos travel with a `Sequence`; arguments go before its own."""
    time = datetime(2026, 4, 2, 7, 35, tzinfo=UTC)
    infos = (EventInfo(),) * 3 + (EventInfo("e4", time, {"amount": "4,210.00 EUR"}),)
    sequence = Sequence({"x": SEQUENCE}, infos, "alert-1", {"a": "1", "b": "2"})
    explained = client.explain(sequence, model="m", labels={"b": "3"})
    assert (explained.caller_id, explained.labels) == ("alert-1", {"a": "1", "b": "3"})
    assert explained.event_values[0].info == infos[3]
    assert explained.displayed(0, "amount") == "4,210.00 EUR"
    assert explained.displayed(0, "device") == "new"
    assert explained.displayed(-9, "amount") == ""
    client.explain(sequence, model="m", caller_id="")
    assert script.calls[-1][1].caller_id == ""


@pytest.mark.parametrize(
    ("given", "dtype", "sent"),
    [
        (np.float32, pb.DATA_TYPE_FLOAT32, "<f4"),
        (">f4", pb.DATA_TYPE_FLOAT32, "<f4"),
        (np.float16, pb.DATA_TYPE_FLOAT32, "<f4"),
        (np.float64, pb.DATA_TYPE_FLOAT64, "<f8"),
        (np.int8, pb.DATA_TYPE_INT64, "<i8"),
        (np.int32, pb.DATA_TYPE_INT32, "<i4"),
        (np.int64, pb.DATA_TYPE_INT64, "<i8"),
        (bool, pb.DATA_TYPE_BOOL, "?"),
    ],
)
def test_arrays_travel_exactly(client: Sequela, script: Script, given: object, dtype: int, sent: str) -> None:
    """Any layout and byte order arrives as little-endian rows of the same numbers."""
    array = np.asfortranarray(SEQUENCE.astype(given))[::-1]  # type: ignore[call-overload]
    client.explain(array, model="m")
    tensor = script.calls[-1][1].sequence.inputs[0].tensor
    assert tensor.dtype == dtype
    np.testing.assert_array_equal(np.frombuffer(tensor.raw, sent).reshape(tensor.shape), array)


def test_unset_is_never_zero(client: Sequela, script: Script) -> None:
    """Options left out, or None, are not sent; zeros are."""
    client.explain(SEQUENCE, model="m", seed=None, pruning_tolerance=0, refine_history=False)
    options = script.calls[-1][1].options
    assert options.HasField("pruning_tolerance")
    assert options.HasField("refine_history")
    assert not options.HasField("seed")
    assert not options.HasField("cell_threshold")


def test_options_as_words(client: Sequela, script: Script) -> None:
    """Levels, scope and link are words; targets names or numbers."""
    client.explain(
        SEQUENCE,
        model="m",
        levels=["event"],
        targets=["fraud", 1],
        feature_scope="full_sequence",
        link="logit",
    )
    options = script.calls[-1][1].options
    assert list(options.levels) == [pb.LEVEL_EVENT]
    assert list(options.targets) == ["fraud", "1"]
    assert (options.feature_scope, options.link) == (pb.FEATURE_SCOPE_FULL_SEQUENCE, pb.LINK_LOGIT)


def test_a_stream_keeps_order_and_goes_on(client: Sequela) -> None:
    """One outcome for each sequence, in order; one that fails leaves the others alone."""
    outcomes = client.explain_many((np.ones((length, 1)) for length in (1, 2, 3)), model="m", timeout=5)
    assert isinstance(outcomes, Iterator)
    good, bad, last = outcomes
    assert good.unwrap().score == last.unwrap().score == 0.9
    with pytest.raises(Exception, match="even") as failed:
        bad.unwrap()
    assert failed.value is bad.error


def test_a_stream_sends_its_timeout_for_each(client: Sequela, script: Script) -> None:
    """`timeout` is each sequence's own."""
    list(client.explain_many([SEQUENCE[:3]], model="m", timeout=2.5))
    assert script.calls[-1][1].timeout.ToTimedelta().total_seconds() == 2.5


def test_an_abandoned_stream_ends(client: Sequela) -> None:
    """Leaving a stream in the middle leaves nothing behind: the client works on."""

    def endless() -> Iterator[np.ndarray]:
        while True:
            yield SEQUENCE[:3]

    stream = client.explain_many(endless(), model="m")
    assert next(stream).index == 0
    stream.close()  # type: ignore[attr-defined]
    assert client.explain(SEQUENCE, model="m").score == 0.9


def test_lists_page_by_themselves(client: Sequela, script: Script) -> None:
    """All items come, page after page, and pages only as they are needed."""
    found = client.list_explanations(caller_id="a", page_size=2)
    assert not script.calls
    assert next(found).name == "explanations/0"
    assert script.names == ["ListExplanations"]
    assert [item.name for item in found] == [f"explanations/{n}" for n in range(1, 5)]
    assert [request.page_token for _, request in script.calls] == ["", "2", "4"]
    assert {request.caller_id for _, request in script.calls} == {"a"}


def test_backgrounds_take_the_models_name(client: Sequela, script: Script, model_file: object) -> None:
    """A background of a file's model is named under it, once it is registered."""
    made = client.average_background("usual", [SEQUENCE, SEQUENCE], model=model_file, average="median")  # type: ignore[arg-type]
    digest = next(iter(script.models))
    assert (made.name, made.sequences) == (f"models/{digest}/backgrounds/usual", 2)
    header = script.calls[-1][1][0].header
    assert header.average == pb.AVERAGE_MEDIAN
    assert header.model.digest == digest


def test_asyncio_does_the_same(address: str, script: Script) -> None:
    """Explain, stream from an async iterable, and page, with asyncio."""

    async def sequences() -> AsyncIterator[np.ndarray]:
        for length in (1, 2, 3):
            yield np.ones((length, 1))

    async def use() -> tuple[Explanation, list[Outcome], list[str], list[Outcome]]:
        async with AsyncSequela(address) as sequela:
            one = await sequela.explain(SEQUENCE, model="m")
            many = [outcome async for outcome in sequela.explain_many(sequences(), model="m")]
            names = [item.name async for item in sequela.list_explanations(page_size=2)]
            listed = [outcome async for outcome in sequela.explain_many([SEQUENCE[:3]], model="m")]
            return one, many, names, listed

    one, many, names, listed = asyncio.run(use())
    assert one.score == 0.9
    assert [outcome.error is None for outcome in many] == [True, False, True]
    assert names == [f"explanations/{n}" for n in range(5)]
    assert listed[0].unwrap().length == 4


def test_both_clients_have_the_same_methods() -> None:
    """What one can do, the other can."""

    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(Sequela) == public(AsyncSequela)


def test_options_are_documented(client: Sequela) -> None:
    """Each option stands in the help of `explain`; a misspelt one is answered with the nearest."""
    told = Sequela.explain.__doc__ or ""
    assert [name for name in Options.__annotations__ if name not in told] == []
    with pytest.raises(TypeError, match="did you mean max_coalitions"):
        client.explain(SEQUENCE, model="m", max_coalition=3)  # type: ignore[call-arg]


def test_an_explanation_shows_itself_briefly(client: Sequela) -> None:
    """Its name, its scores, its pruning and levels, in three short lines."""
    lines = repr(client.explain(SEQUENCE, model="m")).splitlines()
    assert len(lines) == 3
    assert "explanations/e1" in lines[0]
    assert "fraud 0.1 -> 0.9" in lines[1]
    assert lines[2].strip() == "2 of 4 events pruned; levels: event sampled, feature sampled, cell sampled>"
