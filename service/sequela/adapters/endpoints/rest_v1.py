"""A model behind KServe's V1 protocol, over REST. The protocol has no metadata.

Source: KServe's "V1 Inference Protocol", which is that of TensorFlow Serving.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.answers import WrongAnswer, json_floats
from sequela.adapters.endpoints.failures import RetryableError, invalid_answer_error
from sequela.adapters.endpoints.rest_answers import ANYTHING, PREDICT, read_answer
from sequela.adapters.endpoints.rest_client import Rest
from sequela.adapters.endpoints.transport import Description, Feeds, NoteVersion, ignore_version
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import SequelaError


class RestV1Transport:
    """Implements `Transport`."""

    def __init__(self, rest: Rest, version: str) -> None:
        self._rest = rest
        self._path = rest.uri.path + (f"/versions/{version}" if version else "")

    def describe(self, until: float) -> Description:
        """As `Transport.describe`. The description is empty: the protocol has no metadata."""
        try:
            read_answer(ANYTHING, self._rest.get(self._path, until), "the answer")
        except WrongAnswer as error:
            raise invalid_answer_error(self._rest.uri, str(error)) from None
        return Description()

    def infer(
        self, feeds: Feeds, output: str, until: float, note_version: NoteVersion = ignore_version
    ) -> NDArray[np.float64]:
        """As `Transport.infer`. `output` is only used if predictions have names."""
        try:
            content = self._rest.post(f"{self._path}:predict", {"instances": instances(feeds)}, until)
            answer = read_answer(PREDICT, content, "the answer")
            outputs = predictions(answer.predictions, output, len(next(iter(feeds.values()))))
        except WrongAnswer as error:
            raise invalid_answer_error(self._rest.uri, str(error)) from None
        note_version("")
        return outputs

    def ready(self, until: float) -> bool:
        """As `Transport.ready`."""
        try:
            return self._rest.ready(self._path, until)
        except (SequelaError, RetryableError, DeadlinePassed):
            return False

    def close(self) -> None:
        """As `Transport.close`."""
        self._rest.close()


def instances(feeds: Feeds) -> Any:
    """Returns the rows of a call: arrays if there is one input, and otherwise objects of arrays by input name."""
    # orjson only serialises contiguous arrays.
    arrays = {name: np.ascontiguousarray(values) for name, values in feeds.items()}
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    return [dict(zip(arrays, row, strict=True)) for row in zip(*arrays.values(), strict=True)]


def predictions(given: list[Any], output: str, rows: int) -> NDArray[np.float64]:
    """Reads the predictions of n rows.

    Args:
        given: One prediction for each row.
        output: The output to read if predictions are objects of outputs by name; empty for the only one.
        rows: The number of rows that were sent.

    Returns:
        The output (n, …).

    Raises:
        WrongAnswer: The number of predictions is wrong, or they are not numbers. There is no output of that name, or
            there are several and no name was given.
    """
    if len(given) != rows:
        raise WrongAnswer(f"it has {len(given)} predictions for {rows} rows; it must have one for each row")
    if given and all(isinstance(row, dict) for row in given):
        given = _named_output(given, output)
    return json_floats(given, "predictions")


def _named_output(rows: list[dict[str, Any]], output: str) -> list[Any]:
    """Returns one output of predictions that are objects."""
    held = ", ".join(map(repr, rows[0])) or "none"
    if not output and len(rows[0]) > 1:
        # Do not guess which one is the score, since a score of exactly 1 looks like a label.
        example = f'{{"output": {json.dumps(list(rows[0])[-1])}}}'
        raise WrongAnswer(
            f"predictions have the outputs {held}; name the one that is the score in a schema, as in {example}"
        )
    name = output or next(iter(rows[0]), "")
    if any(name not in row for row in rows):
        raise WrongAnswer(f"predictions have no output {name!r}; they have {held}")
    values = [row[name] for row in rows]
    # Checked here for a message that names the output.
    if any(isinstance(value, str) for value in values):
        raise WrongAnswer(f"output {name!r} holds strings, not numbers; predictions have {held}")
    return values
