"""A background on its way in: a header, then a matrix or the sequences to average."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb

from sequela import names
from sequela.api.grpc.decode.references import background_values, model
from sequela.api.grpc.decode.sequences import sequence
from sequela.api.grpc.decode.violations import Violations
from sequela.errors import InvalidInput, SequelaError
from sequela.explain.background import Background, StoredBackground
from sequela.explain.background_average import Average, Averager, BackgroundShape
from sequela.explain.inputs.columns import named_by_caller
from sequela.explain.inputs.preparation import prepare_background, prepare_sequence
from sequela.explain.limits import Limits
from sequela.explain.ports import Model, Models
from sequela.explain.request import NamedModel

AVERAGES: dict[int, Average] = {
    pb.AVERAGE_UNSPECIFIED: Average.MEAN,
    pb.AVERAGE_MEAN: Average.MEAN,
    pb.AVERAGE_MEDIAN: Average.MEDIAN,
}
SHAPES: dict[int, BackgroundShape] = {
    pb.BACKGROUND_SHAPE_UNSPECIFIED: BackgroundShape.EVENT,
    pb.BACKGROUND_SHAPE_EVENT: BackgroundShape.EVENT,
    pb.BACKGROUND_SHAPE_SEQUENCE: BackgroundShape.SEQUENCE,
}


class BackgroundUpload:
    """Takes one message after the other; synchronous, from one thread at a time."""

    def __init__(
        self, message: pb.CreateBackgroundRequest | None, models: Models, limits: Limits, until: float
    ) -> None:
        """Begins with the first message, a header; has the model by `until` on the monotonic clock.

        Raises InvalidInput, and what the models raise.
        """
        if message is None or message.WhichOneof("part") != "header":
            raise InvalidInput.at("header", "UPLOAD_ORDER", "must come first")
        self._limits = limits
        self._name, self._model, self._averager = _begin(message.header, models, limits, until)
        self._schema = self._model.info.schema
        self._given: Background | None = None

    def take(self, message: pb.CreateBackgroundRequest) -> None:
        """Takes the matrix, or the next sequence. Raises InvalidInput and DoesNotFit."""
        part = message.WhichOneof("part")
        if part == "sequence" and self._given is None:
            self._add(message.sequence)
        elif part == "values" and self._given is None and not self._averager.sequences:
            self._given = self._fit(message.values)
        else:
            text = "either one message of values or sequences follow the header"
            raise InvalidInput.at(part or "part", "UPLOAD_ORDER", text)

    def finish(self) -> StoredBackground:
        """The background under its name. Raises InvalidInput when nothing came."""
        background = self._given or self._averager.finish()
        name = self._name if not self._name.endswith("/") else f"{self._name}{background.digest}"
        return StoredBackground(
            name, background, sequences=self._averager.sequences, averaged_events=self._averager.events
        )

    def _fit(self, values: pb.BackgroundValues) -> Background:
        found = Violations()
        given = background_values(values, "values", found, self._limits)
        found.raise_any()
        return prepare_background(self._model.info.schema, given, self._limits, "values")

    def _add(self, message: pb.Sequence) -> None:
        try:
            found = Violations()
            given = sequence(message, "sequence", found, self._limits)
            found.raise_any()
            # Features without names are called as the first sequence's columns are; the others are matched with it.
            self._schema = named_by_caller(self._schema, given.inputs)
            fitted = prepare_sequence(
                self._schema, self._model.info.fixed_length, given, self._limits, "sequence"
            )
            self._averager.add(fitted.cells)
        except SequelaError as error:  # a field path cannot say which of the sequences it was
            error.metadata["sequence_number"] = str(self._averager.sequences)
            raise


def _begin(
    header: pb.CreateBackgroundHeader, models: Models, limits: Limits, until: float
) -> tuple[str, Model, Averager]:
    """The name (ending in `/` where the digest completes it), the model, and what averages for it."""
    found = Violations()
    found.name("header.name", header.name, names.is_new_background, names.NEW_BACKGROUND_FORMS)
    average = found.choice("header.average", header.average, AVERAGES, Average.MEAN)
    shape = found.choice("header.shape", header.shape, SHAPES, BackgroundShape.EVENT)
    named_owner = names.background_owner(header.name)
    if header.HasField("model") or not named_owner:
        wanted = model(header.model, "header.model", found, limits)
    else:
        wanted = NamedModel(named_owner)
    found.raise_any()
    resolved = models.resolve(wanted, until)
    owner = names.model_owner(resolved.info.name)
    if named_owner not in ("", owner):
        text = f"{header.name}, but the model is {owner}"
        raise InvalidInput.at("header.name", "NAME_INVALID", text)
    return (
        header.name or names.background_prefix(owner),
        resolved,
        Averager(resolved.info.schema, average, shape, limits),
    )
