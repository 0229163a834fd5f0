"""Both clients against the real server, with real models; numbers against brute force over onnxruntime."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import player_sets
import pytest
import trustme
from brute_force import attributions
from free_ports import free_ports
from matrix import BY_NAME
from sequela_client import (
    AsyncSequela,
    BackgroundValues,
    CallerError,
    DeadlineExceeded,
    Explanation,
    ModelOrBackgroundError,
    NotFound,
    OperatorError,
    Sequela,
    Sequence,
    StopReason,
    TimeSpentWaiting,
)
from serving import Serving, embedded

EVENTS = 5
GRU = BY_NAME["gru"]
WIDTH = GRU.inputs[0].width


@pytest.fixture
def sequela(server: Serving) -> Iterator[Sequela]:
    """A client of the shared server."""
    with Sequela(server.bound.grpc) as client:
        yield client


def gru(**changed: Any) -> dict[str, Any]:
    """The arguments of a question about the GRU."""
    return {
        "sequence": GRU.sample(EVENTS)["events"],
        "model": GRU.path,
        "background": GRU.average()["events"],
        **changed,
    }


@pytest.mark.parametrize("name", ["multi_input", "one_hot"])
def test_a_model_says_which_columns_its_features_have(sequela: Sequela, name: str) -> None:
    """In the schema's order, with kinds and categories: who has columns by name can put them in place."""
    path = BY_NAME[name].path
    schema = json.loads(path.with_name("schema.json").read_text())
    found = sequela.register_model(path).features
    assert [feature.name for feature in found] == [item["name"] for item in schema["features"]]
    for feature, item in zip(found, schema["features"], strict=True):
        assert feature.columns == {key: tuple(columns) for key, columns in item["columns"].items()}
        assert feature.kind == item.get("kind", "numeric")
        assert feature.categories == tuple(item.get("categories", ()))


@pytest.mark.parametrize("name", ["gru", "multi_input", "targets64", "one_hot"])
def test_numbers_are_brute_forces(sequela: Sequela, name: str) -> None:
    """Without pruning, every event's and feature's value is the exact Shapley value, for every target."""
    case = BY_NAME[name]
    x, layout = case.sample(EVENTS), case.layout(EVENTS)
    options = {"targets": range(len(case.targets)), "pruning_tolerance": 0}
    told = sequela.explain(x, model=case.path, background=case.average(), **options)
    by_event = attributions(case.scorer(), x, case.background(EVENTS), player_sets.events(layout))
    by_feature = attributions(case.scorer(), x, case.background(EVENTS), player_sets.features(layout))
    assert [item.t for item in told.events] == [0, -1, -2, -3, -4]
    for item in told.events:
        np.testing.assert_allclose(item.values, by_event.of("event", item.t), atol=case.tolerance)
    assert set(told.features) == set(case.features)
    for feature, item in told.features.items():
        np.testing.assert_allclose(item.values, by_feature.of("feature", feature), atol=case.tolerance)
    np.testing.assert_allclose([t.score for t in told.targets], by_event.score, atol=case.tolerance)
    np.testing.assert_allclose([t.base_value for t in told.targets], by_event.base, atol=case.tolerance)
    assert {level.quality.stop_reason for level in told.levels.values()} <= {
        StopReason.EXACT,
        StopReason.TARGET,
    }
    if layout.static:
        assert told.static is not None
        np.testing.assert_allclose(told.static.values, by_event.of("static"), atol=case.tolerance)


def test_pruned_events_are_one_player(sequela: Sequela) -> None:
    """With a tolerance that everything meets, the older events are one block that adds up with the rest."""
    told = sequela.explain(**gru(pruning_tolerance=10.0))
    assert told.pruning.pruned_events == EVENTS - 1
    assert told.pruned is not None
    assert (told.pruned.first_t, told.pruned.last_t) == (1 - EVENTS, -1)
    total = told.pruned.value + sum(item.value for item in told.events)
    assert total == pytest.approx(told.score - told.base_value, abs=1e-6)


def test_asyncio_gets_the_same_answer(server: Serving, sequela: Sequela) -> None:
    """The asyncio client's numbers are the blocking one's, bit for bit."""

    async def explain() -> Explanation:
        async with AsyncSequela(server.bound.grpc) as client:
            return await client.explain(**gru())

    told, same = asyncio.run(explain()), sequela.explain(**gru())
    assert [level.attributions for level in told.levels.values()] == [
        level.attributions for level in same.levels.values()
    ]


def test_scores_are_the_models_own(server: Serving, sequela: Sequela) -> None:
    """One sequence or several give the model's raw scores, with either client."""
    case = BY_NAME["targets64"]
    several = [case.sample(EVENTS, seed)["events"] for seed in range(3)]
    wanted = np.concatenate([case.scorer()({"events": each[None]}) for each in several])
    scores = sequela.score(several, model=case.path)
    np.testing.assert_allclose(scores.values, wanted, atol=1e-12)
    assert scores.targets == ("output0", "output1", "output2")  # no schema names them
    np.testing.assert_allclose(sequela.score(several[1], model=case.path).values, wanted[1:2], atol=1e-12)
    np.testing.assert_allclose(sequela.score(np.stack(several), model=case.path).values, wanted, atol=1e-12)

    async def score() -> np.ndarray:
        async with AsyncSequela(server.bound.grpc) as client:
            return (await client.score(several, model=case.path, targets=[1])).values

    np.testing.assert_allclose(asyncio.run(score()), wanted[:, 1:2], atol=1e-12)


def test_a_stream_explains_in_order(sequela: Sequela) -> None:
    """Answers come in the order of the sequences; a bad one fails alone, naming its field."""
    sequences = [GRU.sample(EVENTS, seed)["events"] for seed in range(4)]
    sequences[2] = np.full_like(sequences[2], np.nan)
    outcomes = list(sequela.explain_many(sequences, **{k: v for k, v in gru().items() if k != "sequence"}))
    assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3]
    assert isinstance(outcomes[2].error, CallerError)
    assert outcomes[2].error.violations[0].field == "sequence"
    for index in (0, 1, 3):
        alone = sequela.explain(**gru(sequence=sequences[index]))
        assert outcomes[index].unwrap().score == alone.score


def test_explanations_are_kept(sequela: Sequela) -> None:
    """An explanation is found again by its name, its alert and its labels, exactly as it was made."""
    sequence = Sequence(gru()["sequence"], id="kept-1", labels={"suite": "client"})
    told = sequela.explain(**gru(sequence=sequence))
    assert sequela.get_explanation(told.name) == told
    assert [item.name for item in sequela.list_explanations(caller_id="kept-1", page_size=1)] == [told.name]
    assert [item.length for item in sequela.list_explanations(labels={"suite": "client"})] == [EVENTS]
    assert list(sequela.list_explanations(caller_id="kept-1", end=told.create_time)) == []
    with pytest.raises(NotFound):
        sequela.get_explanation("explanations/nothing")


def test_models_live_and_die(sequela: Sequela) -> None:
    """A registered model is described, listed, explained by its name, and deleted."""
    made = sequela.register_model(BY_NAME["one_hot"].path, name="client-test")
    assert made.name == "models/client-test/versions/1"
    assert made.state == "ready"
    assert [feature.name for feature in made.features] == list(BY_NAME["one_hot"].features)
    assert sequela.get_model("client-test") == made
    assert made in list(sequela.models(page_size=1))
    told = sequela.explain(BY_NAME["one_hot"].sample(EVENTS), model="client-test")
    assert told.model == made.name
    sequela.delete_model(made.name)
    with pytest.raises(NotFound, match="client-test"):
        sequela.get_model("client-test")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("gru", "from states: GRU "),
        ("bidirectional_lstm", "whole graph: LSTM '/layer/LSTM' runs in both directions; "),
        ("conv", "whole graph: it has no recurrent nodes; "),
    ],
)
def test_a_model_says_how_it_is_run(sequela: Sequela, name: str, how: str) -> None:
    """From states, or whole and why; then what it is run by."""
    made = sequela.register_model(BY_NAME[name].path, name="client-run")
    found = sequela.get_model(made.name)
    sequela.delete_model(made.name)
    assert found.execution.startswith(how)
    assert "onnxruntime" in found.execution


def test_backgrounds_live_and_die(server: Serving, sequela: Sequela) -> None:
    """A background is averaged from sequences, found with its values, used by name, and deleted."""
    sequences = [GRU.sample(length, length)["events"] for length in (2, 5)]
    made = sequela.average_background("client-usual", sequences, model=GRU.path)
    assert (made.sequences, made.averaged_events) == (2, 7)
    mean = np.concatenate(sequences).mean(axis=0)
    found = sequela.get_background(made.name)
    np.testing.assert_allclose(found.values["events"].reshape(-1), mean, atol=1e-6)
    by_name = sequela.explain(**gru(background="client-usual"))
    assert by_name.background == made.name
    assert by_name.base_value == pytest.approx(sequela.explain(**gru(background=mean)).base_value, abs=1e-6)
    assert made.name in [item.name for item in sequela.backgrounds()]
    model = made.name.split("/")[1]
    for name in (model, f"models/{model}"):
        assert [item.name for item in sequela.backgrounds(model=name)] == [made.name]
    assert list(sequela.backgrounds(model="another")) == []
    with pytest.raises(CallerError, match="backgrounds belong to all versions of a model"):
        list(sequela.backgrounds(model=f"{model}/1"))
    sequela.delete_background(made.name)
    with pytest.raises(NotFound):
        sequela.get_background(made.name)

    async def average() -> int:
        async with AsyncSequela(server.bound.grpc) as client:
            again = await client.average_background(
                "client-usual", sequences, model=GRU.path, average="median"
            )
            await client.delete_background(again.name)
            return again.sequences

    assert asyncio.run(average()) == 2


def test_a_matrix_keeps_its_mean_event(sequela: Sequela) -> None:
    """Events older than a background's matrix are the mean event that came with it."""
    rows, mean = np.zeros((2, WIDTH), np.float32), np.ones(WIDTH, np.float32)
    made = sequela.create_background("client-matrix", BackgroundValues(rows, mean), model=GRU.path)
    assert made.rows == 2
    found = sequela.get_background(made.name)
    np.testing.assert_array_equal(found.values["events"], rows)
    np.testing.assert_array_equal(found.mean_event["events"], mean)
    padded = np.concatenate([np.ones((EVENTS - 2, WIDTH), np.float32), rows])
    base = GRU.scorer()({"events": padded[None]})[0, 0]
    assert sequela.explain(**gru(background="client-matrix")).base_value == pytest.approx(base, abs=1e-6)
    sequela.delete_background(made.name)


def test_a_forgetful_server_is_told_again() -> None:
    """A client that outlives its server goes on: model and background are sent anew."""
    # A port that nobody else is given meanwhile.
    (port,) = free_ports(1)
    with Serving(embedded(port=port)) as first, Sequela(first.bound.grpc) as client:
        before = client.explain(**gru())
        first.drain()
        with Serving(embedded(port=port)):
            assert client.explain(**gru()).events == before.events


def test_uploads_switched_off(server: Serving) -> None:
    """Where the operator takes no models, the operator must act; names still work."""
    with Serving(embedded(uploads=False)) as strict, Sequela(strict.bound.grpc) as client:
        with pytest.raises(OperatorError) as refused:
            client.explain(**gru())
        assert refused.value.reason == "UPLOADS_DISABLED"


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"sequence": np.ones((3, WIDTH + 1))}, CallerError, "sequence: "),
        ({"sequence": np.full((3, WIDTH), np.inf)}, CallerError, "sequence: "),
        ({"background": np.ones(3)}, CallerError, "background: "),
        ({"pruning_tolerance": -1.0}, CallerError, "pruning_tolerance: "),
        ({"cell_threshold": 0.1, "top_k_events": 2}, CallerError, "cell_threshold: "),
        ({"targets": ["nobody"]}, CallerError, "targets[0]: "),
        ({"background": None}, ModelOrBackgroundError, "background"),
        ({"background": "nobody"}, NotFound, "nobody"),
        ({"model": "nobody"}, NotFound, "nobody"),
        ({"model": "grpc://127.0.0.1:1/m"}, OperatorError, "list of endpoints"),
        (
            {
                "link": "logit",
                "model": BY_NAME["regression"].path,
                "sequence": BY_NAME["regression"].sample(EVENTS),
                "background": BY_NAME["regression"].average(),
            },
            ModelOrBackgroundError,
            "",
        ),
    ],
)
def test_who_must_act(sequela: Sequela, changed: dict[str, Any], kind: type[Exception], said: str) -> None:
    """Each mistake comes back as the class that says who must act, naming the field or the name at fault."""
    with pytest.raises(kind) as failed:
        sequela.explain(**gru(**changed))
    assert type(failed.value) is kind
    assert said in str(failed.value)


def test_a_deadline_that_nobody_can_keep(sequela: Sequela) -> None:
    """The error is that of a deadline, whether the client or the server notices first; the server says it waited."""
    with pytest.raises(DeadlineExceeded) as failed:
        sequela.explain(**gru(timeout=1e-6, seed=987))  # not answered before
    assert type(failed.value) in {DeadlineExceeded, TimeSpentWaiting}


def test_tls(tmp_path: Path) -> None:
    """With the authority's certificate both clients get through; with the system's roots nobody does."""
    authority = trustme.CA()
    own = authority.issue_cert("localhost", "127.0.0.1")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    settings = embedded(tls_certificate=tmp_path / "certificate.pem", tls_key=tmp_path / "key.pem")
    with Serving(settings) as server:

        async def score() -> float:
            async with AsyncSequela(server.bound.grpc, credentials=trusted) as client:
                return (await client.explain(**gru())).score

        with Sequela(server.bound.grpc, credentials=trusted) as client:
            assert client.explain(**gru()).score == asyncio.run(score())
        with Sequela(server.bound.grpc, secure=True) as client, pytest.raises(CallerError) as error:
            client.explain(**gru())
        assert error.value.reason == "CERTIFICATE_NOT_TRUSTED"


def test_a_bad_schema_names_its_fault(sequela: Sequela, tmp_path: Path) -> None:
    """A schema.json beside a model that does not fit it is refused on the way in."""
    shutil.copy(GRU.path, tmp_path / "model.onnx")
    schema = {
        "inputs": [{"name": "nobody", "role": "events", "width": 1}],
        "features": [{"name": "f", "columns": {"nobody": [0]}}],
        "targets": [{"name": "score"}],
    }
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(CallerError, match="nobody"):
        sequela.explain(**gru(model=tmp_path / "model.onnx"))
