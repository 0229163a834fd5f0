"""Files that must not be run are refused, each for its own reason, before onnxruntime sees them."""

from __future__ import annotations

import hostile
import numpy as np
import pytest
from matrix import CASES, Case
from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper
from sequela.adapters.onnx.file import OnnxFile, read_onnx
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.limits import Limits
from small_onnx import FLOAT, model, over_events, reduced, same, scoring, value
from sweeps import one_of_a_kind

SCORE = value("score", FLOAT, ["n"])


def read(content: bytes, limits: Limits | None = None) -> OnnxFile:
    return read_onnx(content, limits or Limits(), "model.inline.onnx")


def branch(graph: GraphProto) -> GraphProto:
    """The graph behind the first node's `then`."""
    return next(attribute.g for attribute in graph.node[0].attribute if attribute.name == "then_branch")


def external_in_a_branch() -> bytes:
    """External data in an initializer of a nested graph, two levels down."""
    content = ModelProto.FromString(hostile.with_nesting(2))
    inner = branch(branch(content.graph))
    inner.initializer.add(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    return content.SerializeToString()


def external_in_a_function() -> bytes:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    return with_function([helper.make_node("Constant", [], ["y"], value=tensor)])


def external_sparse() -> bytes:
    content = ModelProto.FromString(hostile.plain())
    sparse = content.graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(
        TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    )
    return content.SerializeToString()


def custom_in_a_function() -> bytes:
    return with_function([helper.make_node("Backdoor", ["x"], ["y"], domain="com.example")])


def custom_in_a_branch() -> bytes:
    content = ModelProto.FromString(hostile.with_nesting(1))
    branch(content.graph).node[0].domain = "com.example"
    return content.SerializeToString()


def vast_sparse() -> bytes:
    """A sparse tensor of one value that is a tebibyte when made dense."""
    values, indices = (
        numpy_helper.from_array(np.ones(1, np.float32), "w"),
        numpy_helper.from_array(np.zeros(1, np.int64)),
    )
    content = ModelProto.FromString(hostile.plain())
    content.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=indices, dims=[1 << 38]))
    return content.SerializeToString()


def negative_size() -> bytes:
    content = ModelProto.FromString(hostile.plain())
    content.graph.initializer.add(name="w", data_type=FLOAT, dims=[-1])
    return content.SerializeToString()


def training() -> bytes:
    content = ModelProto.FromString(hostile.plain())
    content.training_info.add()
    return content.SerializeToString()


def without(part: str) -> bytes:
    content = ModelProto.FromString(hostile.plain())
    content.ClearField(part)
    return content.SerializeToString()


def with_function(nodes: list[NodeProto]) -> bytes:
    """A graph that calls a function of its own file, in a domain of its own."""
    function = helper.make_function("own", "Step", ["x"], ["y"], nodes, [helper.make_opsetid("", 17)])
    calls = [
        helper.make_node("Step", ["events"], ["stepped"], domain="own"),
        reduced("stepped", "score", [1, 2]),
    ]
    inputs = [value("events", FLOAT, ["n", "l", 4])]
    return model(calls, inputs, [SCORE], functions=[function], domains=["own"])


REFUSED = [
    ("empty", b"", "MODEL_NOT_ONNX", "empty"),
    ("text", hostile.not_onnx(), "MODEL_NOT_ONNX", "180 bytes"),
    ("truncated", hostile.truncated(hostile.plain()), "MODEL_NOT_ONNX", "part of one"),
    ("no graph", without("graph"), "MODEL_NOT_ONNX", "graph output"),
    ("no operator set", without("opset_import"), "MODEL_NOT_ONNX", "opset_import"),
    ("external", hostile.with_external_data(), "MODEL_EXTERNAL_DATA", "'w'"),
    ("external constant", hostile.with_nested_external_data(), "MODEL_EXTERNAL_DATA", "'w'"),
    ("external in a branch", external_in_a_branch(), "MODEL_EXTERNAL_DATA", "'w'"),
    ("external in a function", external_in_a_function(), "MODEL_EXTERNAL_DATA", "'w'"),
    ("external sparse", external_sparse(), "MODEL_EXTERNAL_DATA", "'w'"),
    ("custom", hostile.with_custom_operator(), "MODEL_CUSTOM_OPERATORS", "'com.example'"),
    ("custom in a function", custom_in_a_function(), "MODEL_CUSTOM_OPERATORS", "'com.example'"),
    ("custom in a branch", custom_in_a_branch(), "MODEL_CUSTOM_OPERATORS", "'com.example'"),
    ("lying weights", hostile.with_lying_weights(), "MODEL_TOO_LARGE", "274877906944"),
    ("vast sparse", vast_sparse(), "MODEL_TOO_LARGE", "274877906944"),
    ("negative size", negative_size(), "MODEL_TOO_LARGE", "-1"),
    ("training", training(), "MODEL_HAS_TRAINING", "inference"),
]


@pytest.mark.parametrize(
    ("content", "reason", "text"), [row[1:] for row in REFUSED], ids=[str(row[0]) for row in REFUSED]
)
def test_refused_files(content: bytes, reason: str, text: str) -> None:
    """Each gets its reason, the field's path, and what in the file is at fault."""
    with pytest.raises(InvalidInput, match=text) as caught:
        read(content)
    assert caught.value.reason == reason
    assert [violation.field for violation in caught.value.violations] == ["model.inline.onnx"]


@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_harmless_files_pass(case: Case) -> None:
    """Every model of the matrix passes, with its metadata."""
    file = read(case.path.read_bytes())
    assert ("feature_names" in file.metadata) == (case.name == "metadata_names")


def test_a_files_own_functions_pass() -> None:
    """A function that the file itself defines is no custom operator, and runs."""
    content = with_function([helper.make_node("Tanh", ["x"], ["y"])])
    assert Loader().load("m", ModelBytes(content, b"", "onnx", "schema")).info.schema.features


def test_unused_domains_pass() -> None:
    """Exporters import operator sets that they then do not use."""
    nodes = [reduced("events", "score", [1, 2])]
    assert read(model(nodes, [value("events", FLOAT, ["n", "l", 4])], [SCORE], domains=["pkg.unused"]))


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        (hostile.with_nodes(30), Limits(max_model_nodes=29)),
        (hostile.with_hidden_nodes(30), Limits(max_model_nodes=30)),
        (hostile.plain(), Limits(max_model_bytes=100)),
    ],
    ids=["nodes", "hidden nodes", "bytes"],
)
def test_limits(content: bytes, limits: Limits) -> None:
    """Past a limit a file is refused and the limit named; nodes of nested graphs count."""
    kind, number = ("bytes", 100) if limits.max_model_bytes == 100 else ("nodes", limits.max_model_nodes)
    with pytest.raises(InvalidInput, match=rf"but the limit is {number} \(--max-model-{kind}\)$") as caught:
        read(content, limits)
    assert caught.value.reason == "MODEL_TOO_LARGE"


def test_limits_are_inclusive() -> None:
    """A file just as large as allowed passes."""
    content = hostile.with_nodes(30)
    assert read(content, Limits(max_model_nodes=31, max_model_bytes=len(content)))


RUNS_NOT = [
    ("from_the_future", InvalidInput, "MODEL_NOT_RUNNABLE"),
    ("with_dangling_input", InvalidInput, "MODEL_NOT_RUNNABLE"),
    ("with_a_circle", InvalidInput, "MODEL_NOT_RUNNABLE"),
    ("with_text_input", InvalidInput, "MODEL_INPUT_UNSUPPORTED"),
    ("without_inputs", InvalidInput, "MODEL_INPUT_UNSUPPORTED"),
    ("with_deep_output", InvalidInput, "MODEL_OUTPUT_UNSUPPORTED"),
    ("with_scalar_output", DoesNotFit, "MODEL_FAILED"),
    ("failing_when_run", DoesNotFit, "MODEL_FAILED"),
    ("with_memory_bomb", DoesNotFit, "MODEL_FAILED"),
]


@pytest.mark.parametrize(("name", "error", "reason"), RUNS_NOT, ids=[row[0] for row in RUNS_NOT])
def test_files_that_pass_and_do_not_run(
    name: str, error: type[InvalidInput | DoesNotFit], reason: str
) -> None:
    """What only onnxruntime finds is an error of the caller too, in one line."""
    with pytest.raises(error) as caught:
        Loader().load("m", ModelBytes(getattr(hostile, name)(), b"", "onnx", "schema"))
    assert caught.value.reason == reason
    assert "\n" not in caught.value.message


def test_every_cut_of_a_model_is_answered() -> None:
    """However a file is cut, it is refused with an error of ours, or is a whole model."""
    whole = scoring({"events": (FLOAT, ["n", "l", 4])})
    for end in range(len(whole)):
        with pytest.raises((InvalidInput, DoesNotFit)):
            Loader().load("m", ModelBytes(whole[:end], b"", "onnx", "schema"))


def test_the_copy_of_an_identity() -> None:
    """Outputs that are inputs, unchanged, are read as steps of events."""
    content = over_events([same("events", "score")], value("score", FLOAT, ["n", "l", 4]))
    schema = Loader().load("m", ModelBytes(content, b"", "onnx", "schema")).info.schema
    assert (schema.per_event, len(schema.targets), schema.bounded) == (True, 4, False)
