"""Writes an ONNX model of GRU layers with hidden states as inputs and outputs, which timeshap can explain faster."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

STATE_IN, STATE_OUT = "state_in_", "state_out_"
_INITIAL = 5  # the inputs of a GRU: X, W, R, B, sequence_lens, initial_h


def with_states(model: Path, path: Path) -> Path:
    """Writes the model with an input `state_in_k` and an output `state_out_k`, (1, n, hidden), for each GRU node.

    The nodes that computed the initial states before stay in the file, but are not used.
    """
    changed = onnx.load(model)
    layers = [node for node in changed.graph.node if node.op_type == "GRU"]
    for k, node in enumerate(layers):
        hidden = next(each.i for each in node.attribute if each.name == "hidden_size")
        node.input.extend([""] * (_INITIAL + 1 - len(node.input)))
        node.input[_INITIAL] = f"{STATE_IN}{k}"
        node.output.extend([""] * (2 - len(node.output)))
        final = f"{STATE_OUT}{k}"
        shape: list[int | str] = [1, "n", hidden]
        if node.output[1]:  # the head may need it
            changed.graph.node.append(helper.make_node("Identity", [node.output[1]], [final]))
        else:
            node.output[1] = final
        changed.graph.input.append(helper.make_tensor_value_info(f"{STATE_IN}{k}", TensorProto.FLOAT, shape))
        changed.graph.output.append(helper.make_tensor_value_info(final, TensorProto.FLOAT, shape))
    onnx.checker.check_model(changed)
    onnx.save(changed, path)
    return path
