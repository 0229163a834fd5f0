"""What the scripts that ask Sequela with other projects' clients have in common.

`ask_explained_….py CLIENT ADDRESS QUESTION.json INPUTS.npz OUTPUTS.npz`: the question has `model` and `parameters`, and
the outputs are all that the client gets, by name.
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
    """One question."""
    client, address, question, given, answered = sys.argv[1:]
    with np.load(given) as arrays:
        found = clients[client](address, json.loads(Path(question).read_text()), dict(arrays))
    # Texts come as objects, which no file without pickles holds.
    np.savez(answered, **{name: a.astype("S") if a.dtype.kind in "OU" else a for name, a in found.items()})
