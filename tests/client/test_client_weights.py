"""A model whose weights lie beside it is sent in one piece; what must not be read is refused, with the way out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import sequela_client.weights
import weights_beside
from client.scripted import Script
from onnx import numpy_helper
from sequela_client import CallerError, Sequela
from sequela_client.models import ModelFile
from serving import Serving
from small_onnx import FLOAT, model, value
from weights_beside import GRU, WRONG, data, put_beside

SEQUENCE = GRU.sample(4)["events"]


def test_torchs_default_export(server: Serving, tmp_path: Path) -> None:
    """Explained like the model in one piece: the same bits."""
    path = tmp_path / "model.onnx"
    assert weights_beside.outside(put_beside(path))
    background = GRU.average()["events"]
    with Sequela(server.bound.grpc) as sequela:
        found, wanted = (
            sequela.explain(SEQUENCE, model=each, background=background) for each in (path, GRU.path)
        )
        assert found.score == wanted.score
        assert [each.value for each in found.events] == [each.value for each in wanted.events]
        assert found.model_digest != wanted.model_digest
        assert sequela.get_model(f"models/{found.model_digest}").inputs[0].width == 5


def test_everything_else_stays_as_it_was(tmp_path: Path) -> None:
    """Every field of the file, also those that the client knows nothing of."""
    path = tmp_path / "model.onnx"
    put_beside(path)
    whole = onnx.load_from_string(ModelFile(path).read().onnx)
    wanted = onnx.load_from_string(GRU.path.read_bytes())
    for tensor, other in zip(whole.graph.initializer, wanted.graph.initializer, strict=True):
        np.testing.assert_array_equal(
            numpy_helper.to_array(tensor), numpy_helper.to_array(other), strict=True
        )
    for each in (whole, wanted):
        del each.graph.initializer[:]
        for node in each.graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):  # in raw bytes or as typed numbers, which is the same
                    attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t)))
    assert whole == wanted


def test_tensors_in_branches_and_attributes(tmp_path: Path) -> None:
    """Wherever a tensor stands: in an If, in a Constant within it."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    small (float[n, l, 3] x) => (float[n] score) {
        top = ReduceMax <keepdims = 0> (x)
        zero = Constant <value = float {0.0}> ()
        high = Greater (top, zero)
        factor = If (high) <
            then_branch = then () => (float a) { a = Constant <value = float {2.0}> () },
            else_branch = other () => (float b) { b = Constant <value = float {3.0}> () }
        >
        mean = ReduceMean <axes = [1, 2], keepdims = 0> (x)
        score = Mul (mean, factor)
    }"""
    path = tmp_path / "model.onnx"
    made = onnx.parser.parse_model(text)
    branches = [made.graph.node[3].attribute[place].g for place in (0, 1)]
    with data(path).open("wb") as file:
        for tensor in [branch.node[0].attribute[0].t for branch in branches]:
            content = numpy_helper.to_array(tensor).astype("<f4").tobytes()
            tensor.ClearField("float_data")
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, said in (
                ("location", data(path).name),
                ("offset", file.tell()),
                ("length", len(content)),
            ):
                tensor.external_data.add(key=key, value=str(said))
            file.write(content)
    path.write_bytes(made.SerializeToString())
    session = onnxruntime.InferenceSession(ModelFile(path).read().onnx)
    for sign, factor in ((1, 2), (-1, 3)):
        (score,) = session.run(None, {"x": np.full((1, 2, 3), sign, np.float32)})
        np.testing.assert_array_equal(score, [sign * factor])


@pytest.mark.parametrize("name", WRONG)
def test_weights_that_must_not_be_read(client: Sequela, script: Script, tmp_path: Path, name: str) -> None:
    """The file, what is wrong with it, and how to do without it; nothing is sent."""
    path = tmp_path / "folder" / "model.onnx"
    put_beside(path)
    spoil, words = WRONG[name]
    spoil(path)
    with pytest.raises(CallerError, match=rf"{words}.*external_data=False") as caught:
        client.explain(SEQUENCE, model=path)
    assert caught.value.reason == "MODEL_EXTERNAL_DATA"
    assert not script.calls


def test_a_model_and_its_weights_behind_links(tmp_path: Path) -> None:
    """A download cache keeps both under other names elsewhere, and links to them."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    put_beside(blobs / "model.onnx")
    snapshot.mkdir()
    for name in ("model.onnx", "model.onnx.data"):
        (blobs / name).rename(blobs / f"0f{name}")
        (snapshot / name).symlink_to(blobs / f"0f{name}")
    read = ModelFile(snapshot / "model.onnx").read()
    assert [path.name for path in read.weights] == ["model.onnx.data"]


def test_changed_weights_are_another_model(client: Sequela, script: Script, tmp_path: Path) -> None:
    """Also where the file that names them stays as it is."""
    path = tmp_path / "model.onnx"
    put_beside(path)
    client.explain(SEQUENCE, model=path)
    data(path).write_bytes(bytes(data(path).stat().st_size))
    client.explain(SEQUENCE, model=path)
    assert script.names == ["Explain", "RegisterModel", "Explain"] * 2
    assert script.calls[1][1] != script.calls[4][1]


def test_more_than_a_message_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The limit is named; nothing of the weights is read."""
    path = tmp_path / "model.onnx"
    put_beside(path)
    monkeypatch.setattr(sequela_client.weights, "MOST_BYTES", 1000)
    with pytest.raises(CallerError, match=r"bytes with its weights, .* at most 1000") as caught:
        ModelFile(path).read()
    assert caught.value.reason == "MODEL_TOO_LARGE"


def test_the_word_location_alone_changes_nothing(tmp_path: Path) -> None:
    """A file that is whole is sent byte for byte, whatever its values are called; and what is no model is the server's
    to judge.
    """
    nodes = [onnx.helper.make_node("ReduceMean", ["location"], ["score"], axes=[1, 2], keepdims=0)]
    whole = model(nodes, [value("location", FLOAT, ["n", "l", 3])], [value("score", FLOAT, ["n"])])
    path = tmp_path / "model.onnx"
    for content in (whole, b"location, no model"):
        path.write_bytes(content)
        assert ModelFile(path).read().onnx == content
