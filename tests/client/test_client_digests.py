"""The law of models and backgrounds: the digest goes first, the content only to a server that lacks it."""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

import grpc
import numpy as np
import pytest
from client.scripted import Script
from digests import digest_of
from sequela_client import (
    AsyncSequela,
    BackgroundValues,
    CallerError,
    Endpoint,
    NotFound,
    OperatorError,
    Sequela,
)
from sequela_client.models import ModelFile, choose
from sequela_proto.v1 import sequela_pb2 as pb

SEQUENCE = np.ones((3, 2), np.float32)
BACKGROUND = np.zeros(2)


def test_registers_a_file_once(client: Sequela, script: Script, model_file: Path) -> None:
    """The digest goes first; the bytes follow only as the server does not know it, and never again."""
    for _ in range(3):
        client.explain(SEQUENCE, model=model_file)
    assert script.names == ["Explain", "RegisterModel", "Explain", "Explain", "Explain"]
    assert script.calls[1][1] == model_file.read_bytes()
    assert {request.model.digest for name, request in script.calls if name == "Explain"} == {
        sha256(model_file.read_bytes()).hexdigest()
    }


def test_asyncio_registers_a_file_once(address: str, script: Script, model_file: Path) -> None:
    """The asyncio client keeps the same law."""

    async def explain_twice() -> None:
        async with AsyncSequela(address) as sequela:
            for _ in range(2):
                await sequela.explain(SEQUENCE, model=model_file, background=BACKGROUND)

    asyncio.run(explain_twice())
    assert script.names == ["Explain", "RegisterModel", "Explain", "Explain"]
    assert script.calls[-1][1].background.HasField("digest")


def test_digests_a_file_again_when_it_changes(client: Sequela, script: Script, model_file: Path) -> None:
    """A file of other content is another model."""
    client.explain(SEQUENCE, model=model_file)
    model_file.write_bytes(b"other")
    client.explain(SEQUENCE, model=model_file)
    assert script.names == ["Explain", "RegisterModel", "Explain"] * 2
    assert script.calls[-2][1] == b"other"


def test_schema_beside_the_file_belongs_to_it(client: Sequela, script: Script, model_file: Path) -> None:
    """A schema.json beside the model is part of digest and upload; adding one makes another model."""
    client.explain(SEQUENCE, model=model_file)
    schema = json.dumps({"inputs": []}).encode()
    model_file.with_name("schema.json").write_bytes(schema)
    client.explain(SEQUENCE, model=model_file)
    assert script.calls[-1][1].model.digest == digest_of(model_file.read_bytes(), schema)


def test_sends_inline_where_uploads_are_off(client: Sequela, script: Script, model_file: Path) -> None:
    """Refused an upload, the client sends the bytes with the question, and never uploads again."""
    script.uploads = False
    for _ in range(2):
        client.explain(SEQUENCE, model=model_file)
    assert script.names == ["Explain", "RegisterModel", "Explain", "Explain"]
    assert script.calls[-1][1].model.inline.onnx == model_file.read_bytes()


def test_a_large_model_cannot_go_inline(address: str, script: Script, model_file: Path) -> None:
    """Where uploads are off and the model is larger than a message, the operator must act."""
    script.uploads = False
    model_file.write_bytes(bytes(3 << 20))
    with Sequela(address, max_message_bytes=2 << 20) as sequela, pytest.raises(OperatorError) as refused:
        sequela.explain(SEQUENCE, model=model_file)
    assert refused.value.reason == "UPLOADS_DISABLED"


def test_background_values_go_once(client: Sequela, script: Script) -> None:
    """Values first; equal values later go as the digest that the server answered; other values go whole."""
    for values in (BACKGROUND, BACKGROUND.copy(), BACKGROUND + 1):
        client.explain(SEQUENCE, model="m", background=values)
    sent = [request.background.WhichOneof("background") for _, request in script.calls]
    assert sent == ["values", "digest", "values"]
    assert script.calls[1][1].background.digest in script.backgrounds


def test_the_same_values_for_another_model_go_whole(client: Sequela, script: Script) -> None:
    """The server's digest depends on the model's names and types, so each model learns its own."""
    client.explain(SEQUENCE, model="m", background=BACKGROUND)
    client.explain(SEQUENCE, model="n", background=BACKGROUND)
    assert script.calls[1][1].background.HasField("values")


def test_a_forgotten_background_goes_again(client: Sequela, script: Script) -> None:
    """A server that forgot the values is sent them again, and the caller sees nothing of it."""
    client.explain(SEQUENCE, model="m", background=BACKGROUND)
    script.backgrounds.clear()
    client.explain(SEQUENCE, model="m", background=BACKGROUND)
    sent = [request.background.WhichOneof("background") for _, request in script.calls]
    assert sent == ["values", "digest", "values"]


def test_a_mean_event_goes_with_its_matrix(client: Sequela, script: Script) -> None:
    """A matrix may come with the event that stands before its first row."""
    values = BackgroundValues({"x": np.zeros((3, 2))}, {"x": np.ones(2)})
    client.explain({"x": SEQUENCE}, model="m", background=values)
    sent = script.calls[0][1].background.values
    assert list(sent.inputs[0].tensor.shape) == [3, 2]
    assert sent.mean_event[0].name == "x"


def test_a_stream_sends_content_once(client: Sequela, script: Script, model_file: Path) -> None:
    """The model is registered before the stream; background values stop once an answer told their digest."""
    sequences = [np.ones((length, 2)) for length in (3, 4)] * 40
    outcomes = list(client.explain_many(sequences, model=model_file, background=BACKGROUND))
    assert [outcome.index for outcome in outcomes] == list(range(80))
    assert script.names[:2] == ["GetModel", "RegisterModel"]
    assert script.calls[2][1].request.background.HasField("values")


@pytest.mark.parametrize(
    ("model", "kind", "value"),
    [
        ("fraud", "name", "fraud"),
        ("models/fraud", "name", "models/fraud"),
        ("models/fraud/versions/2", "name", "models/fraud/versions/2"),
    ],
)
def test_names_are_names(client: Sequela, script: Script, model: str, kind: str, value: str) -> None:
    """A str without a separator, or a full resource name, names a registered model."""
    client.explain(SEQUENCE, model=model)
    assert getattr(script.calls[0][1].model, kind) == value


def test_endpoints_go_as_they_are(client: Sequela, script: Script) -> None:
    """A grpc:// address is an endpoint model."""
    client.explain(SEQUENCE, model="grpc://models.test:8001/fraud")
    assert script.calls[0][1].model.endpoint.uri == "grpc://models.test:8001/fraud"


def test_a_schema_that_is_no_path_is_named(client: Sequela, script: Script) -> None:
    """The content of a schema is not taken for its path."""
    endpoint = Endpoint("grpc://models.test:8001/fraud", schema={"bounded": True})  # type: ignore[arg-type]
    with pytest.raises(CallerError, match=r"schema: must be the path of a .*, not of type dict") as wrong:
        client.explain(SEQUENCE, model=endpoint)
    assert wrong.value.reason == "ARGUMENT_INVALID"
    assert not script.calls


@pytest.mark.parametrize("path", ["nowhere.onnx", "no/where", "models/nowhere.onnx"])
def test_a_missing_file_is_the_callers_error(client: Sequela, script: Script, path: str) -> None:
    """A path that leads nowhere is named, and nothing is sent."""
    with pytest.raises(CallerError, match=path) as missing:
        client.explain(SEQUENCE, model=path)
    assert missing.value.reason == "FILE_NOT_READABLE"
    assert not script.calls


def test_an_unknown_name_registers_nothing(client: Sequela, script: Script) -> None:
    """Only files can be registered: a name that the server lacks stays an error."""
    script.failures = [(grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", "model 'm' is unknown")]
    with pytest.raises(NotFound, match="model 'm' is unknown"):
        client.explain(SEQUENCE, model="m")
    assert script.names == ["Explain"]


def test_a_model_with_its_version_is_a_name(
    client: Sequela, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`m/3` is a model of the server unless there is such a file; if neither is there, the error names both."""
    monkeypatch.chdir(tmp_path)
    script.failures = [(grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", "no model is named 'm/3'")]
    with pytest.raises(NotFound, match="no model is named 'm/3', and there is no file 'm/3'"):
        client.explain(SEQUENCE, model="m/3")
    assert script.calls[-1][1].model == pb.ModelReference(name="m/3")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "3").write_bytes(b"onnx")
    assert client.explain(SEQUENCE, model="m/3").name
    assert script.calls[-1][1].model.digest
    for path in ("m/3a", "m/03", "a/m/3", "../3", "./3", "/3"):
        assert isinstance(choose(path), ModelFile), path
