"""Explains and scores, independent of any transport. gRPC and REST translate to and from these operations.

An operation takes plain requests and returns its result as converted by `encode`. Everything that takes time, including
reading and writing messages, runs in the threads of an executor, so that the event loop is never blocked. `catalog` has
the operations on models and backgrounds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from sequela.api.access_record import current_caller, current_client
from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import RequestShape, shape_of
from sequela.api.admission.ticket import Ticket
from sequela.api.deadline_policy import DeadlinePolicy
from sequela.api.engine_port import EngineRequest, Engines
from sequela.api.executors import Executor, Executors
from sequela.api.ordered_stream import in_order
from sequela.api.pages import MAX_PAGE_SIZE, PageRequest
from sequela.concurrency.deadline import Deadline
from sequela.errors import DoesNotFit, Forbidden, SequelaError, Unavailable
from sequela.explain.explanation import Explanation
from sequela.explain.explanation_query import Deleted, Filter, Selector
from sequela.explain.explanation_summary import ExplanationSummary
from sequela.explain.kept_explanation import EncodedExplanation, KeptExplanation
from sequela.explain.limits import Limits
from sequela.explain.ports import (
    Explanations,
    ModelInfo,
    ModelRecord,
    Models,
    ModelSource,
    Observer,
    Page,
)
from sequela.explain.request import EndpointModel, ExplainRequest, ModelChoice, ScoreRequest
from sequela.explain.service import Explainer, ScoreResult
from sequela.explain.stage_timer import timed
from sequela.names import parse_name

T = TypeVar("T")
Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """Where work on a model is done.

    Attributes:
        executor: The executor for it.
        explainer: What the executor's threads call.
        record: The record of a model of the operator; None for others. While a request refers to it, the model can be
            run, even if its folder is removed meanwhile.
        in_engines: The same record if the model runs in engines, which the threads then call instead.
        digest: The digest of a model of the operator; empty for others.
    """

    executor: Executor
    explainer: Explainer
    record: ModelRecord | None = None
    in_engines: ModelRecord | None = None
    digest: str = ""

    def ticket(self, shape: RequestShape, priority: Priority) -> Ticket:
        """Returns the ticket for a request of the current caller."""
        return Ticket(current_client(), priority, self.digest, shape)


@dataclass(frozen=True, slots=True, eq=False)
class Work(Generic[Request, Result]):
    """A request, for this process and for an engine.

    Attributes:
        read: Decodes the request.
        encode: Encodes the answer, in the form in which an engine returns it.
        request: The request as an engine gets it.
        shape: The size of the request.
        priority: The queue that it waits in.
    """

    read: Callable[[], Request]
    encode: Callable[[Result], bytes]
    request: EngineRequest
    shape: RequestShape
    priority: Priority


@dataclass(frozen=True, slots=True, eq=False)
class DataPlane:
    """The operations on explanations and scores. Each raises as the explainer, the ports and `Executor.run` do.

    `read` decodes the request and `encode` encodes the answer; both are called in the executor's thread. If an
    operation also takes a model, it must be the one in the request. It determines the executor, and whether an engine
    does the work, before the request is decoded.

    Attributes:
        explainer: Explains with the operator's models and with models behind endpoints.
        upload_explainer: Explains with models from callers.
        models: The models.
        explanations: The stored explanations.
        executors: Where the operations run.
        engines: Processes that run models of the operator.
        policy: The deadlines of calls.
        limits: The service's limits.
        observer: Receives the duration of decoding.
    """

    explainer: Explainer
    upload_explainer: Explainer
    models: Models
    explanations: Explanations
    executors: Executors
    engines: Engines
    policy: DeadlinePolicy
    limits: Limits
    observer: Observer

    def pick_lane(self, model: ModelChoice) -> Lane:
        """Returns where work on a model is done, without checking that the model exists or calling its endpoint."""
        record = self.models.configured(model)
        if isinstance(model, EndpointModel) or (record and record.source is ModelSource.ENDPOINT):
            return Lane(self.executors.remote, self.explainer, record)
        if record:
            taken = record if self.engines.take(record) else None
            return Lane(self.executors.explain, self.explainer, record, taken, record.digest)
        return Lane(self.executors.uploads, self.upload_explainer)

    async def explain(
        self,
        model: ModelChoice,
        work: Work[ExplainRequest, EncodedExplanation],
        deadline: Deadline,
    ) -> bytes:
        """Explains one score."""
        lane = self.pick_lane(model)
        name = current_caller().name
        ticket = lane.ticket(work.shape, work.priority)

        def answer() -> bytes:
            if lane.in_engines:
                request = replace(
                    work.request,
                    requested_by=name,
                    error_factor=ticket.error_factor,
                    share_seconds=ticket.share_seconds,
                )
                return self.engines.run(request, lane.in_engines, deadline)
            read = timed(self.observer, "decode", work.read)
            asked = _on_terms(replace(read, requested_by=name), ticket)
            return work.encode(lane.explainer.answer(asked, deadline))

        return await lane.executor.run(answer, deadline, ticket)

    async def explain_batch(
        self,
        requests: Sequence[ExplainRequest],
        encode: Callable[[ExplainRequest, Explanation], T],
        deadline: Deadline,
    ) -> list[T]:
        """Explains the rows of a batch, all with the same model. Raises the error of the first row that fails.

        A few rows are explained concurrently, each within a fair share of the time left, so that all of them can be
        answered. The metadata of an error contains the index of its row (`row`).
        """
        lane = self.pick_lane(requests[0].model)
        name = current_caller().name
        # More rows than threads would only wait while their deadlines pass.
        window = min(lane.executor.threads, self.policy.stream_window)

        async def answer(index: int, request: ExplainRequest) -> T:
            # Cancelling one row must not cancel the others.
            own = deadline.beside()
            asked = replace(request, requested_by=name)
            ticket = lane.ticket(shape_of(asked), Priority.INTERACTIVE)
            # This row and the rows after it are worked on `window` at a time, so it gets one round of the time left.
            share = window / (len(requests) - index - 1 + window)
            work = partial(self._explain_row, lane, index, asked, encode, own, share, ticket)
            return await lane.executor.run(work, own, ticket)

        return [each async for each in in_order(_iterate(requests), answer, window)]

    async def score(
        self,
        model: ModelChoice,
        work: Work[ScoreRequest, ScoreResult],
        deadline: Deadline,
    ) -> bytes:
        """Scores sequences without explaining them."""
        lane = self.pick_lane(model)

        def answer() -> bytes:
            if lane.in_engines:
                return self.engines.run(work.request, lane.in_engines, deadline)
            return work.encode(lane.explainer.score(work.read(), deadline))

        return await lane.executor.run(answer, deadline, lane.ticket(work.shape, work.priority))

    async def score_rows(
        self, request: ScoreRequest, encode: Callable[[ScoreResult], T], deadline: Deadline
    ) -> T:
        """Scores the rows of a batch."""
        lane = self.pick_lane(request.model)

        def answer() -> T:
            if lane.in_engines:
                return encode(self.engines.score_rows(request, lane.in_engines, deadline))
            return encode(lane.explainer.score(request, deadline))

        ticket = lane.ticket(shape_of(request), Priority.INTERACTIVE)
        return await lane.executor.run(answer, deadline, ticket)

    async def get_explanation(
        self, name: str, encode: Callable[[KeptExplanation], T], deadline: Deadline
    ) -> T:
        """Returns a stored explanation."""
        return await self._look_up(lambda: encode(self.explanations.get(name)), deadline)

    async def list_explanations(
        self,
        wanted: Filter,
        page: PageRequest,
        encode: Callable[[Page[ExplanationSummary]], T],
        deadline: Deadline,
    ) -> T:
        """Lists explanations, newest first."""
        return await self._look_up(
            lambda: encode(self.explanations.list(wanted, page.size, page.token)), deadline
        )

    async def delete_explanations(
        self, wanted: Selector, encode: Callable[[Deleted], T], deadline: Deadline
    ) -> T:
        """Deletes explanations. If the deadline passes, the rest is deleted in the background."""
        return await self._look_up(lambda: encode(self.explanations.delete(wanted, deadline.end)), deadline)

    async def read_for(self, model: ModelChoice, read: Callable[[ModelInfo], T], deadline: Deadline) -> T:
        """Finds a model, and returns the result of `read` for its properties.

        A body for an unknown model is not parsed. Raises what `Models.resolve` and `read` raise.
        """
        return await self._pick_lookup(model).run(lambda: read(self.models.info(model, deadline)), deadline)

    async def model_names(self, deadline: Deadline) -> list[str]:
        """Returns the short names of all models, without versions."""
        return await self._look_up(self._model_names, deadline)

    async def model_problem(self, model: ModelChoice, deadline: Deadline) -> SequelaError | None:
        """Returns why a model cannot be explained at present, or None if it can.

        Raises NotFound if there is no such model.
        """
        try:
            await self._pick_lookup(model).run(lambda: self.models.info(model, deadline), deadline)
        # These errors describe the model. All others are mistakes of the call.
        except (Unavailable, DoesNotFit, Forbidden) as error:
            return error
        return None

    async def write(self, work: Callable[[], T]) -> T:
        """Encodes an answer in the time that was reserved for this. Rows may have used up all other time."""
        return await self.executors.lookup.run(work, Deadline(self.policy.default_timeout))

    async def _look_up(self, work: Callable[[], T], deadline: Deadline) -> T:
        return await self.executors.lookup.run(work, deadline)

    def _pick_lookup(self, model: ModelChoice) -> Executor:
        """Returns the executor for looking up a model's properties. A model from a caller may have to be loaded."""
        lane = self.pick_lane(model)
        return lane.executor if lane.executor is self.executors.uploads else self.executors.lookup

    def _explain_row(
        self,
        lane: Lane,
        index: int,
        request: ExplainRequest,
        encode: Callable[[ExplainRequest, Explanation], T],
        deadline: Deadline,
        share: float,
        ticket: Ticket,
    ) -> T:
        deadline.shorten(share)
        request = _on_terms(request, ticket)
        try:
            if not lane.in_engines:
                return encode(request, lane.explainer.explain(request, deadline))
            return encode(request, self.engines.explain_row(request, lane.in_engines, deadline))
        except SequelaError as error:
            error.metadata["row"] = str(index)
            raise

    def _model_names(self) -> list[str]:
        names, token = dict[str, None](), ""
        while True:
            page = self.models.list(MAX_PAGE_SIZE, token)
            # A model with several versions is listed once, in the order of the first.
            names |= dict.fromkeys(parse_name(record.name, "name").model for record in page.items)
            if not (token := page.next_token):
                return list(names)


async def _iterate(requests: Sequence[ExplainRequest]) -> AsyncIterator[ExplainRequest]:
    for request in requests:
        yield request


def _on_terms(request: ExplainRequest, ticket: Ticket) -> ExplainRequest:
    """Returns the request as the server can answer it at present."""
    return replace(request, error_factor=ticket.error_factor, share_seconds=ticket.share_seconds)
