"""A model that another server runs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.connection import Connection, Way
from sequela.adapters.endpoints.feeds import served_feeds
from sequela.adapters.endpoints.model_interface import ModelInterface, read_interface
from sequela.adapters.endpoints.transport import Description
from sequela.adapters.model_io.default_background import default_background
from sequela.adapters.model_io.scores import Scores
from sequela.errors import DoesNotFit
from sequela.explain.evaluate.row_independence import HALF_TOLERANCE, TOLERANCE, RowIndependence
from sequela.explain.limits import Limits
from sequela.explain.ports import Frame, ModelInfo, Recurrence
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True)
class Source:
    """Which model it is, and where that was said, for errors to name."""

    uri: str
    version: str
    revision: str
    schema_json: bytes
    uri_path: str
    schema_path: str

    def pinned(self, description: Description) -> bool:
        """What is served can change with the version alone, which some servers ignore: then they list none; or with the
        revision, which is the operator's word.
        """
        listed = bool(self.version) and self.version in description.versions
        return bool(self.revision) or listed

    def digest(self, description: Description) -> str:
        """The model's identity (docs/design.md §6.2), as 64 hexadecimal digits. Which other versions there are does
        not matter to a pinned one.
        """
        versions = () if self.pinned(description) else description.versions
        said = [repr(description.inputs), repr(description.outputs), versions, description.platform]
        facts = [self.uri, self.version, self.revision, said, hashlib.sha256(self.schema_json).hexdigest()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """Implements `explain.ports.Model`. `doubt` is told when an answer does not fit what the endpoint once said."""

    info: ModelInfo
    reading: ModelInterface
    execution: str
    endpoint: Way
    doubt: Callable[[], None]
    recurrence: Recurrence | None = None

    def named(self, name: str) -> ServedModel:
        """The same model under another name."""
        return replace(self, info=replace(self.info, name=name))

    def work(self, events: int) -> int:
        """As in `Model`: nobody here knows how much it is."""
        return events

    def run(
        self, batch: Cells, frame: Frame, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        """As in `Model.run`. Raises what `Transport.infer` raises, Unavailable for a call that takes too long, and
        DoesNotFit: ENDPOINT_ANSWER_INVALID, MODEL_OUTPUT_NOT_FINITE.
        """
        rows = len(batch.events[0])
        feeds = served_feeds(self.reading, batch, frame)
        ask = partial(self.endpoint.line.transport.infer, feeds, self.reading.output)
        try:
            outputs = self.endpoint.line.traffic.call(self.endpoint.sent(rows), until, ask)
            step = len(frame.before[0]) + batch.length - 1 + output_event
            return self._scores(outputs, len(next(iter(feeds.values()))), step)[:rows]
        except DoesNotFit:
            self.doubt()
            raise

    def _scores(self, outputs: NDArray[np.float64], rows: int, step: int) -> NDArray[np.float64]:
        if outputs.ndim < 1 + bool(self.info.schema.per_event) or len(outputs) != rows:
            raise _not_fitting(f"shape {outputs.shape} for {rows} sequences")
        try:
            return Scores(self.info.schema).at(outputs, step)
        except DoesNotFit as error:
            if error.reason == "MODEL_FAILED":
                raise _not_fitting(error.message) from None
            raise


def open_model(
    name: str,
    source: Source,
    description: Description,
    line: Connection,
    limits: Limits,
    doubt: Callable[[], None],
) -> ServedModel:
    """The model as its endpoint describes it. Raises InvalidInput where it cannot be explained so."""
    reading = read_interface(description, source.schema_json, limits, source.uri_path, source.schema_path)
    background = default_background(reading.schema, limits, source.schema_path)
    way = Way(
        source.uri,
        source.version,
        source.revision,
        source.pinned(description),
        line,
        description.most_rows,
        reading.sizes.batch,
        RowIndependence(HALF_TOLERANCE if reading.in_halves else TOLERANCE),
    )
    execution = _execution(source, description)
    digest = source.digest(description)
    info = ModelInfo(name, digest, reading.schema, reading.sizes.length, background, reading.warnings)
    return ServedModel(info, reading, execution, way, doubt)


def _execution(source: Source, description: Description) -> str:
    facts: list[Any] = [f"at {source.uri}"]
    facts += [f"version {source.version}"] if source.version else []
    facts += [f"revision {source.revision}"] if source.revision else []
    facts += [] if source.pinned(description) else ["nothing pins what is served: answers are not reused"]
    facts += [f"platform {description.platform}"] if description.platform else []
    return "; ".join(facts)


def _not_fitting(text: str) -> DoesNotFit:
    return DoesNotFit("ENDPOINT_ANSWER_INVALID", f"the endpoint's answer does not fit the model: {text}")
