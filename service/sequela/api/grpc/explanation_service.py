"""ExplanationService: decodes requests for the data plane and encodes its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.dataplane import DataPlane
from sequela.api.encode.explanations import deleted, explanation, kept_explanation, scores, summaries
from sequela.api.errors import to_failure
from sequela.api.grpc.context import Context, call_deadline
from sequela.api.grpc.decode import explanations as decode
from sequela.api.grpc.decode.pages import page
from sequela.api.grpc.decode.references import check_source, unchecked_model
from sequela.api.grpc.status import item_status
from sequela.api.ordered_stream import in_order
from sequela.api.violations import Violations
from sequela.concurrency.deadline import Deadline


class ExplanationService(rpc.ExplanationServiceServicer):
    """Explains, scores, and returns stored explanations."""

    def __init__(self, dataplane: DataPlane) -> None:
        self._dataplane = dataplane
        self._policy = dataplane.policy
        self._limits = dataplane.limits

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        """Explains one score."""
        found = await self._explain(request, call_deadline(self._policy, context))
        return pb.ExplainResponse(explanation=found)

    def ExplainStream(
        self, request_iterator: AsyncIterator[pb.ExplainStreamRequest], context: Context
    ) -> AsyncIterator[pb.ExplainStreamResponse]:
        """Explains many sequences. A request that fails gets a status of its own."""
        # gRPC sends each answer of this generator as soon as it is there.
        return in_order(request_iterator, partial(self._item, context), self._policy.stream_window)

    async def Score(self, request: pb.ScoreRequest, context: Context) -> pb.ScoreResponse:
        """Scores sequences without explaining them."""
        check_source(request.model, "model")
        read = partial(decode.score_request, request, self._limits)
        deadline = call_deadline(self._policy, context)
        return await self._dataplane.score(unchecked_model(request.model), read, scores, deadline)

    async def GetExplanation(
        self, request: pb.GetExplanationRequest, context: Context
    ) -> pb.GetExplanationResponse:
        """Returns a stored explanation."""
        name = decode.explanation_name(request.name)
        deadline = call_deadline(self._policy, context)
        return await self._dataplane.get_explanation(name, kept_explanation, deadline)

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
        return await self._dataplane.delete_explanations(wanted, deleted, deadline)

    async def _item(
        self, context: Context, index: int, message: pb.ExplainStreamRequest
    ) -> pb.ExplainStreamResponse:
        try:
            deadline = call_deadline(self._policy, context, decode.item_timeout(message))
            found = await self._explain(message.request, deadline)
        except Exception as error:  # becomes the status of the item; unexpected errors are logged
            return pb.ExplainStreamResponse(index=index, error=item_status(to_failure(error)))
        return pb.ExplainStreamResponse(index=index, explanation=found)

    async def _explain(self, request: pb.ExplainRequest, deadline: Deadline) -> pb.Explanation:
        check_source(request.model, "model")
        read = partial(decode.explain_request, request, self._limits)
        return await self._dataplane.explain(unchecked_model(request.model), read, explanation, deadline)
