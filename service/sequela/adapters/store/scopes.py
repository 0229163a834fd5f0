"""The sets of records that filters and deletions name: all, those with a caller id, those with a label.

Each has a digest, which stands for it in keys and in lists of deletions, so that these contain no ids of callers.
"""

from __future__ import annotations

import hashlib

from sequela.explain.explanation_query import CallerSelector, LabelSelector, NameSelector, Selector
from sequela.explain.explanation_summary import ExplanationSummary

ALL = "all"


def scopes(summary: ExplanationSummary) -> tuple[str, ...]:
    """Returns the scopes whose indexes contain the explanation."""
    caller = (selector_digest(CallerSelector(summary.caller_id)),) if summary.caller_id else ()
    labels = (selector_digest(LabelSelector(key, value)) for key, value in summary.labels.items())
    return ALL, *caller, *labels


def selector_digest(selector: Selector) -> str:
    """Returns what stands for a selector in keys and in the log of deletions, which keeps no ids of callers."""
    facts: tuple[str, ...]
    match selector:
        case NameSelector(name):
            facts = ("name", name)
        case CallerSelector(caller_id):
            facts = ("caller", caller_id)
        case LabelSelector(key, value):
            facts = ("label", key, value)
    return hashlib.sha256(repr(facts).encode(errors="surrogatepass")).hexdigest()[:32]


def selector_digests(summary: ExplanationSummary) -> tuple[str, ...]:
    """Returns the digests of all selectors that select an explanation."""
    return selector_digest(NameSelector(summary.name)), *scopes(summary)[1:]
