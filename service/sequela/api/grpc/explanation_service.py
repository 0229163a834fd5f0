"""ExplanationService: decodes requests for the data plane and encodes its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import grpc
import structlog
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.access_record import note_resource, withdraw_resource
from sequela.api.admission.priority import Priority
from sequela.api.dataplane import DataPlane
from sequela.api.encode.explanations import (
    deleted,
    kept_explanation,
    kept_without_sequence,
    summaries,
)
from sequela.api.errors import to_failure
from sequela.api.grpc.context import Context, call_deadline
from sequela.api.grpc.decode import explanations as decode
from sequela.api.grpc.decode.pages import page
from sequela.api.grpc.decode.references import check_source, unchecked_model
from sequela.api.grpc.message_heads import MALFORMED, explain_head, score_head, split_item
from sequela.api.grpc.message_work import ExplainWork, explain_work, item_work, score_work
from sequela.api.grpc.raw_messages import takes_bytes
from sequela.api.grpc.resources import reference_name, resource_of
from sequela.api.grpc.status import item_status
from sequela.api.ordered_stream import in_order
from sequela.api.violations import Violations
from sequela.concurrency.deadline import Deadline
from sequela.errors import InvalidInput
from sequela.explain.request import ModelChoice
from sequela.explain.telemetry import StreamItemHandled
from sequela.log_facts import log_facts
from sequela.spans import span

log = structlog.get_logger("sequela.api")


class ExplanationService(rpc.ExplanationServiceServicer):
    """Explains, scores, and returns stored explanations."""

    def __init__(self, dataplane: DataPlane) -> None:
        self._dataplane = dataplane
        self._policy = dataplane.policy
        self._limits = dataplane.limits

    @takes_bytes
    async def Explain(self, request: bytes, context: Context) -> bytes:  # type: ignore[override]  # the mark
        """Explains one score."""
        head = explain_head(request)
        work = explain_work(request, self._limits, head, Priority.INTERACTIVE)
        return await self._explain(work, head.model, call_deadline(self._policy, context))

    @takes_bytes
    def ExplainStream(  # type: ignore[override]  # the mark
        self, request_iterator: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        """Explains many sequences. A request that fails gets a status of its own."""
        # gRPC sends each answer of this generator as soon as it is there.
        return in_order(request_iterator, partial(self._item, context), self._policy.stream_window)

    @takes_bytes
    async def Score(self, request: bytes, context: Context) -> bytes:  # type: ignore[override]  # the mark
        """Scores sequences without explaining them."""
        head = score_head(request)
        model = _admitted_model(head.model)
        work = score_work(request, self._limits, head)
        return await self._dataplane.score(model, work, call_deadline(self._policy, context))

    async def GetExplanation(
        self, request: pb.GetExplanationRequest, context: Context
    ) -> pb.GetExplanationResponse:
        """Returns a stored explanation."""
        name = decode.explanation_name(request.name)
        encode = kept_without_sequence if request.omit_sequence else kept_explanation
        deadline = call_deadline(self._policy, context)
        return await self._dataplane.get_explanation(name, encode, deadline)

    async def ListExplanations(
        self, request: pb.ListExplanationsRequest, context: Context
    ) -> pb.ListExplanationsResponse:
        """Lists explanations, newest first."""
        violations = Violations()
        wanted_page = page(request, violations)
        wanted = decode.explanation_filter(request, violations, self._limits)
        violations.raise_any()
        deadline = call_deadline(self._policy, context)
        return await self._dataplane.list_explanations(wanted, wanted_page, summaries, deadline)

    async def DeleteExplanation(
        self, request: pb.DeleteExplanationRequest, context: Context
    ) -> pb.DeleteExplanationResponse:
        """Deletes explanations by name, by caller id or by label."""
        wanted = decode.explanation_selector(request, self._limits)
        deadline = call_deadline(self._policy, context)
        found = await self._dataplane.delete_explanations(wanted, deleted, deadline)
        if request.WhichOneof("selector") != "name":
            note_resource(f"{resource_of(request)}, {found.deleted} deleted")
        elif not found.deleted:
            withdraw_resource()
        return found

    async def _item(self, context: Context, index: int, message: bytes) -> bytes:
        with log_facts() as facts, span("explain item", attributes={"sequela.index": index}):
            answer = await self._item_answer(context, index, message)
            log.debug("item", index=index, **facts.fields())
            return answer

    async def _item_answer(self, context: Context, index: int, message: bytes) -> bytes:
        try:
            request, item = split_item(message)
            deadline = call_deadline(self._policy, context, decode.item_timeout(item))
            head = explain_head(request)
            # Streams carry many sequences, so their items are bulk work.
            work = item_work(request, self._limits, head, Priority.BULK)
            found = await self._explain(work, head.model, deadline)
        except InvalidInput as error:
            if error.reason == MALFORMED:
                raise
            return self._failed_item(index, error)
        except Exception as error:  # becomes the status of the item; unexpected errors are logged
            return self._failed_item(index, error)
        self._dataplane.observer.notice(StreamItemHandled(grpc.StatusCode.OK.name))
        # Two messages after each other are one message with the fields of both.
        return pb.ExplainStreamResponse(index=index).SerializeToString() + found

    def _failed_item(self, index: int, error: Exception) -> bytes:
        withdraw_resource()
        failure = to_failure(error)
        log.info("item failed", index=index, **failure.log_facts)
        self._dataplane.observer.notice(StreamItemHandled(failure.codes.grpc.name))
        message = pb.ExplainStreamResponse(index=index, error=item_status(failure))
        return message.SerializeToString()

    async def _explain(self, work: ExplainWork, reference: pb.ModelReference, deadline: Deadline) -> bytes:
        return await self._dataplane.explain(_admitted_model(reference), work, deadline)


def _admitted_model(reference: pb.ModelReference) -> ModelChoice:
    """Returns the model of a request. Raises NotPermitted if the caller must not send one."""
    note_resource(reference_name(reference))
    check_source(reference, "model")
    return unchecked_model(reference)
