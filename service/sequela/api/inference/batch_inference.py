"""Explains and scores the rows of one call, whatever protocol it came by: as many questions of sequela.v1."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.deadline_policy import DeadlinePolicy
from sequela.api.executors import Executor, Executors
from sequela.api.grpc.decode import requests
from sequela.api.grpc.decode.references import model
from sequela.api.grpc.decode.violations import Violations
from sequela.api.inference.error_paths import Tell, retelling
from sequela.api.inference.parameters import Parameters
from sequela.api.ordered_stream import in_order
from sequela.concurrency.deadline import Deadline
from sequela.explain.limits import Limits
from sequela.explain.ports import Model, Models
from sequela.explain.request import GivenSequence, Level, NamedModel
from sequela.explain.result.explanation import Explanation
from sequela.explain.service import Explainer, ScoreResult
from sequela.names import is_digest

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Rows to explain by a model that was found, and how. levels: those to work out; None: as the options say."""

    model: Model
    rows: tuple[pb.Sequence, ...]
    parameters: Parameters
    tell: Tell
    levels: tuple[Level, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """What stands behind all inference doors. Rows take turns with all other work, in the executors."""

    explainer: Explainer
    models: Models
    executors: Executors
    policy: DeadlinePolicy
    limits: Limits

    async def looked_up(self, work: Callable[[], T], deadline: Deadline) -> T:
        """What is no explaining: reading a request, finding a model."""
        return await self.executors.lookup.run(work, deadline)

    async def written(self, work: Callable[[], T]) -> T:
        """Writes an answer, in the time that was kept back for it: rows may have used all other."""
        return await self.executors.lookup.run(work, Deadline(self.policy.default_timeout))

    def model(self, name: str, version: str, tell: Tell, until: float) -> Model:
        """The model by name, `m/v` or digest. Raises what `Models.resolve` raises."""
        with retelling(tell):
            found = Violations()
            choice = model(reference(name, version), "model", found, self.limits)
            found.raise_any()
            return self.models.resolve(choice, until)

    async def explained(
        self, asked: Questions, deadline: Deadline, finish: Callable[[GivenSequence, Explanation], T]
    ) -> list[T]:
        """What `finish` makes of every row's explanation, in the worker's thread; raises the first row's error.

        A few rows are worked on at a time, each in a fair share of the time left, so that all are answered also where
        they have to wait for each other.
        """

        async def answer(index: int, _: pb.Sequence) -> T:
            own = deadline.beside()
            return await self._executor(asked).run(partial(self._explain, asked, index, own, finish), own)

        return [each async for each in in_order(_each(asked.rows), answer, self._abreast(asked))]

    async def scored(self, asked: Questions, deadline: Deadline) -> ScoreResult:
        """Raw scores of all rows."""
        return await self._executor(asked).run(partial(self._score, asked, deadline), deadline)

    def _executor(self, asked: Questions) -> Executor:
        return self.executors.remote if asked.model.endpoint else self.executors.explain

    def _abreast(self, asked: Questions) -> int:
        return min(self._executor(asked).seats, self.policy.stream_window)

    def _explain(
        self,
        asked: Questions,
        index: int,
        deadline: Deadline,
        finish: Callable[[GivenSequence, Explanation], T],
    ) -> T:
        after, abreast = len(asked.rows) - index - 1, self._abreast(asked)
        deadline.shorten(abreast / (after + abreast))
        with retelling(asked.tell, index):
            question = requests.question(_request(asked, asked.rows[index]), self.limits)
            if asked.levels is not None:
                question = replace(question, options=replace(question.options, levels=asked.levels))
            return finish(question.sequence, self.explainer.explain(question, deadline))

    def _score(self, asked: Questions, deadline: Deadline) -> ScoreResult:
        with retelling(asked.tell):
            given = asked.parameters.said
            request = pb.ScoreRequest(
                model=pb.ModelReference(name=asked.model.info.name),
                sequences=asked.rows,
                targets=given.targets,
            )
            if given.HasField("output_event"):
                request.output_event = given.output_event
            wanted = requests.score_question(request, self.limits)
            return self.explainer.score(
                NamedModel(asked.model.info.name),
                wanted.sequences,
                wanted.targets,
                wanted.output_event,
                deadline,
            )


def reference(name: str, version: str) -> pb.ModelReference:
    """A model by the names that inference protocols have for it."""
    if not version and is_digest(name.lower()):
        return pb.ModelReference(digest=name)
    return pb.ModelReference(name=f"{name}/{version}" if version else name)


def _request(asked: Questions, row: pb.Sequence) -> pb.ExplainRequest:
    given = asked.parameters
    return pb.ExplainRequest(
        model=pb.ModelReference(name=asked.model.info.name),
        background=given.background,
        sequence=row,
        options=given.said,
        caller_id=given.caller_id,
    )


async def _each(rows: tuple[pb.Sequence, ...]) -> AsyncIterator[pb.Sequence]:
    for row in rows:
        yield row
