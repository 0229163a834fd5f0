"""Models behind real servers are explained as their ONNX files are, whichever protocol is spoken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matrix import BY_NAME
from real_servers import DEMO, MODELS, RealServer
from sequela.adapters.model_io.schema_json import write_schema
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.explain.schema import ModelSchema
from sequela_client import CallerError, Endpoint, Explanation, Sequela
from serving import Serving, embedded
from waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(600)]

NEAR = 1e-5
PROTOCOLS = {
    "triton": {"grpc": "grpc://{grpc}/{model}", "v2": "{http}/v2/models/{model}"},
    "kserve": {
        "grpc": "grpc://{grpc}/{model}",
        "v2": "{http}/v2/models/{model}",
        "v1": "{http}/v1/models/{model}",
    },
    "mlserver": {"grpc": "grpc://{grpc}/{model}", "v2": "{http}/v2/models/{model}"},
}


class ExplainedThroughServer:
    """Sequela before a real server: every model there by every protocol, named `model-protocol`, and as a file, named
    `model`; all with the schema of the file.
    """

    def __init__(self, server: RealServer, root: Path) -> None:
        self.protocols = tuple(PROTOCOLS[server.name])
        for model, path in MODELS.items():
            schema = write_schema(_schema(path))
            _put(root / model, "model.onnx", path.read_bytes(), schema)
            for protocol, form in PROTOCOLS[server.name].items():
                uri = form.format(grpc=server.grpc, http=server.http, model=model)
                said = f'uri = "{uri}"\nrevision = "1"\n'.encode()
                _put(root / f"{model}-{protocol}", "endpoint.toml", said, schema)
        self._serving = Serving(embedded(model_repository=root))

    def __enter__(self) -> ExplainedThroughServer:
        self._serving.__enter__()
        self.sequela = Sequela(self._serving.bound.grpc).__enter__()
        for model in MODELS:
            for protocol in self.protocols:
                eventually(lambda name=f"{model}-{protocol}": self.sequela.get_model(name).state == "ready")
        return self

    def __exit__(self, *error: Any) -> None:
        self.sequela.close()
        self._serving.__exit__(*error)

    def both(self, model: str, protocol: str, **options: Any) -> tuple[Explanation, Explanation]:
        """The explanations of one sequence, through the server and by the file."""
        sequence, background = _drawn(model)
        served, own = (
            self.sequela.explain(
                sequence,
                model=name,
                background=background,
                max_coalitions=1024,
                estimator="regression",
                **options,
            )
            for name in (f"{model}-{protocol}", model)
        )
        return served, own


@pytest.fixture(scope="module")
def explained(
    real_server: RealServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ExplainedThroughServer]:
    with ExplainedThroughServer(real_server, tmp_path_factory.mktemp("models")) as explained:
        yield explained


@pytest.mark.parametrize("model", MODELS)
def test_attributions_are_the_files(explained: ExplainedThroughServer, model: str) -> None:
    """By every protocol that the server speaks: the same cut, players and stop; scores and all attributions within
    1e-5; rows of the endpoint are counted.
    """
    for protocol in explained.protocols:
        served, own = explained.both(model, protocol)
        assert_same(served, own)
        assert served.cost.endpoint_rows > 0
        assert served.cost.endpoint_calls > 0
        assert own.cost.endpoint_rows == 0


def assert_same(served: Explanation, own: Explanation) -> None:
    """But for the rows that it took."""
    assert served.pruning.pruned_events == own.pruning.pruned_events
    assert served.score == pytest.approx(own.score, abs=NEAR)
    assert served.base_value == pytest.approx(own.base_value, abs=NEAR)
    for name, level in own.levels.items():
        other = served.levels[name]
        assert [(a.kind, a.t, a.feature) for a in other.attributions] == [
            (a.kind, a.t, a.feature) for a in level.attributions
        ]
        assert other.quality.coalitions == level.quality.coalitions
        np.testing.assert_allclose(
            [a.values for a in other.attributions], [a.values for a in level.attributions], atol=NEAR
        )


def test_an_answer_is_reused_where_the_endpoint_is_pinned(explained: ExplainedThroughServer) -> None:
    """A revision pins what is served: the second question sends no row."""
    first, _ = explained.both("transformer", "grpc", seed=3)
    again, _ = explained.both("transformer", "grpc", seed=3)
    assert (again.name, again.cost.cached, again.cost.endpoint_rows) == (first.name, True, 0)


def test_what_if_scores_come_from_the_server(explained: ExplainedThroughServer) -> None:
    """Sequences of several lengths, one of them twice: each different one is sent once."""
    sequences = [_drawn("multi_input", length, seed)[0] for length, seed in ((5, 0), (9, 1), (5, 2), (5, 0))]
    served = explained.sequela.score(sequences, model="multi_input-grpc")
    own = explained.sequela.score(sequences, model="multi_input")
    np.testing.assert_allclose(served.values, own.values, atol=NEAR)
    assert (served.cost.endpoint_rows, served.cost.endpoint_calls) == (3, 2)


def test_a_schema_that_names_another_tensor_is_refused(real_server: RealServer, tmp_path: Path) -> None:
    """A wrong name is a clear error before any row is sent, not a wrong number."""
    schema = tmp_path / "schema.json"
    schema.write_text('{"inputs": [{"name": "nobody", "role": "events", "width": 6}]}')
    uri = PROTOCOLS[real_server.name]["grpc"].format(grpc=real_server.grpc, model="transformer")
    allowed = embedded(endpoint_allow="grpc://127.0.0.1:*/*", endpoint_networks="127.0.0.0/8")
    with (
        Serving(allowed) as serving,
        Sequela(serving.bound.grpc) as sequela,
        pytest.raises(CallerError, match="'nobody': is not an input of the model"),
    ):
        sequela.score(_drawn("transformer")[0], model=Endpoint(uri, schema=schema))


def _schema(path: Path) -> ModelSchema:
    """The schema as the file's own loading completes it, with the ranks that KServe's version 1 does not tell."""
    beside = path.with_name("schema.json")
    text = beside.read_bytes() if beside.exists() else b""
    model = Loader().load("models/m/versions/1", ModelBytes(path.read_bytes(), text, "onnx", "schema"))
    ranks = {seen.name: seen.rank for seen in model.feeder.signature.inputs}
    inputs = tuple(replace(item, rank=ranks[item.name]) for item in model.info.schema.inputs)
    return replace(model.info.schema, inputs=inputs)


def _put(folder: Path, name: str, content: bytes, schema: bytes) -> None:
    version = folder / "1"
    version.mkdir(parents=True)
    (version / name).write_bytes(content)
    (version / "schema.json").write_bytes(schema)


def _drawn(model: str, length: int = 12, seed: int = 0) -> tuple[Any, Any]:
    """A sequence and a background for it."""
    if model in BY_NAME:
        case = BY_NAME[model]
        return case.sample(length, seed), case.average()
    alert = json.loads((DEMO.parents[3] / "alerts" / "takeover-47.json").read_text())
    return {name: np.array(values) for name, values in alert["inputs"].items()}, None
