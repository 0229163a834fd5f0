"""Reads and fills the templates of reasons: text with placeholders such as `{value}`.

A template is split once, and values are put between the parts. So braces in a value are never read as placeholders.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Formatter

from sequela.explain.object_cache import kept_for_object
from sequela.explain.schema import ANY_FEATURE, Direction, ReasonTemplate, ReasonTemplates

PLACEHOLDERS = ("label", "value", "time")
"""What a template may name: the feature's label, its displayed value with the unit, and when the event happened."""
MAX_TEMPLATE_CHARACTERS = 300
"""Limits a template to about three lines of a report."""
MAX_TEMPLATES = 1000
"""Limits how many templates are searched for a reason; enough for several hundred features."""
MAX_VERSION_CHARACTERS = 64
"""Limits a version, which every reason repeats. The length of a SHA-256."""
MAX_FACT_CHARACTERS = 100
"""Limits a value or label in a reason. Callers may send texts of any length to be displayed."""

_FORMATTER = Formatter()


def placeholders(text: str) -> frozenset[str]:
    """Returns the names of a template's placeholders.

    Raises:
        ValueError: A brace is not paired. A literal brace must be doubled.
    """
    return frozenset(name for _, name in _parts(text) if name is not None)


def template_problems(text: str) -> Iterator[str]:
    """Yields what is wrong with the text of a template."""
    if not text.strip() or len(text) > MAX_TEMPLATE_CHARACTERS:
        yield f"text: has {len(text)} characters, must have from 1 to {MAX_TEMPLATE_CHARACTERS} and not only spaces"
        return
    if not text.isprintable():
        yield f"text: {text[:60]!r} has a line break or another control character; write one line"
        return
    try:
        parts = [part for part in _FORMATTER.parse(text) if part[1] is not None]
    except ValueError:
        yield f"text: {text[:60]!r} has a single brace; write {{{{ or }}}} for a brace that is text"
        return
    allowed = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    for _, name, form, conversion in parts:
        if name not in PLACEHOLDERS or form or conversion:
            written = f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
            yield f"text: {{{written[:60]}}} is not a placeholder; allowed are {allowed}"


def fill(text: str, facts: Mapping[str, str]) -> str:
    """Fills a template that has no problems. `facts` has a text for each of its placeholders."""
    return "".join(literal + (facts[name] if name is not None else "") for literal, name in _parts(text))


@functools.lru_cache(MAX_TEMPLATES)
def _parts(text: str) -> tuple[tuple[str, str | None], ...]:
    """Returns the literals of a template, each with the name of the placeholder behind it."""
    return tuple((literal, name) for literal, name, _, _ in _FORMATTER.parse(text))


def clean(text: str) -> str:
    """Returns a text from a caller as one short line, without control characters."""
    # Of the printable characters, only the usual space is one.
    if text.isprintable():
        line = text
    else:
        line = "".join(
            " " if each.isspace() else each for each in text if each.isspace() or each.isprintable()
        )
    return line if len(line) <= MAX_FACT_CHARACTERS else f"{line[: MAX_FACT_CHARACTERS - 1]}…"


@dataclass(frozen=True, slots=True)
class FoundTemplate:
    """A template, and its place in the schema's list."""

    index: int
    template: ReasonTemplate


def find_template(
    templates: ReasonTemplates,
    features: tuple[str, ...],
    direction: Direction,
    known: frozenset[str],
) -> FoundTemplate | None:
    """Finds the template for a reason.

    Args:
        templates: The schema's templates.
        features: The values of `ReasonTemplate.feature` to look for, the most specific first.
        direction: What the reason did. A template for this direction is preferred to one for both.
        known: The placeholders that can be filled. Templates with other placeholders are skipped.
    """
    by_key = _templates_by_key(templates)
    keys = ((feature, way) for feature in features for way in (direction, None))
    found = (by_key[key] for key in keys if key in by_key)
    return next((each for each in found if placeholders(each.template.text) <= known), None)


@kept_for_object
def _templates_by_key(templates: ReasonTemplates) -> dict[tuple[str, Direction | None], FoundTemplate]:
    found = (FoundTemplate(i, each) for i, each in enumerate(templates.templates))
    return {(each.template.feature, each.template.direction): each for each in found}


def template_features(feature: str | None, named: bool) -> tuple[str, ...]:
    """Returns the values of `ReasonTemplate.feature` that fit, the most specific first.

    Args:
        feature: The feature of the reason; None for a whole event.
        named: Whether the feature was given a name. A template for any feature is not used for default names such as
            `f0`.
    """
    if feature is None:
        return ("",)
    return (feature, ANY_FEATURE) if named else (feature,)
