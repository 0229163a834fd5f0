"""Removes what names people, accounts and single transactions from an explanation.

What stays is on a list: features of the schema, numbers, and kinds. Everything that a caller sent as text goes.
"""

from __future__ import annotations

from dataclasses import replace

from sequela_client.alert_document.threshold import LABEL
from sequela_client.alert_document.words import scale_noun, signed
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import EventValues, Reason
from sequela_client.inputs import EventInfo, Sequence

REDACTED = "redacted"


def redacted(explanation: Explanation) -> Explanation:
    """Returns an explanation without names, labels, ids, times of events and texts of callers."""
    labels = {name: text for name, text in explanation.labels.items() if name == LABEL and _is_number(text)}
    return replace(
        explanation,
        name=REDACTED,
        caller_id=REDACTED,
        requested_by="",
        labels=labels,
        event_values=tuple(
            EventValues(each.t, each.values, EventInfo()) for each in explanation.event_values
        ),
        reasons_by_target={
            target: tuple(_without_texts(explanation, each) for each in reasons)
            for target, reasons in explanation.reasons_by_target.items()
        },
        sequence=_values_only(explanation.sequence, labels),
    )


def _without_texts(explanation: Explanation, reason: Reason) -> Reason:
    """Returns a reason whose sentence is made anew: its own may have texts of the caller in it."""
    labels = {each.name: each.label or each.name for each in explanation.feature_info}
    where = (
        ""
        if reason.t is None
        else f"the event {-reason.t} before the latest"
        if reason.t
        else "the latest event"
    )
    what = labels.get(reason.feature or "", "")
    place = " at ".join(filter(None, (what, where)))
    scale = scale_noun(explanation)
    unit = "" if scale == "score" else f" {scale}"
    return replace(reason, text=f"{place[:1].upper()}{place[1:]}: {signed(reason.value)}{unit}")


def _values_only(sequence: Sequence | None, labels: dict[str, str]) -> Sequence | None:
    return None if sequence is None else replace(sequence, events=(), id=REDACTED, labels=labels)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
