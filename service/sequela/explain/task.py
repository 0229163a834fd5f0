"""Resolves a request to a task: finds the model and the background, and checks that they fit the sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline
from sequela.errors import DoesNotFit, InvalidInput, Violation
from sequela.explain.background import Background
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.inputs.columns import (
    check_background_columns,
    check_not_transposed,
    column_warnings,
    with_caller_names,
)
from sequela.explain.inputs.preparation import PreparedSequence, prepare_background, prepare_sequence
from sequela.explain.inputs.scales import raw_value_warnings
from sequela.explain.layout import Layout, layout
from sequela.explain.limits import Limits
from sequela.explain.object_cache import kept_for_object
from sequela.explain.ports import BackgroundFinder, Model, ModelResolver
from sequela.explain.request import (
    DigestedBackground,
    ExplainRequest,
    GivenBackground,
    NamedBackground,
)
from sequela.explain.schema import ModelSchema
from sequela.explain.targets import Targets, chosen_targets
from sequela.names import background_name, model_owner
from sequela.timeshap.cells import Cells
from sequela.timeshap.players import Extent


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A request together with the model, the background and the targets that it names.

    Attributes:
        request: The request, including the levels that its levels require.
        model: The model.
        layout: The model's features. They have the caller's names if the model has none.
        prepared: The sequence, converted to what the model takes.
        background: The background.
        background_name: The name of the background; empty if it has none.
        targets: The outputs to explain.
        warnings: What was assumed about the caller's data.
    """

    request: ExplainRequest
    model: Model
    layout: Layout
    prepared: PreparedSequence
    background: Background
    background_name: str
    targets: Targets
    warnings: tuple[ExplanationWarning, ...] = ()

    @property
    def extent(self) -> Extent:
        """The size of the sequence."""
        return self.layout.extent(self.prepared.cells.length)

    def background_cells(self) -> Cells:
        """B, with as many events as the sequence."""
        return self.background.cells(
            self.prepared.cells.length,
            [item.name for item in self.layout.events],
            [item.name for item in self.layout.static],
        )


def resolve(
    request: ExplainRequest,
    models: ModelResolver,
    backgrounds: BackgroundFinder,
    limits: Limits,
    deadline: Deadline,
) -> Task:
    """Resolves a request: finds and checks everything that it names.

    Args:
        request: The request.
        models: The models that can be explained.
        backgrounds: Stored backgrounds.
        limits: The service's limits.
        deadline: When the model must be loaded.

    Raises:
        InvalidInput: The request is invalid.
        NotFound: The model or the background does not exist.
        DoesNotFit: Model, sequence and background do not fit together.
    """
    model = models.resolve(request.model, deadline)
    sequence, options, paths = request.sequence, request.options, request.paths
    prepared = prepare_sequence(model.info.schema, model.info.fixed_length, sequence, limits)
    check_not_transposed(model.info.schema, [event.id for event in sequence.events], sequence.paths.events)
    check_output_event(
        options.output_event, model.info.schema, prepared.cells.length, paths.option("output_event")
    )
    targets = chosen_targets(model.info.schema, options.targets, limits, paths.option("targets"))
    # Arrays are checked by the model's own schema. The one with the caller's names is for a background that is
    # sent, and for what people read.
    schema = with_caller_names(model.info.schema, request.sequence.inputs)
    shapes = layout(schema)
    name, background = _background(request, model, schema, backgrounds, limits)
    _check_background(background, model.info.schema, paths.background)
    warnings = (
        *prepared.warnings,
        *_warnings(request, schema, model.info.schema),
        *_longer(request, background, prepared),
        *raw_value_warnings(shapes, prepared.cells),
    )
    task = Task(request, model, shapes, prepared, background, name, targets, warnings)
    equal = tuple(_equal(task))
    return replace(task, warnings=(*warnings, *equal)) if equal else task


def _equal(task: Task) -> Iterator[ExplanationWarning]:
    """Yields a warning if a background matrix equals the sequence, so that there is nothing to explain.

    Values are compared bit by bit, as for null players.
    """
    if task.background.length <= 1:
        return
    pairs = zip(_arrays(task.prepared.cells), _arrays(task.background_cells()), strict=True)
    if all(own.tobytes() == other.tobytes() for own, other in pairs):
        text = (
            "The sequence equals its background in every value, so all attributions are 0. "
            "Check that the sequence itself was not sent as the background."
        )
        yield ExplanationWarning("SEQUENCE_EQUALS_BACKGROUND", text)


def _arrays(cells: Cells) -> tuple[NDArray[Any], ...]:
    return (*cells.events, *cells.static)


def _warnings(request: ExplainRequest, schema: ModelSchema, own: ModelSchema) -> Iterator[ExplanationWarning]:
    """Yields warnings about columns that were matched by position.

    `schema` has the caller's names, `own` the model's.
    """
    yield from column_warnings(own, request.sequence.inputs, "sequence")
    if isinstance(request.background, GivenBackground):
        yield from column_warnings(schema, request.background.inputs, "background")


def _longer(
    request: ExplainRequest, background: Background, prepared: PreparedSequence
) -> Iterator[ExplanationWarning]:
    """Yields a warning if a background that was sent has more rows than the sequence: it may be a set of samples."""
    length = prepared.cells.length
    sent = isinstance(request.background, GivenBackground | DigestedBackground)
    if sent and background.length > max(length, 1):
        text = (
            f"The background has {background.length} rows, but the sequence has {length} events. The last "
            f"{length} rows "
            "were used, one for each event. If the rows are samples, send their average instead."
        )
        yield ExplanationWarning("BACKGROUND_LONGER_THAN_SEQUENCE", text)


def _background(
    request: ExplainRequest,
    model: Model,
    schema: ModelSchema,
    backgrounds: BackgroundFinder,
    limits: Limits,
) -> tuple[str, Background]:
    match request.background:
        case None:
            if model.info.default_background is None:
                text = (
                    f"model {model.info.name} has no default background; {request.paths.background_choices}, "
                )
                text += 'or put "background" into its schema.json'
                raise DoesNotFit(
                    "BACKGROUND_MISSING", text, violations=[Violation(request.paths.background, text)]
                )
            return "", model.info.default_background
        case NamedBackground(name):
            full = background_name(model_owner(model.info.name), name)
            stored = backgrounds.get(full).background
            check_background_columns(stored, model.info.schema, full, request.paths.background)
            return full, stored
        case DigestedBackground(digest):
            return "", backgrounds.by_digest(digest)
        case GivenBackground() as given:
            path = f"{request.paths.background}.values"
            background = prepare_background(schema, given, limits, path)
            # Later requests may then send the digest instead of the values.
            backgrounds.remember(background)
            return "", background


def _check_background(background: Background, schema: ModelSchema, path: str) -> None:
    """Raises DoesNotFit if names, widths or types differ, since a stored background may belong to a different model."""
    want = _background_forms(schema)
    have = {
        name: (rows.shape[-1], rows.dtype) for name, rows in {**background.rows, **background.static}.items()
    }
    if want == have:
        return
    differing = sorted(name for name in want.keys() | have.keys() if want.get(name) != have.get(name))
    text = f"the background does not fit the model at {', '.join(differing)}"
    raise DoesNotFit("BACKGROUND_DOES_NOT_FIT", text, violations=[Violation(path, text)])


@kept_for_object
def _background_forms(schema: ModelSchema) -> dict[str, tuple[int, np.dtype[Any]]]:
    """Returns the width and the element type that a background must have for each input."""
    shapes = layout(schema)
    return {item.name: (item.width, np.dtype(item.dtype.value)) for item in (*shapes.events, *shapes.static)}


def check_output_event(event: int, schema: ModelSchema, length: int, path: str) -> None:
    """Raises InvalidInput if the model has no output for this event t <= 0."""
    problem: InvalidInput | None = None
    if event and not schema.per_event:
        problem = InvalidInput.at(
            path,
            "OUTPUT_EVENT_UNSUPPORTED",
            f"must be 0, not {event}, because the model has only one output for a sequence",
        )
    elif not -length < event <= 0:
        problem = InvalidInput.at(
            path, "OUTPUT_EVENT_OUT_OF_RANGE", f"must be from {1 - length} to 0, not {event}"
        )
    if problem:
        raise problem
