"""A model behind the Open Inference Protocol, version 2, over REST."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.answers import (
    WrongAnswer,
    json_floats,
    output_index,
    output_rows,
    valid_tensor,
)
from sequela.adapters.endpoints.failures import RetryableError, invalid_answer_error
from sequela.adapters.endpoints.rest_answers import CONFIG, INFER, METADATA, InferAnswer, read_answer
from sequela.adapters.endpoints.rest_client import Rest
from sequela.adapters.endpoints.signatures import description
from sequela.adapters.endpoints.transport import Description, Feeds, NoteVersion, ignore_version
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import SequelaError
from sequela.oip.json_tensors import json_tensor
from sequela.oip.metadata import model_mismatch, version_missing
from sequela.oip.tensors import known_datatype, named_tensors, reshape_elements


class RestV2Transport:
    """Implements `Transport`."""

    def __init__(self, rest: Rest, version: str) -> None:
        self._rest, self._version = rest, version
        self._path = rest.uri.path + (f"/versions/{version}" if version else "")

    def describe(self, until: float) -> Description:
        """As `Transport.describe`."""
        with self._valid_answer():
            metadata = read_answer(METADATA, self._rest.get(self._path, until), "its metadata").metadata
            problem = model_mismatch(self._rest.uri.name, "", metadata.name, "")
            problem = problem or version_missing(self._version, metadata.versions)
            if problem:
                raise WrongAnswer(f"its metadata {problem}")
        return replace(description(metadata), max_rows=self._max_rows(until))

    def infer(
        self, feeds: Feeds, output: str, until: float, note_version: NoteVersion = ignore_version
    ) -> NDArray[np.float64]:
        """As `Transport.infer`."""
        rows = len(next(iter(feeds.values())))
        with self._valid_answer():
            content = self._rest.post(f"{self._path}/infer", infer_request(feeds, output), until)
            answer = read_answer(INFER, content, "the answer")
            outputs = self._output(answer, output, rows)
        note_version(answer.model_version or "")
        return outputs

    def ready(self, until: float) -> bool:
        """As `Transport.ready`."""
        try:
            return self._rest.ready(f"{self._path}/ready", until)
        except (SequelaError, RetryableError, DeadlinePassed):
            return False

    def close(self) -> None:
        """As `Transport.close`."""
        self._rest.close()

    def _max_rows(self, until: float) -> int | None:
        """Returns the largest batch, which Triton reports. Other servers do not have this path."""
        try:
            content = self._rest.get(f"{self._path}/config", until)
            config = read_answer(CONFIG, content, "its configuration")
        except (SequelaError, WrongAnswer):
            return None
        return config.max_batch_size if config.max_batch_size > 0 else None

    def _output(self, answer: InferAnswer, output: str, rows: int) -> NDArray[np.float64]:
        given = (answer.model_name or "", answer.model_version or "")
        problem = model_mismatch(self._rest.uri.name, self._version, *given)
        if problem:
            raise WrongAnswer(f"the answer {problem}")
        index = output_index([(each.name, each.datatype) for each in answer.outputs], output)
        found = answer.outputs[index]
        with valid_tensor(found.name):
            known_datatype(found.datatype)
            values = json_floats(found.data, f"output {found.name!r}").reshape(-1)
            return output_rows(found.name, reshape_elements(values, found.shape), rows)

    @contextmanager
    def _valid_answer(self) -> Iterator[None]:
        """Raises DoesNotFit (ENDPOINT_ANSWER_INVALID) for a WrongAnswer."""
        try:
            yield
        except WrongAnswer as error:
            raise invalid_answer_error(self._rest.uri, str(error)) from None


def infer_request(feeds: Feeds, output: str) -> dict[str, Any]:
    """Returns the body of a call, with each input's elements as one flat list in row-major order.

    Args:
        feeds: Arrays (n, …) by input name.
        output: The output to return; empty for all.
    """
    inputs = [json_tensor(tensor) for tensor in named_tensors(feeds)]
    return {"inputs": inputs, **({"outputs": [{"name": output}]} if output else {})}
