"""Questions by streams, uploads, the Python client, the command, and the two inference protocols."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from matrix import BY_NAME, Case
from regression.deployment import PATIENCE, Deployment
from regression.messages import (
    Question,
    explained,
    inference,
    inputs,
    posted,
    request,
    rows_of,
    seed_of,
    tensors,
    v1_body,
    v2_body,
)
from sequela_client import AsyncSequela, BackgroundValues
from sequela_proto.v1 import sequela_pb2 as pb

GRU = BY_NAME["gru"]
Ask = Callable[[Deployment], Any]
USUAL = "usual"
"""The name of a background that a question creates if it is not there."""
MODELS = ("gru", "multi_input", "classes", "lengths")
OIP: tuple[tuple[str, int, Sequence[str], Mapping[str, Any]], ...] = (
    ("gru", 3, (), {}),
    ("multi_input", 2, (), {}),
    ("classes", 2, (), {}),
    ("masked", 2, (), {}),
    ("gru", 4, ("score", "raw_score"), {}),
    ("gru", 2, ("event_attributions", "pruned_events"), {"max_coalitions": 512}),
    ("account", 2, ("feature_attributions", "base_value"), {"feature_scope": "full_sequence"}),
    ("gru", 1, ("explanation",), {"refine_history": True, "pruning_tolerance": 0.05}),
    ("classes", 1, (), {"targets": "output1,output0", "seed": 5}),
    ("per_event", 2, (), {"output_event": -2, "levels": "event"}),
    ("transformer", 1, (), {"estimator": "control_variate", "max_coalitions": 256}),
    ("gru", 2, ("score", "event_attributions"), {"minimum_score": 0.5}),
)


def questions() -> Iterator[Question]:
    """Yields all of them."""
    yield from _streams()
    yield from _scores()
    yield from _uploads()
    yield from _client()
    yield from _command()
    for place, (model, rows, outputs, parameters) in enumerate(OIP):
        yield _infer(place, model, rows, outputs, parameters)
    for place, (model, rows, outputs, parameters) in enumerate(OIP[:10]):
        yield _rest(place, model, rows, outputs, parameters)
    yield from _kserve()


def usual(deployment: Deployment, model: str) -> str:
    """Creates a background of a model, and returns its name."""
    case = BY_NAME[model]
    header = pb.CreateBackgroundHeader(
        name=f"models/{model}/backgrounds/{USUAL}", model=pb.ModelReference(name=model)
    )
    given = pb.BackgroundValues(inputs=inputs(case.average(2)))
    parts = [pb.CreateBackgroundRequest(header=header), pb.CreateBackgroundRequest(values=given)]
    deployment.backgrounds.CreateBackground(iter(parts))
    return USUAL


def _streams() -> Iterator[Question]:
    for model, options in (("gru", {}), ("classes", {"levels": [pb.LEVEL_EVENT]}), ("transformer", {})):
        yield Question(f"a stream of four, {model}", model, "grpc stream", _stream(BY_NAME[model], options))


def _stream(case: Case, options: Mapping[str, Any]) -> Ask:
    def ask(deployment: Deployment) -> Any:
        asked = [request(case, 6 + seed, 900 + seed, **options) for seed in range(4)]
        asked[2].sequence.inputs[0].name = "nobody"
        parts = (pb.ExplainStreamRequest(request=each) for each in asked)
        return list(deployment.explanations.ExplainStream(parts, timeout=PATIENCE))

    return ask


def _scores() -> Iterator[Question]:
    for model, more in (
        ("gru", {}),
        ("multi_input", {}),
        ("classes", {"targets": ["output2", "0"]}),
        ("per_event", {"output_event": -2}),
        ("lengths", {}),
        ("fixed_right", {}),
    ):
        yield Question(f"scores, {model}", model, "grpc score", _score(BY_NAME[model], more))


def _score(case: Case, more: Mapping[str, Any]) -> Ask:
    def ask(deployment: Deployment) -> Any:
        sequences = [pb.Sequence(inputs=inputs(case.sample(3 + seed % 6, seed))) for seed in range(40)]
        model = pb.ModelReference(name=case.name)
        asked = pb.ScoreRequest(model=model, sequences=sequences, **more)
        return deployment.explanations.Score(asked, timeout=PATIENCE)

    return ask


def _uploads() -> Iterator[Question]:
    for model in ("stacked_gru", "one_hot", "keras_ids"):
        yield Question(f"an upload, {model}", model, "grpc upload", _upload(BY_NAME[model]))
    for model in ("gru", "multi_input", "per_event_right"):
        yield Question(f"the description of {model}", model, "grpc describe", _describe(model))


def _upload(case: Case) -> Ask:
    def ask(deployment: Deployment) -> Any:
        content, schema = case.path.read_bytes(), case.path.with_name("schema.json")
        header = pb.RegisterModelHeader(
            name=f"up-{case.name}", schema_json=schema.read_bytes() if schema.exists() else b""
        )
        cut = len(content) // 2
        parts = [pb.RegisterModelRequest(header=header)]
        parts += [pb.RegisterModelRequest(onnx_chunk=each) for each in (content[:cut], content[cut:])]
        model = deployment.models.RegisterModel(iter(parts)).model
        asked = request(case, 8, 333)
        asked.model.CopyFrom(pb.ModelReference(digest=model.digest))
        return [model, explained(deployment, asked)]

    return ask


def _describe(model: str) -> Ask:
    return lambda deployment: deployment.models.GetModel(pb.GetModelRequest(name=f"models/{model}")).model


def _client() -> Iterator[Question]:
    for place, (model, length, options) in enumerate(
        (
            ("gru", 12, {}),
            ("multi_input", 10, {"levels": ["event", "feature"], "seed": 4}),
            ("classes", 10, {"targets": [1, "output0"]}),
            ("account", 10, {"top_k_events": 3, "top_k_features": 3}),
            ("gru", 40, {"refine_history": True, "full_pruning_curve": True, "pruning_tolerance": 0.05}),
            ("transformer", 12, {"estimator": "control_variate", "max_coalitions": 256}),
            ("gru", 12, {"link": "logit", "cell_threshold": 0.3}),
        )
    ):
        yield Question(f"client {place}: {model}", model, "python client", _of_client(model, length, options))
    yield Question("client: CSV", "gru", "python client", _csv)
    yield Question("client: a file", "conv", "python client, file", _file)
    yield Question("client: a matrix with its mean event", "gru", "python client", _mean_event)
    yield Question("client: an averaged background", "multi_input", "python client", _averaged)
    yield Question("client: many", "gru", "python client", _many)
    yield Question("client: awaited", "gru", "python client", _awaited)
    for model in ("gru", "multi_input"):
        yield Question(f"client: scores of {model}", model, "python client", _client_scores(model))


def _of_client(model: str, length: int, options: Mapping[str, Any]) -> Ask:
    def ask(deployment: Deployment) -> Any:
        case = BY_NAME[model]
        seed = seed_of(f"client {model} {length}{sorted(options)}")
        found = deployment.client.explain(
            case.sample(length, seed), model=model, background=case.average(seed), **options
        )
        return found.to_dict()

    return ask


def _csv(deployment: Deployment) -> Any:
    """Leaves out the columns with texts, and those that differ between two runs."""
    found = deployment.client.explain(GRU.sample(9, 5), model="gru", background=GRU.average(5)).to_csv()
    return [line.split(",")[2:9] + line.split(",")[10:13] for line in found.splitlines()]


def _file(deployment: Deployment) -> Any:
    case = BY_NAME["conv"]
    return deployment.client.explain(case.sample(9, 6), model=case.path, background=case.average(6)).to_dict()


def _mean_event(deployment: Deployment) -> Any:
    rows = np.random.default_rng(8).normal(size=(4, 5), scale=0.3).astype(np.float32)
    background = BackgroundValues(rows, rows.mean(axis=0))
    return deployment.client.explain(GRU.sample(9, 7), model="gru", background=background).to_dict()


def _averaged(deployment: Deployment) -> Any:
    case = BY_NAME["multi_input"]
    deployment.client.average_background(
        "averaged", [case.sample(6, seed) for seed in range(5)], model="multi_input", average="median"
    )
    held = deployment.client.get_background("models/multi_input/backgrounds/averaged")
    found = deployment.client.explain(case.sample(9, 8), model="multi_input", background="averaged")
    return [held, found.to_dict()]


def _many(deployment: Deployment) -> Any:
    sequences = [GRU.sample(5 + seed, 40 + seed) for seed in range(4)]
    outcomes = deployment.client.explain_many(sequences, model="gru", background=GRU.average(4))
    return [each.unwrap().to_dict() for each in outcomes]


def _awaited(deployment: Deployment) -> Any:
    async def ask() -> Any:
        async with AsyncSequela(deployment.address.grpc, timeout=PATIENCE) as sequela:
            found = await sequela.explain(GRU.sample(9, 9), model="gru", background=GRU.average(9))
            return found.to_dict()

    return asyncio.run(ask())


def _client_scores(model: str) -> Ask:
    def ask(deployment: Deployment) -> Any:
        found = deployment.client.score([BY_NAME[model].sample(7, seed) for seed in range(5)], model=model)
        return {"targets": found.targets, "values": found.values, "model_digest": found.model_digest}

    return ask


def _command() -> Iterator[Question]:
    numbered = count()
    for model, length, options in (
        ("gru", 10, []),
        ("transformer", 10, ["--level", "event", "--max-coalitions", "256", "--seed", "3"]),
        ("lstm", 14, ["--refine-history", "--pruning-tolerance", "0.05", "--estimator", "control_variate"]),
        ("metadata_names", 8, ["--top-k-events", "2"]),
    ):
        place = next(numbered)
        yield Question(f"command {place}: {model}", model, "command", _typed(place, model, length, options))


def _typed(place: int, model: str, length: int, options: list[str]) -> Ask:
    def ask(deployment: Deployment) -> Any:
        case, folder = BY_NAME[model], deployment.folder
        np.save(folder / f"sequence{place}.npy", case.sample(length, 50 + place)["events"])
        np.save(folder / f"background{place}.npy", case.average(50 + place)["events"][None])
        start = "import sys; from importlib.metadata import entry_points; "
        start += "sys.exit(next(iter(entry_points(group='console_scripts', name='sequela'))).load()())"
        command = [
            sys.executable,
            "-c",
            start,
            "explain",
            "--server",
            deployment.address.grpc,
            "--model",
            model,
        ]
        files = ["--sequence", f"sequence{place}.npy", "--background", f"background{place}.npy"]
        done = subprocess.run(
            [*command, *files, "--json", "-", *options],
            cwd=folder,
            capture_output=True,
            check=True,
            env=deployment.environment,
        )
        return json.loads(done.stdout)

    return ask


def _parameters(
    deployment: Deployment, model: str, outputs: Sequence[str], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Adds a background, unless only scores are wanted."""
    if set(outputs) and set(outputs) <= {"score", "raw_score"}:
        return dict(parameters)
    return {"background": usual(deployment, model), **parameters}


def _infer(
    place: int, model: str, rows: int, outputs: Sequence[str], parameters: Mapping[str, Any]
) -> Question:
    name = f"ModelInfer {place}: {model}, {rows} rows"

    def ask(deployment: Deployment) -> Any:
        given = rows_of(model, rows, 7, seed_of(name))
        asked = inference(model, given, outputs, **_parameters(deployment, model, outputs, parameters))
        return tensors(deployment.inference.ModelInfer(asked, timeout=PATIENCE))

    return Question(name, model, "open inference, grpc", ask)


def _rest(
    place: int, model: str, rows: int, outputs: Sequence[str], parameters: Mapping[str, Any]
) -> Question:
    name = f"REST infer {place}: {model}, {rows} rows"

    def ask(deployment: Deployment) -> Any:
        given = rows_of(model, rows, 7, seed_of(name))
        body = v2_body(given, outputs, **_parameters(deployment, model, outputs, parameters))
        return posted(deployment, f"/v2/models/{model}/infer", body)

    return Question(name, model, "open inference, rest", ask)


def _kserve() -> Iterator[Question]:
    for model in MODELS:
        yield Question(f":explain of {model}", model, "kserve v1", _v1(model, "explain", {}))
        yield Question(f":predict of {model}", model, "kserve v1", _v1(model, "predict", {}))
    more = {"levels": ["event"], "max_coalitions": 256, "seed": 9}
    yield Question(":explain with options", "transformer", "kserve v1", _v1("transformer", "explain", more))
    wrong = {"max_coalitions": 0}
    yield Question(":explain refused", "gru", "kserve v1", _v1("gru", "explain", wrong))


def _v1(model: str, verb: str, parameters: Mapping[str, Any]) -> Ask:
    def ask(deployment: Deployment) -> Any:
        rows = [BY_NAME[model].sample(5 + seed, 600 + seed) for seed in range(3)]
        background = {"background": usual(deployment, model)} if verb == "explain" else {}
        return posted(deployment, f"/v1/models/{model}:{verb}", v1_body(rows, **background, **parameters))

    return ask
