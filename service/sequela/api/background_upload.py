"""A background that is uploaded in parts: a header, then its values or the sequences to average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sequela import names
from sequela.concurrency.deadline import Deadline
from sequela.errors import InvalidInput, SequelaError
from sequela.explain.background import Background, StoredBackground
from sequela.explain.background_average import Average, Averager, BackgroundShape
from sequela.explain.inputs.columns import named_columns, with_caller_names
from sequela.explain.inputs.preparation import prepare_background, prepare_sequence
from sequela.explain.limits import Limits
from sequela.explain.ports import Models
from sequela.explain.request import GivenBackground, GivenSequence, ModelChoice


@dataclass(frozen=True, slots=True)
class BackgroundHeader:
    """The first part of an upload.

    Attributes:
        name: `models/m/backgrounds/b`. If `b` or the whole name is missing, the digest is used for `b`.
        model: The model that the background is for.
        average: How sequences are averaged.
        shape: Whether sequences are averaged to one event or to a sequence.
    """

    name: str
    model: ModelChoice
    average: Average = Average.MEAN
    shape: BackgroundShape = BackgroundShape.EVENT


class BackgroundUpload:
    """Receives the parts one after another. It blocks, and must not be used from several threads at once."""

    def __init__(self, header: BackgroundHeader, models: Models, limits: Limits, deadline: Deadline) -> None:
        """Finds the model, by the deadline.

        Raises InvalidInput if the name belongs to a different model, and as `Models.resolve` raises.
        """
        self._limits = limits
        self._model = models.info(header.model, deadline)
        owner = names.model_owner(self._model.name)
        if names.background_owner(header.name) not in ("", owner):
            text = (
                f"{header.name} is not a name for a background of {owner}; it must begin with "
                f"{names.background_prefix(owner)}"
            )
            raise InvalidInput.at("header.name", "NAME_INVALID", text)
        # `finish` appends the digest, which is not known before the content.
        self._name = header.name or names.background_prefix(owner)
        self._averager = Averager(self._model.schema, header.average, header.shape, limits)
        self._schema = self._model.schema
        self._given: Background | None = None

    def add_values(self, read: Callable[[], GivenBackground]) -> None:
        """Receives the values of the background. Raises InvalidInput and DoesNotFit."""
        # Values are sent once, and exclude sequences.
        if self._given is not None or self._averager.sequences:
            raise wrong_order("values")
        self._given = prepare_background(self._model.schema, read(), self._limits, "values")

    def add_sequence(self, read: Callable[[], GivenSequence]) -> None:
        """Adds a sequence to the average. Raises InvalidInput and DoesNotFit, with the sequence's index as metadata."""
        if self._given is not None:
            raise wrong_order("sequence")
        try:
            self._add(read())
        except SequelaError as error:
            # All sequences have the same field path, so the path alone does not identify the sequence.
            error.metadata["sequence_number"] = str(self._averager.sequences)
            raise

    def finish(self) -> StoredBackground:
        """Returns the named background. Raises InvalidInput if nothing followed the header."""
        # `finish` of the averager raises the error if neither values nor sequences were sent.
        given = self._given or self._averager.finish()
        background = replace(given, columns=named_columns(self._model.schema))
        name = f"{self._name}{background.digest}" if self._name.endswith("/") else self._name
        return StoredBackground(
            name, background, sequences=self._averager.sequences, averaged_events=self._averager.events
        )

    def _add(self, given: GivenSequence) -> None:
        # Features without names get the column names of the first sequence; later sequences are matched to these.
        self._schema = with_caller_names(self._schema, given.inputs)
        prepared = prepare_sequence(self._schema, self._model.fixed_length, given, self._limits)
        self._averager.add(prepared.cells)


def wrong_order(part: str) -> InvalidInput:
    """Returns the error for a part that is sent out of order."""
    text = (
        "the header must be followed either by one message with values, or by messages with one sequence each"
    )
    return InvalidInput.at(part, "UPLOAD_ORDER", text)
