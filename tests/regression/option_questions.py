"""Questions with options, backgrounds, forms of tensors, and mistakes, all by `sequela.v1`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from matrix import BY_NAME
from regression.deployment import Deployment
from regression.messages import (
    Question,
    explained,
    inputs,
    request,
    seed_of,
    tensor,
    values,
)
from sequela_proto.v1 import sequela_pb2 as pb

E, F = pb.LEVEL_EVENT, pb.LEVEL_FEATURE
SAMPLED = {"pruning_tolerance": 0.0, "target_standard_error": 0.0, "max_coalitions": 512}
Change = Callable[[pb.ExplainRequest], None]

OPTIONS: tuple[tuple[str, int, Mapping[str, Any]], ...] = (
    ("gru", 20, {"levels": [E]}),
    ("gru", 20, {"levels": [F]}),
    ("transformer", 16, {"levels": [E, F]}),
    ("gru", 60, {"refine_history": True, "pruning_tolerance": 0.05}),
    ("stacked_lstm", 40, {"refine_history": True, "pruning_tolerance": 0.02, "seed": 3}),
    ("transformer", 24, {"refine_history": True, "pruning_tolerance": 0.05, "max_coalitions": 1024}),
    ("gru", 60, {"full_pruning_curve": True}),
    ("conv", 30, {"full_pruning_curve": True, "levels": [E]}),
    ("lstm", 25, {"pruning_tolerance": 0.0, "max_coalitions": 2048}),
    ("lstm", 25, {"pruning_tolerance": 0.5}),
    ("rnn", 30, {"pruning_tolerance": 0.1, "seed": 7}),
    ("classes", 12, {"targets": ["output2", "output0"]}),
    ("classes", 12, {"targets": ["1"], "levels": [E]}),
    ("targets64", 12, {"targets": ["output1", "output2"], **SAMPLED}),
    ("gru", 18, {"link": pb.LINK_LOGIT}),
    ("classes", 10, {"link": pb.LINK_LOGIT, "levels": [E, F]}),
    ("transformer", 15, {"link": pb.LINK_LOGIT, **SAMPLED}),
    ("regression", 18, {"link": pb.LINK_IDENTITY, "pruning_tolerance": 1.0}),
    ("per_event", 12, {"output_event": -3}),
    ("per_event_flat", 12, {"output_event": -1, "levels": [E]}),
    ("per_event_right", 6, {"output_event": -2, "targets": ["second"]}),
    ("gru", 12, {"minimum_score": 0.999999}),
    ("gru", 12, {"minimum_score": 0.0}),
    ("gru", 24, {"estimator": pb.ESTIMATOR_CONTROL_VARIATE, **SAMPLED}),
    ("transformer", 18, {"estimator": pb.ESTIMATOR_CONTROL_VARIATE, **SAMPLED}),
    ("multi_input", 16, {"estimator": pb.ESTIMATOR_CONTROL_VARIATE, **SAMPLED, "levels": [E, F]}),
    ("gru", 24, {"estimator": pb.ESTIMATOR_REGRESSION, **SAMPLED}),
    ("stacked_gru", 30, {"estimator": pb.ESTIMATOR_REGRESSION, **SAMPLED, "seed": 11}),
    ("gru", 20, {"top_k_events": 3, "top_k_features": 2}),
    ("multi_input", 14, {"top_k_events": 2}),
    ("account", 14, {"top_k_features": 4}),
    ("gru", 16, {"cell_threshold": 0.0}),
    ("one_hot", 16, {"cell_threshold": 0.02}),
    ("lstm", 16, {"cell_threshold": 10.0}),
    ("gru", 30, {"feature_scope": pb.FEATURE_SCOPE_FULL_SEQUENCE}),
    ("account", 20, {"feature_scope": pb.FEATURE_SCOPE_FULL_SEQUENCE, "levels": [F]}),
    ("multi_input", 18, {"feature_scope": pb.FEATURE_SCOPE_UNPRUNED, "pruning_tolerance": 0.1}),
    ("bidirectional_lstm", 20, {"max_coalitions": 256}),
    ("stacked_lstm", 40, {"max_coalitions": 4096, "pruning_tolerance": 0.0}),
    ("gru", 30, {"max_coalitions": 8, "pruning_tolerance": 0.0}),
    ("linear64", 40, {"target_standard_error": 0.05, "pruning_tolerance": 0.0}),
    ("conv", 20, {"target_standard_error": 0.001, "pruning_tolerance": 0.0, "max_coalitions": 4096}),
    ("static64", 30, {"seed": 2**63, **SAMPLED}),
)


def questions() -> Iterator[Question]:
    """Yields all of them."""
    for place, (model, length, options) in enumerate(OPTIONS):
        yield _with_options(place, model, length, options)
    for name, model, length, change in CHANGES:
        yield _changed(name, model, length, change)
    yield Question("a named background of values", "gru", "grpc", _named)
    yield Question("a background by its digest", "gru", "grpc", _by_digest)
    for average in (pb.AVERAGE_MEAN, pb.AVERAGE_MEDIAN):
        for shape in (pb.BACKGROUND_SHAPE_EVENT, pb.BACKGROUND_SHAPE_SEQUENCE):
            yield _averaged(average, shape)


def _with_options(place: int, model: str, length: int, options: Mapping[str, Any]) -> Question:
    name = f"options {place}: {model}, {length} events, {', '.join(options)}"
    case = BY_NAME[model]
    return Question(
        name,
        model,
        "grpc",
        lambda deployment: explained(deployment, request(case, length, seed_of(name), **options)),
    )


def _changed(name: str, model: str, length: int, change: Change) -> Question:
    def ask(deployment: Deployment) -> Any:
        asked = request(BY_NAME[model], length, seed_of(name))
        change(asked)
        return explained(deployment, asked)

    return Question(name, model, "grpc", ask)


def _matrix(rows: int, mean_event: bool) -> Change:
    """Sends a background of several rows."""

    def change(asked: pb.ExplainRequest) -> None:
        drawn = np.random.default_rng(rows).normal(size=(rows, 5), scale=0.3).astype(np.float32)
        asked.background.CopyFrom(values({"events": drawn}))
        if mean_event:
            asked.background.values.mean_event.extend(inputs({"events": drawn.mean(axis=0)}))

    return change


def _plain_numbers(asked: pb.ExplainRequest) -> None:
    for item in asked.sequence.inputs:
        held = np.frombuffer(item.tensor.raw, "<f4").astype(float)
        item.tensor.CopyFrom(pb.Tensor(shape=item.tensor.shape, numbers=held))


def _integers(asked: pb.ExplainRequest) -> None:
    asked.sequence.inputs[0].tensor.CopyFrom(
        pb.Tensor(shape=(9, 5), integers=np.random.default_rng(5).integers(-2, 3, size=45))
    )


def _columns(asked: pb.ExplainRequest) -> None:
    """Names the columns in another order, with one that the model does not take."""
    drawn = np.random.default_rng(6).normal(size=(9, 5)).astype(np.float32)
    item = asked.sequence.inputs[0]
    item.tensor.CopyFrom(tensor(drawn))
    item.columns.extend(("distance", "age", "unknown", "amount", "hour"))


def _notes(asked: pb.ExplainRequest) -> None:
    """Adds ids, times and displayed values of events, a caller id and labels."""
    for place in range(12):
        time = Timestamp(seconds=1_700_000_000 + 3600 * place)
        asked.sequence.events.add(id=f"event {place}", time=time, display={"f0": f"{place}.00 EUR"})
    asked.caller_id = "alert 7"
    asked.labels.update({"team": "fraud", "outcome": "open"})


def _padding(name: str, real: Any) -> Change:
    """Sends a mask or a length by which the last rows are padding."""

    def change(asked: pb.ExplainRequest) -> None:
        asked.sequence.inputs.extend(inputs({name: real}))

    return change


def _pad_rows(asked: pb.ExplainRequest) -> None:
    """Sends zeros as the first rows, which are padding by the schema."""
    item = asked.sequence.inputs[0]
    held = np.frombuffer(item.tensor.raw, "<f4").reshape(8, 4).copy()
    held[:3] = 0
    item.tensor.CopyFrom(tensor(held))


def _set(**fields: Any) -> Change:
    return lambda asked: asked.options.MergeFrom(pb.ExplainOptions(**fields))


def _clear(field: str) -> Change:
    return lambda asked: asked.ClearField(field)


def _nan(asked: pb.ExplainRequest) -> None:
    asked.sequence.inputs[0].tensor.CopyFrom(tensor(np.full((9, 5), np.nan, np.float32)))


def _name(name: str) -> Change:
    return lambda asked: asked.model.CopyFrom(pb.ModelReference(name=name))


def _inline(asked: pb.ExplainRequest) -> None:
    content = BY_NAME["conv"].path.read_bytes()
    asked.model.CopyFrom(pb.ModelReference(inline=pb.InlineModel(onnx=content)))


def _default_background(asked: pb.ExplainRequest) -> None:
    """Sends the model with a schema that has a background."""
    content = BY_NAME["gru"].path.read_bytes()
    schema = b'{"background": {"events": [0.1, -0.2, 0.3, 0, 0.5]}}'
    asked.model.CopyFrom(pb.ModelReference(inline=pb.InlineModel(onnx=content, schema_json=schema)))
    asked.ClearField("background")


MASK, LENGTH = np.array([1.0] * 8 + [0.0] * 3, np.float32), np.array([8])
CHANGES: tuple[tuple[str, str, int, Change], ...] = (
    ("background: the model's own", "gru", 9, _default_background),
    ("refused: no background", "gru", 9, _clear("background")),
    ("background: the arrays of several inputs", "account", 9, lambda asked: None),
    ("background: a matrix", "gru", 14, _matrix(6, False)),
    ("background: a matrix and its mean event", "gru", 14, _matrix(6, True)),
    ("background: a matrix as long as the sequence", "transformer", 9, _matrix(9, False)),
    ("tensors: plain numbers", "gru", 9, _plain_numbers),
    ("tensors: integers", "gru", 9, _integers),
    ("tensors: columns by name", "metadata_names", 9, _columns),
    ("notes of events, labels, a caller id", "gru", 12, _notes),
    ("a mask that leaves rows out", "masked", 11, _padding("mask", MASK)),
    ("a length that leaves rows out", "lengths", 11, _padding("length", LENGTH)),
    ("rows that hold the pad value", "fixed_left", 8, _pad_rows),
    ("an inline model", "transformer", 10, _inline),
    ("one event", "gru", 1, lambda asked: None),
    ("300 events", "gru", 300, lambda asked: None),
    ("refused: a tensor of NaN", "gru", 9, _nan),
    ("refused: no sequence", "gru", 9, _clear("sequence")),
    ("refused: an unknown model", "gru", 9, _name("nobody")),
    ("refused: another model's inputs", "gru", 9, _name("multi_input")),
    ("refused: a threshold beside a top k", "gru", 9, _set(cell_threshold=0.1, top_k_events=2)),
    ("refused: an unknown target", "classes", 9, _set(targets=["nobody"])),
    ("refused: logit of an unbounded output", "regression", 9, _set(link=pb.LINK_LOGIT)),
)


def _create(deployment: Deployment, header: pb.CreateBackgroundHeader, *parts: Any) -> pb.Background:
    asked = [pb.CreateBackgroundRequest(header=header), *parts]
    return deployment.backgrounds.CreateBackground(iter(asked)).background


def _header(name: str, **more: Any) -> pb.CreateBackgroundHeader:
    return pb.CreateBackgroundHeader(name=name, model=pb.ModelReference(name="gru"), **more)


def _stored(deployment: Deployment, name: str) -> pb.Background:
    given = pb.BackgroundValues(inputs=inputs(BY_NAME["gru"].average(seed_of(name))))
    header = _header(f"models/gru/backgrounds/{name}")
    return _create(deployment, header, pb.CreateBackgroundRequest(values=given))


def _named(deployment: Deployment) -> Any:
    created = _stored(deployment, "named")
    reference = pb.BackgroundReference(name=created.name)
    return [created, explained(deployment, request(BY_NAME["gru"], 10, 71, reference))]


def _by_digest(deployment: Deployment) -> Any:
    created = _stored(deployment, "digested")
    reference = pb.BackgroundReference(digest=created.digest)
    return [created, explained(deployment, request(BY_NAME["gru"], 10, 72, reference))]


def _averaged(average: int, shape: int) -> Question:
    words = f"{pb.Average.Name(average)}-{pb.BackgroundShape.Name(shape)}".lower()

    def ask(deployment: Deployment) -> Any:
        case = BY_NAME["gru"]
        parts = [
            pb.CreateBackgroundRequest(sequence=pb.Sequence(inputs=inputs(case.sample(5 + seed, seed))))
            for seed in range(6)
        ]
        header = _header(f"models/gru/backgrounds/{words}", average=average, shape=shape)
        created = _create(deployment, header, *parts)
        held = deployment.backgrounds.GetBackground(pb.GetBackgroundRequest(name=created.name)).background
        reference = pb.BackgroundReference(name=created.name)
        return [held, explained(deployment, request(case, 10, seed_of(words), reference))]

    return Question(f"an averaged background, {words}", "gru", "grpc", ask)
