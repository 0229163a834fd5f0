"""What is recorded of a request: its log lines, its span, and the explanations that it got."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from sequela.log_facts import LogFacts, log_facts
from sequela.spans import Attributes, RequestSpans, SpanContext, current_context


@dataclass(slots=True)
class RequestLog:
    """What is added while a request is served.

    Attributes:
        span: The attributes of the request's span.
        explanations: The explanations that it got, for its last log line.
    """

    span: Attributes
    explanations: LogFacts

    def explained(self) -> dict[str, Any]:
        """Returns what the last log line says about the explanations, and writes it into the span."""
        fields = self.explanations.fields()
        self.span |= {f"sequela.{name}": value for name, value in fields.items()}
        return fields


@contextmanager
def request_log(
    spans: RequestSpans, name: str, headers: Mapping[str, str], **facts: str
) -> Iterator[RequestLog]:
    """Begins the span of a request, and makes every log line of the body say which request it belongs to.

    Args:
        spans: Begins the span.
        name: The name of the span: the method, or the verb and the route.
        headers: The headers of the request, with names in lower case.
        facts: What every line says.
    """
    parent = SpanContext.of_headers(headers)
    with spans.request(name, parent) as attributes, log_facts() as explanations:
        # Also where no spans are recorded, so that the lines are found by the caller's trace.
        known = current_context() or parent
        trace = {"trace_id": known.trace_id} if known else {}
        with structlog.contextvars.bound_contextvars(**facts, **trace):
            yield RequestLog(attributes, explanations)
