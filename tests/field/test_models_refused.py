"""Models that cannot be explained as they are: the message says what is wrong and the way out."""

from __future__ import annotations

import gzip
import pickle
import re
from collections.abc import Callable

import numpy as np
import pytest
from field import inputs, models
from field.asking import SEQUENCE, Explain, assert_right_or_refused, beside, or_refused, refusal
from field.truth import Feed
from onnx import TensorProto
from small_onnx import FLOAT, INT64

LONG = np.random.default_rng(5).normal(size=(20, 3)).astype(np.float32)


def test_strings_are_refused_by_name(explain: Explain) -> None:
    """A graph that hashes words itself: the types that are taken are listed."""
    said = refusal(explain, models.words())
    assert "'x' has elements of type string" in said
    assert "float" in said


def test_a_file_version_of_the_future_is_named(explain: Explain) -> None:
    """microsoft/onnxruntime#20559, #23602: the file's version and the newest one that is read."""
    said = refusal(explain, models.stamped(ir=99))
    assert "99" in said
    assert "the newest supported is" in said


def test_operators_of_other_domains_are_named(explain: Explain) -> None:
    """onnxruntime-extensions: the operator and its domain."""
    said = refusal(explain, models.stamped(domain="ai.onnx.contrib"))
    assert "Tokenizer" in said
    assert "ai.onnx.contrib" in said


def test_ids_below_zero_are_refused(explain: Explain) -> None:
    """pandas codes a missing category as -1, which ONNX counts from the end of the table."""
    said = refusal(explain, inputs.ids(), np.array([[1], [-1], [3]]))
    assert "-1 is not an id of feature" in said


def test_fractions_of_ids_are_refused(explain: Explain) -> None:
    """The mean of ids is no id: a background of means is refused, with the value."""
    said = refusal(
        explain, models.typed(INT64), np.ones((5, 3), np.int64), background=np.array([1.5, 0.7, 2.2])
    )
    assert "1.5" in said
    assert "int64" in said


def test_free_columns_ask_for_a_schema(explain: Explain) -> None:
    """dynamic_axes over all three axes."""
    said = refusal(explain, inputs.free_columns())
    assert "number of columns" in said
    assert "schema" in said


# needs: models-in/out, each case's own: the words are what a reader looks for, whatever the sentence around them.
BADLY: dict[str, tuple[Callable[[], bytes], str]] = {
    # Before: "the model's output 'score' has shape () for 1 sequences". Right: the score, as one row is run at a time.
    # pytorch/pytorch#16392, clovaai/rexnet#20
    "squeeze without an axis": (models.squeezed_everywhere, r"squeeze|batch"),
    # Before: "input 'x' has 0 axes". The axes are not said, which a schema can make up for.
    "no shape": (inputs.without_shape, r"does not (say|tell)|no shape|schema"),
    # Before: onnxruntime's "Invalid value/s in sequence_lens ... seq_length=128", a length that nobody sent.
    "lengths of floats": (
        lambda: models.lengths_input("lengths", FLOAT, ["n"]),
        r"role.*length|length.*schema",
    ),
    # Before: "'' is not an input; the model takes x, num_events".
    "lengths by another name": (
        lambda: models.lengths_input("num_events", INT64, ["n"]),
        r"role.*length|length.*schema|num_events.*(static|schema)",
    ),
}


@pytest.mark.parametrize("name", BADLY)
def test_dead_ends_have_a_way_out(explain: Explain, name: str) -> None:
    """The truth, or a refusal that names the way out."""
    build, words = BADLY[name]
    feed: Feed = beside("lengths", lambda events: np.full(1, events, np.float32))
    if "another" in name:
        feed = beside("num_events", lambda events: np.full(1, events))
    if "lengths" not in name:
        feed = lambda sequence: {"x": sequence[None]}  # noqa: E731 as short as it gets
    assert_right_or_refused(explain, build(), words, feed=feed)


# needs: models-in, inputs without axes (silero-vad's `sr`, snakers4/silero-vad#646; the training flag of Dropout): the
# way out is a constant in their place. Before: "has 0 axes, expected (batch, events, columns) or fewer of these".
@pytest.mark.parametrize("build", [models.scalar_option, models.training_flag])
def test_scalar_inputs_have_a_way_out(explain: Explain, build: Callable[[], bytes]) -> None:
    """What the input is, and to make it a constant of the graph or of the schema."""
    said = refusal(explain, build())
    assert re.search("constant|fix|schema", said, re.IGNORECASE), said


# needs: models-out, the highest number of events that a model takes. Before: "the model fails: FAIL : Non-zero status
# code returned while running Add node ... 16 by 20". huggingface/transformers#6820, espnet/espnet_onnx#24,
# michaelfeil/infinity#330
def test_too_many_events_for_a_table_of_positions(explain: Explain) -> None:
    """The number of events that was sent is named as the suspicion."""
    said = refusal(explain, inputs.positions(), LONG)
    assert "20 events" in said, said


# needs: models-out, a score that is not a number: which row (the background alone) and what helps. Before: "the model
# gives nan for target 'score'". onnx/tensorflow-onnx#1871, onnx/keras-onnx#386 (sequences that are masked altogether)
@pytest.mark.parametrize("build", [inputs.masked_inside, models.log_inside])
def test_no_score_for_the_background(explain: Explain, build: Callable[[], bytes]) -> None:
    """The background is named: another one helps."""
    sequence = np.abs(SEQUENCE) + 0.1
    assert "background" in refusal(explain, build(), sequence)


# needs: models-out, bfloat16 is converted, or named with Cast as the way out. Before: "the model fails: No
# corresponding Numpy type for Tensor Type. bfloat16". microsoft/onnxruntime#13001
def test_an_output_of_bfloat16(explain: Explain) -> None:
    """The truth is 0.5 -> 0.38179, to bfloat16's eight bits."""
    answer = or_refused(
        lambda: explain(inputs.cast_to(TensorProto.BFLOAT16), SEQUENCE), "holds bfloat16|bfloat16.*Cast"
    )
    if answer is not None:
        assert answer.score == pytest.approx(0.38179, abs=2**-8)


# needs: models-in, float16 inputs: a finite value that becomes infinite is refused, as 1e39 is for float32. Before: a
# score of a model that saw infinity, 0.45763, "exact". microsoft/onnxconverter-common#268, Blaizzy/mlx-vlm#293
def test_a_value_too_large_for_half(explain: Explain) -> None:
    """70,000 is past float16's 65,504."""
    sequence = SEQUENCE.copy()
    sequence[1, 1] = 70_000
    said = refusal(explain, models.half_input(), sequence)
    assert "float16" in said or "65504" in said.replace(",", ""), said


# needs: models-in, the newest opset that is read, and opset_version= as the way out; before, the text was cut off
# before the number. microsoft/onnxruntime#11898
def test_an_opset_of_the_future(explain: Explain) -> None:
    """The opset of the file and the newest one."""
    said = refusal(explain, models.stamped(opset=99))
    assert "99" in said
    assert re.search(r"till opset \d+|up to \d+|newest.*\d+|opset_version", said), said


# needs: models-out, a list of tensors as the output: another output, or how to export one. Before: "is not a tensor of
# numbers" alone. onnx/onnxmltools#30, microsoft/onnxruntime#19571
def test_a_list_as_the_output(explain: Explain) -> None:
    """What it is, and the way out."""
    said = refusal(explain, models.listed_output())
    assert re.search("sequence|list", said, re.IGNORECASE), said


OTHER_FILES: dict[str, tuple[bytes, str]] = {
    # microsoft/onnxruntime-genai#684, commaai/commavq#12, manyeyes/AliParaformerAsr#25
    "a pointer of Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n",
        "git lfs pull",
    ),
    "an archive of torch": (b"PK\x03\x04" + bytes(100), "torch.save"),
    "a file of Keras": (b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5"),
    "a pickle": (pickle.dumps({"weights": [1.0]}), "pickle"),
    "compressed": (gzip.compress(models.weights_as_inputs()), "gzip"),
    "a web page": (b"\n<!DOCTYPE html><html>404</html>", "HTML"),
    "a model of LightGBM or XGBoost": (b'{"learner": {}}', "JSON"),
    "TensorFlow Lite": (b"\x1c\x00\x00\x00TFL3" + bytes(64), "TensorFlow Lite"),
    "onnxruntime's own format": (b"\x20\x00\x00\x00ORTM" + bytes(64), r"\.ort"),
    "cut off": (models.weights_as_inputs()[:-20], "only a part of one"),
}


@pytest.mark.parametrize("name", OTHER_FILES)
def test_files_of_other_kinds_are_named(explain: Explain, name: str) -> None:
    """What was sent instead of an ONNX file, and what to do; "not an ONNX model, or only a part of one" before."""
    content, words = OTHER_FILES[name]
    assert re.search(words, refusal(explain, content))
