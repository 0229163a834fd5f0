"""ExplanationService: decode -> explain -> encode, in threads; the event loop only waits."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.deadline_policy import Context, DeadlinePolicy
from sequela.api.grpc import status
from sequela.api.grpc.decode import pages, requests
from sequela.api.grpc.decode.violations import Violations
from sequela.api.grpc.encode.common import cost
from sequela.api.grpc.encode.explanations import explanation, summary
from sequela.api.grpc.executor_choice import Seating
from sequela.api.ordered_stream import in_order
from sequela.concurrency.deadline import Deadline
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.ports import Explanations
from sequela.explain.service import Explainer


class ExplanationService(rpc.ExplanationServiceServicer):
    """Explains, scores, and gives back explanations made before."""

    def __init__(
        self,
        explainer: Explainer,
        explanations: Explanations,
        seating: Seating,
        policy: DeadlinePolicy,
        limits: Limits,
    ) -> None:
        self._explainer = explainer
        self._seating = seating
        self._explanations = explanations
        self._executors = seating.executors
        self._policy = policy
        self._limits = limits

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        """Explains one score."""
        found = await self._explained(request, self._policy.deadline(context))
        return pb.ExplainResponse(explanation=found)

    def ExplainStream(
        self, request_iterator: AsyncIterator[pb.ExplainStreamRequest], context: Context
    ) -> AsyncIterator[pb.ExplainStreamResponse]:
        """Explains many sequences; a request that fails is answered with its own status."""
        answer = functools.partial(self._item, context)
        return in_order(request_iterator, answer, self._policy.stream_window)

    async def Score(self, request: pb.ScoreRequest, context: Context) -> pb.ScoreResponse:
        """Scores sequences without explaining them."""
        deadline = self._policy.deadline(context)
        executor = self._seating.executor(request.model)
        return await executor.run(functools.partial(self._score, request, deadline), deadline)

    async def GetExplanation(
        self, request: pb.GetExplanationRequest, context: Context
    ) -> pb.GetExplanationResponse:
        """Gives back an explanation as it was made."""
        deadline = self._policy.deadline(context)
        return await self._executors.lookup.run(functools.partial(self._get, request), deadline)

    async def ListExplanations(
        self, request: pb.ListExplanationsRequest, context: Context
    ) -> pb.ListExplanationsResponse:
        """Lists explanations, newest first."""
        deadline = self._policy.deadline(context)
        return await self._executors.lookup.run(functools.partial(self._list, request), deadline)

    async def _item(
        self, context: Context, index: int, message: pb.ExplainStreamRequest
    ) -> pb.ExplainStreamResponse:
        try:
            deadline = self._policy.deadline(context, allowed(message))
            found = await self._explained(message.request, deadline)
        except Exception as error:  # told to the caller, and logged where it is ours
            return pb.ExplainStreamResponse(index=index, error=status.item_status(status.to_failure(error)))
        return pb.ExplainStreamResponse(index=index, explanation=found)

    async def _explained(self, request: pb.ExplainRequest, deadline: Deadline) -> pb.Explanation:
        executor = self._seating.executor(request.model)
        return await executor.run(functools.partial(self._explain, request, deadline), deadline)

    def _explain(self, request: pb.ExplainRequest, deadline: Deadline) -> pb.Explanation:
        return explanation(self._explainer.explain(requests.question(request, self._limits), deadline))

    def _score(self, request: pb.ScoreRequest, deadline: Deadline) -> pb.ScoreResponse:
        asked = requests.score_question(request, self._limits)
        scored = self._explainer.score(
            asked.model, asked.sequences, asked.targets, asked.output_event, deadline
        )
        return pb.ScoreResponse(
            targets=scored.targets,
            scores=[pb.Scores(values=row) for row in scored.values.tolist()],
            model_digest=scored.model_digest,
            cost=cost(scored.cost),
        )

    def _get(self, request: pb.GetExplanationRequest) -> pb.GetExplanationResponse:
        found = self._explanations.get(pages.explanation_name(request.name))
        return pb.GetExplanationResponse(explanation=explanation(found))

    def _list(self, request: pb.ListExplanationsRequest) -> pb.ListExplanationsResponse:
        found = Violations()
        asked = pages.page(request, found)
        wanted = pages.explanation_filter(request, found, self._limits)
        found.raise_any()
        page = self._explanations.list(wanted, asked.size, asked.token)
        return pb.ListExplanationsResponse(
            explanations=map(summary, page.items), next_page_token=page.next_token
        )


def allowed(message: pb.ExplainStreamRequest) -> float | None:
    """Seconds allowed for an item; None where it sets none. Raises InvalidInput unless positive."""
    if not message.HasField("timeout"):
        return None
    seconds = message.timeout.ToNanoseconds() / 1e9
    if seconds <= 0:
        raise InvalidInput.at("timeout", "OPTION_OUT_OF_RANGE", f"{seconds} s, must be more than 0")
    return seconds
