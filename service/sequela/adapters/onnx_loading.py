"""From bytes to a model that can be run: read, refuse, find the schema, open a session, try it out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sequela.adapters.onnx_feeds import Feeder
from sequela.adapters.onnx_file import read_onnx
from sequela.adapters.onnx_graph import Graph, read_graph
from sequela.adapters.onnx_model import OnnxModel
from sequela.adapters.onnx_outputs import output_layout
from sequela.adapters.onnx_probe import Probed, probe
from sequela.adapters.onnx_schema import complete_schema, draft_schema, output_name
from sequela.adapters.onnx_session import open_session
from sequela.errors import InvalidInput
from sequela.explaining.background import Background
from sequela.explaining.fitting import fit_background
from sequela.explaining.limits import Limits
from sequela.explaining.question import GivenBackground, NamedArray
from sequela.explaining.schema import InputSchema, ModelSchema, Role


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """A model as it came, and where its two parts stand in the request, for errors to name."""

    onnx: bytes = field(repr=False)
    schema_json: bytes = field(repr=False)
    onnx_path: str
    schema_path: str

    @property
    def digest(self) -> str:
        """SHA-256 over the ONNX bytes, then the schema's; 64 hexadecimal digits."""
        return hashlib.sha256(self.onnx + self.schema_json).hexdigest()


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads models under the server's limits. `threads` is the size of each session's thread pools."""

    limits: Limits = field(default_factory=Limits)
    threads: int = 1

    def load(self, name: str, source: ModelBytes) -> OnnxModel:
        """The model, self-checked.

        Raises InvalidInput for bytes and schemas that are wrong (reasons: see the modules called here),
        DoesNotFit where the model does not run.
        """
        file = read_onnx(source.onnx, self.limits, source.onnx_path)
        graph = read_graph(file.model, source.onnx_path)
        draft = draft_schema(file, graph, source.schema_json, source.onnx_path, source.schema_path)
        output = output_name(draft, graph)
        fixed_batch, fixed_length = (
            graph.fixed_batch(source.onnx_path),
            _fixed_length(draft.schema.inputs, graph, draft.path),
        )
        session = open_session(source.onnx, output, fixed_batch, self.threads, self.limits, source.onnx_path)
        feeder = Feeder(draft.schema.inputs, graph)
        probed = probe(feeder, session, fixed_length)
        layout = output_layout(probed.shapes, output, draft.per_event, draft.path)
        schema = complete_schema(draft, file, output, layout)
        return OnnxModel(
            name=name,
            digest=source.digest,
            schema=schema,
            fixed_length=fixed_length,
            default_background=_default_background(schema, self.limits, draft.path),
            execution=_execution(fixed_length, fixed_batch, self.threads, probed),
            size=len(source.onnx),
            feeder=feeder,
            session=session,
        )


def _fixed_length(inputs: Sequence[InputSchema], graph: Graph, path: str) -> int | None:
    """The number of events that the graph takes, where that is fixed. Raises InvalidInput where inputs
    disagree.
    """
    over_time = {item.name for item in inputs if item.role in (Role.EVENTS, Role.MASK)}
    fixed = {
        item.name: item.axes[1]
        for item in graph.inputs
        if item.name in over_time and isinstance(item.axes[1], int)
    }
    if len(set(fixed.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in fixed.items())
        raise InvalidInput.at(
            path, "MODEL_INPUT_UNSUPPORTED", f"its inputs take different numbers of events: {shown}"
        )
    length = next(iter(fixed.values()), None)
    return length if isinstance(length, int) else None


def _default_background(schema: ModelSchema, limits: Limits, path: str) -> Background | None:
    if schema.background is None:
        return None
    try:
        inputs = tuple(NamedArray(name, _array(name, rows)) for name, rows in schema.background.items())
        return fit_background(schema, GivenBackground(inputs), limits, "background")
    except InvalidInput as error:
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", error.message) from None


def _array(name: str, rows: Sequence[float] | Sequence[Sequence[float]]) -> NDArray[np.float64]:
    if len({len(row) for row in rows if isinstance(row, Sequence)}) > 1:
        raise InvalidInput.at("background", "SCHEMA_DOES_NOT_FIT", f"the rows of {name!r} differ in length")
    return np.array(rows, dtype=np.float64)


def _execution(fixed_length: int | None, fixed_batch: int | None, threads: int, probed: Probed) -> str:
    facts = [
        f"whole graph on onnxruntime {onnxruntime.__version__}, CPU, {threads} thread{'s'[: threads > 1]}"
    ]
    if fixed_length is not None:
        facts.append(f"{fixed_length} events in every call")
    if fixed_batch is not None:
        facts.append(f"{fixed_batch} sequence{'s'[: fixed_batch > 1]} in every call")
    if not probed.independent_rows:
        facts.append(
            "WARNING: the rows of a batch influence each other, so attributions depend on how batches are cut"
        )
    return "; ".join(facts)
