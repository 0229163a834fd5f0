"""Small ONNX files that end, hang or fill the process that loads or runs them, each by one known weakness of a runtime.

Each takes events (n, l, 4) and claims to return a score (n), so that it can be uploaded. Whether a file does harm
depends on the version of the runtime. What counts is that whoever runs it gets a named error or a result, and that
nobody else notices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import hostile_builders as build
import hostile_control_flow as flow
import numpy as np
from hostile_builders import LEARNING, MICROSOFT, floats, longs

LOWEST = {np.int8: -128, np.int16: -(1 << 15), np.int32: -(1 << 31), np.int64: -(1 << 63)}
QUERY = {"q": floats(1, 2, 4, 8), "k": floats(1, 2, 4, 8), "v": floats(1, 2, 4, 8)}

RECURRENT = {
    f"{operator.lower()}_of_{steps}_steps": partial(build.recurrent, operator, steps)
    for operator in ("RNN", "GRU", "LSTM")
    for steps in ("no", "zero", "scalar")
} | {
    f"{operator.lower()}_hidden_{size}": partial(build.recurrent, operator, "zero", size)
    for operator in ("RNN", "GRU", "LSTM")
    for size in (1000, 1, 0, -1)
}

CONTROL_FLOW: dict[str, Callable[[], bytes]] = {
    "scan_of_9_inputs": partial(flow.scan_inputs, 9),
    "scan_of_no_inputs": partial(flow.scan_inputs, 0),
    "scan_of_negative_inputs": partial(flow.scan_inputs, -1),
    "loop_body_shadowed": partial(flow.shadowed_body, "Loop"),
    "scan_body_shadowed": partial(flow.shadowed_body, "Scan"),
    "nested_33": partial(flow.nested, 33),
    "nested_2000": partial(flow.nested, 2000),
    "recursive_function": flow.recursive_function,
    "recursive_function_in_if": partial(flow.recursive_function, True),
    "functions_in_a_chain": partial(flow.chained_functions, 10_000, 1),
    "functions_that_multiply": partial(flow.chained_functions, 26, 2),
    "endless_loop": flow.endless_loop,
    "message_100000_deep": partial(flow.deep_message, 100_000),
}

SIZES: dict[str, Callable[[], bytes]] = {
    "constant_of_2_50": partial(build.huge_constant, 50),
    "constant_of_2_33": partial(build.huge_constant, 33),
    "expand_overflow": build.expand_overflow,
    "lying_initializer": partial(build.lying_initializer, 1 << 40),
    "overflowing_initializer": partial(build.lying_initializer, 1 << 32, 1 << 32),
    "negative_initializer": partial(build.lying_initializer, -1, -1),
    "tiled_strings": partial(build.tiled_strings, 1 << 20),
    "products_folded_at_load": partial(build.multiplied, 20_000),
    "sparse_tensors": partial(build.sparse_tensors, 200, 1 << 26),
    "split_of_nothing": partial(build.split_of_nothing, 64),
    "wide_bool": partial(build.wide_bool, 32),
    "concat_60_times": partial(build.doubled, 60),
    "add_60_times": partial(build.doubled, 60, "Add"),
    "col2im_overflow": partial(build.col2im, 1 << 32, 1 << 32),
    "col2im_negative": partial(build.col2im, -1, -4),
    "giant_einsum": build.giant_einsum,
    "huge_convolution": partial(build.convolution, "Conv", (1, 4, 40_000), pads=[1 << 18, 1 << 18]),
}

DIVISIONS = {
    f"{operator.lower()}_{kind.__name__}_by_{str(divisor).replace('-', 'minus_')}": partial(
        build.division, operator, kind, LOWEST[kind], divisor
    )
    for operator in ("Div", "Mod")
    for kind in LOWEST
    for divisor in (0, -1)
}

SHAPES: dict[str, Callable[[], bytes]] = {
    "kernel_of_higher_rank": partial(build.convolution, kernel=(1, 4, 1, 1, 1)),
    "transposed_scalar_pad": build.transposed_scalar_pad,
    "conv_stride_0": partial(build.convolution, strides=[0]),
    "conv_dilation_0": partial(build.convolution, dilations=[0]),
    "conv_group_0": partial(build.convolution, group=0),
    "conv_transpose_group_0": partial(build.convolution, "ConvTranspose", (4, 1, 1), group=0),
    "conv_transpose_stride_0": partial(build.convolution, "ConvTranspose", (4, 1, 1), strides=[0]),
    "max_pool_stride_0": partial(build.pool, "MaxPool", strides=[0]),
    "average_pool_stride_0": partial(build.pool, "AveragePool", strides=[0]),
    "lp_pool_stride_0": partial(build.pool, "LpPool", strides=[0]),
    "pool_dilation_0": partial(build.pool, "MaxPool", dilations=[0]),
    "einsum_spoilt": partial(build.einsum, "...i,->...,"),
    "einsum_of_nothing": partial(build.einsum, ""),
    "einsum_of_dots": partial(build.einsum, "i...j...->"),
    "svm_more_supports": partial(build.support_vectors, n_supports=1 << 30),
    "svm_no_vectors": partial(build.support_vectors, support_vectors=[], n_supports=4),
    "svm_negative_supports": partial(build.support_vectors, n_supports=-4),
    "svm_no_rho": partial(build.support_vectors, rho=[]),
    "svm_classifier": build.svm_classifier,
    "gather_nd_negative_batch": partial(
        build.single, "GatherND", {"a": floats(2, 2), "b": longs(0, 1).reshape(2, 1)}, batch_dims=-1
    ),
    "one_hot_huge": partial(build.single, "OneHot", {"i": longs(0), "d": longs(1 << 62), "v": floats(2)}),
    "one_hot_negative": partial(build.single, "OneHot", {"i": longs(0), "d": longs(-5), "v": floats(2)}),
    "unique_of_nothing": partial(build.single, "Unique", {"x": np.zeros((0, 3), np.float32)}, axis=0),
    "unique_bad_axis": partial(build.single, "Unique", {"x": floats(2, 3)}, axis=-9),
    "dft_of_zero": partial(build.single, "DFT", {"x": floats(1, 4, 1), "length": np.int64(0)}),
    "dft_negative": partial(build.single, "DFT", {"x": floats(1, 4, 1), "length": np.int64(-4)}),
    "quantize_bad_block": partial(
        build.single, "QuantizeLinear", {"x": floats(2, 4), "s": floats(2, 0)}, opset=21, block_size=-1
    ),
    "quantize_no_scale": partial(
        build.single, "QuantizeLinear", {"x": floats(2, 4), "s": floats(0)}, opset=21
    ),
}

ATTENTION: dict[str, Callable[[], bytes]] = {
    "attention_no_heads": partial(
        build.single, "Attention", {"q": floats(1, 4, 8), "k": floats(1, 4, 8), "v": floats(1, 4, 8)},
        opset=23, q_num_heads=0, kv_num_heads=0,
    ),
    "attention_uneven_heads": partial(
        build.single, "Attention", {"q": floats(1, 4, 8), "k": floats(1, 4, 8), "v": floats(1, 4, 8)},
        opset=23, q_num_heads=3, kv_num_heads=0,
    ),
    "attention_of_nothing": partial(
        build.single, "Attention", {**QUERY, "k": floats(1, 0, 4, 8), "v": floats(1, 0, 4, 8)}, opset=23
    ),
    "contrib_attention_no_heads": partial(
        build.single, "Attention", {"x": floats(1, 2, 8), "w": floats(8, 24), "b": floats(24)},
        domain=MICROSOFT, num_heads=0,
    ),
    "contrib_attention_bad_mask": partial(
        build.single, "Attention",
        {"x": floats(1, 2, 8), "w": floats(8, 24), "b": floats(24), "m": np.array([1 << 30], np.int32)},
        domain=MICROSOFT, num_heads=2,
    ),
    "attention_lstm_of_nothing": partial(
        build.single, "AttnLSTM",
        {"x": floats(0, 1, 2), "w": floats(1, 12, 5), "r": floats(1, 12, 3)}, domain=MICROSOFT, hidden_size=3,
    ),
    "sparse_paged_attention": partial(
        build.single, "SparsePagedAttention", {"q": floats(1, 8), "k": floats(1, 8), "v": floats(1, 8)},
        domain=MICROSOFT, num_heads=0, kv_num_heads=0,
    ),
    "tree_ensemble_lies": partial(
        build.single, "TreeEnsembleRegressor", {"x": floats(2, 4)}, domain=LEARNING,
        nodes_treeids=[0], nodes_nodeids=[0], nodes_featureids=[1 << 40], nodes_modes=["BRANCH_LEQ"],
        nodes_values=[0.5], nodes_truenodeids=[0], nodes_falsenodeids=[0], target_ids=[0],
        target_nodeids=[0], target_treeids=[0], target_weights=[1.0], n_targets=1,
    ),
}  # fmt: skip

GRAPHS: dict[str, Callable[[], bytes]] = RECURRENT | CONTROL_FLOW | SIZES | DIVISIONS | SHAPES | ATTENTION
"""All of them, by name."""

HANGS = ("endless_loop", "products_folded_at_load", "giant_einsum")
"""Those that take minutes or longer if nobody ends them."""
