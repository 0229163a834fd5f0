"""The common part of the scripts that call Sequela with clients of other projects.

`ask_explained_….py CLIENT ADDRESS QUESTION.json INPUTS.npz OUTPUTS.npz` reads `model` and `parameters` from the
question, and writes all outputs that the client receives, by name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

DATATYPES = {"float32": "FP32", "float64": "FP64", "int32": "INT32", "int64": "INT64"}

Ask = Callable[[str, dict[str, Any], dict[str, np.ndarray]], dict[str, np.ndarray]]
"""Of an address, a question and the inputs by name: the outputs by name."""


def main(clients: Mapping[str, Ask]) -> None:
    """Makes one call, with the client that the command line names."""
    client, address, question, given, answered = sys.argv[1:]
    with np.load(given) as arrays:
        found = clients[client](address, json.loads(Path(question).read_text()), dict(arrays))
    # Texts arrive as objects, which can be saved only with pickle.
    np.savez(answered, **{name: a.astype("S") if a.dtype.kind in "OU" else a for name, a in found.items()})
