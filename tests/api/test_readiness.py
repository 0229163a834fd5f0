"""/readyz says which model keeps the server from being ready and why, and what lies in the repository in vain."""

from __future__ import annotations

from pathlib import Path

import httpx
import structlog
from adapters.repository.replicas import SlowLoader, put
from grpc_health.v1 import health_pb2, health_pb2_grpc
from matrix import BY_NAME
from sequela.adapters.endpoints.registry import EndpointRegistry, EndpointRules
from sequela.adapters.repository.operator_models import OperatorModels
from sequela.api.readiness import Readiness
from sequela.explain.ports import ModelRecord, Observers
from sequela_client import Sequela
from serving import Serving, embedded
from waiting import PATIENCE, eventually

GRU = BY_NAME["gru"].path.read_bytes()


def readyz(server: Serving) -> httpx.Response:
    return httpx.get(f"http://{server.bound.http}/readyz", timeout=PATIENCE, verify=False)


def test_a_model_that_failed_is_named(tmp_path: Path) -> None:
    """With its reason and what to do, and not as loading; others load all the same. gRPC health is NOT_SERVING."""
    put(tmp_path, "bad", "1", b"no model")
    put(tmp_path, "good", "1", GRU)
    put(tmp_path, "good", "latest", b"")
    with (
        structlog.testing.capture_logs() as logged,
        Serving(embedded(model_repository=tmp_path), wait=False) as server,
        Sequela(server.bound.grpc) as client,
    ):
        server.wired.configured.wait()
        found = readyz(server)
        health = health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert client.score(BY_NAME["gru"].sample(3), model="good").values.shape == (1, 1)
    assert found.status_code == 503
    first, model, note = found.text.splitlines()
    assert first == (
        "models failed to load: fix or remove their folders (then restart, if --repository-interval is 0), or set "
        "--no-require-all-models"
    )
    assert model.startswith(
        "models/bad/versions/1 FAILED: bad/1/model.onnx: its 8 bytes are not an ONNX model"
    )
    assert note.startswith(
        "note: model repository: good/latest/ is ignored: a version folder must be a whole number"
    )
    (warned,) = [each["detail"] for each in logged if each["event"] == "file in model repository ignored"]
    assert note == f"note: model repository: {warned}"


def test_a_repository_without_models_is_named(tmp_path: Path) -> None:
    """An empty folder may be a volume that is not mounted: not ready, until there is a model."""
    settings = embedded(model_repository=tmp_path, repository_interval=0.05)
    with Serving(settings, wait=False) as server:
        found = readyz(server)
        assert found.status_code == 503
        assert found.text.startswith("the model repository has no model: check whether its volume is mounted")
        put(tmp_path, "gru", "1", GRU)
        eventually(lambda: readyz(server).status_code == 200, PATIENCE)
    (tmp_path / "empty").mkdir()
    with Serving(embedded(model_repository=tmp_path / "empty", require_all_models=False)) as server:
        assert readyz(server).text.startswith("ok\nnote: model repository: it contains no folders")
    with Serving(embedded()) as server:  # callers bring their models
        assert readyz(server).text == "ok\n"


def test_what_is_loading_is_named(tmp_path: Path) -> None:
    """As LOADING, until it is there."""
    put(tmp_path, "gru", "1", GRU)
    loader = SlowLoader()
    board = EndpointRegistry(EndpointRules(), loader.limits, Observers([]))
    configured = OperatorModels.in_folder(tmp_path, loader, board)
    readiness = Readiness((), configured)
    configured.start()
    found = readiness.report()
    assert (found.ready, found.text) == (False, "loading models\nmodels/gru/versions/1 LOADING\n")
    loader.go.set()
    configured.wait()
    found = readiness.report()
    assert (found.ready, found.text) == (True, "ok\n")


def test_ready_with_notes(tmp_path: Path) -> None:
    """A misspelt file and an endpoint that is down keep nobody from being ready: ok, and a line each."""
    put(tmp_path, "gru", "1", GRU)
    (tmp_path / "gru" / "1" / "Schema.json").write_text("{}")
    (tmp_path / "away" / "1").mkdir(parents=True)
    (tmp_path / "away" / "1" / "endpoint.toml").write_text('uri = "grpc://127.0.0.1:1/m"')
    with Serving(embedded(model_repository=tmp_path)) as server:
        found = readyz(server)
    assert found.status_code == 200
    first, endpoint, schema = found.text.splitlines()
    assert first == "ok"
    assert endpoint.startswith("note: models/away/versions/1 LOADING")
    assert endpoint.endswith("(the server is ready without endpoints)")
    assert schema.startswith("note: model repository: gru/1/Schema.json is ignored")


class SwitchedStates:
    """Models that can be run, or cannot at present, because no engine is up."""

    def __init__(self) -> None:
        self.up = True

    def ready(self) -> bool:
        return self.up

    def lacks_models(self) -> bool:
        return False

    def unready(self) -> list[ModelRecord]:
        return []

    def notes(self) -> list[str]:
        return []


def test_health_follows_the_engines() -> None:
    """NOT_SERVING while none is up, with the reason on the page, and SERVING again afterwards."""
    states = SwitchedStates()
    with Serving(configured_states=states) as server:
        stub = health_pb2_grpc.HealthStub(server.channel)

        def status() -> int:
            return int(stub.Check(health_pb2.HealthCheckRequest()).status)

        assert status() == health_pb2.HealthCheckResponse.SERVING
        states.up = False
        eventually(lambda: status() == health_pb2.HealthCheckResponse.NOT_SERVING)
        assert readyz(server).text.startswith("no process that runs models is up")
        states.up = True
        eventually(lambda: status() == health_pb2.HealthCheckResponse.SERVING)
