"""A served model by KServe's version 1 protocol, over REST: rows in, predictions out, no metadata.

Source: KServe's "V1 Inference Protocol", which is that of TensorFlow Serving.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.answers import WrongAnswer, json_floats
from sequela.adapters.endpoints.failures import invalid_answer
from sequela.adapters.endpoints.rest_client import Rest
from sequela.adapters.endpoints.transport import Description, Feeds
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import SequelaError
from sequela.explain.ports import TryAgain


class RestV1Transport:
    """Implements `Transport`."""

    def __init__(self, rest: Rest, version: str) -> None:
        self._rest = rest
        self._path = rest.uri.path + (f"/versions/{version}" if version else "")

    def describe(self, until: float) -> Description:
        """Empty: the protocol has no metadata. Raises as `Transport.describe` where the model is not served."""
        try:
            self._rest.get(self._path, until)
        except WrongAnswer as error:
            raise invalid_answer(self._rest.uri, str(error)) from None
        return Description()

    def infer(self, feeds: Feeds, output: str, until: float) -> NDArray[np.float64]:
        """As `Transport.infer`; the output's name counts where predictions have names."""
        try:
            answer = self._rest.post(f"{self._path}:predict", {"instances": instances(feeds)}, until)
            return predictions(answer, output, len(next(iter(feeds.values()))))
        except WrongAnswer as error:
            raise invalid_answer(self._rest.uri, str(error)) from None

    def ready(self, until: float) -> bool:
        """As `Transport.ready`."""
        try:
            return self._rest.ready(self._path, until)
        except (SequelaError, TryAgain, DeadlinePassed):
            return False

    def close(self) -> None:
        """As `Transport.close`."""
        self._rest.close()


def instances(feeds: Feeds) -> Any:
    """Rows as plain arrays where there is one input, else as objects by the inputs' names."""
    arrays = {name: np.ascontiguousarray(values) for name, values in feeds.items()}
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    return [dict(zip(arrays, row, strict=True)) for row in zip(*arrays.values(), strict=True)]


def predictions(answer: Any, output: str, rows: int) -> NDArray[np.float64]:
    """The output (n, …) of n rows. Raises WrongAnswer."""
    given = answer.get("predictions") if isinstance(answer, dict) else None
    if not isinstance(given, list) or len(given) != rows:
        held = f"{len(given)} of them" if isinstance(given, list) else "none"
        raise WrongAnswer(f"predictions for {rows} rows were asked for, and it has {held}")
    if given and all(isinstance(row, dict) for row in given):
        given = _named(given, output)
    return json_floats(given, "predictions")


def _named(rows: list[dict[str, Any]], output: str) -> list[Any]:
    """One output of rows that have several by name: the one asked for, or the only one. Which of several is the score,
    and which a label, is not guessed: a score of exactly 1 looks like a label.
    """
    held = ", ".join(map(repr, rows[0])) or "none"
    if not output and len(rows[0]) > 1:
        line = f'{{"output": {json.dumps(list(rows[0])[-1])}}}'
        raise WrongAnswer(f"predictions have {held}; say which one is the score in a schema, as in {line}")
    name = output or next(iter(rows[0]), "")
    if any(name not in row for row in rows):
        raise WrongAnswer(f"output {name!r} was asked for, and predictions have {held}")
    values = [row[name] for row in rows]
    if any(isinstance(value, str) for value in values):
        raise WrongAnswer(f"output {name!r} holds texts, not numbers; predictions have {held}")
    return values
