"""Checks the reason templates of a schema against its features, and against the limits of templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sequela.explain.result.reason_templates import (
    MAX_TEMPLATES,
    MAX_VERSION_CHARACTERS,
    template_problems,
)
from sequela.explain.schema import ANY_FEATURE, Direction, ModelSchema, ReasonTemplate, ReasonTemplates

MAX_LISTED = 10
"""Features that a message lists."""


def reason_problems(schema: ModelSchema) -> Iterator[str]:
    """Yields what is wrong with `reasons`, each with its place. The features are complete."""
    if schema.reasons is None:
        return
    yield from _version_problems(schema.reasons)
    templates = schema.reasons.templates
    if not 1 <= len(templates) <= MAX_TEMPLATES:
        yield f"reasons.templates: has {len(templates)} entries, must have from 1 to {MAX_TEMPLATES:,}"
        return
    counted = Counter((each.feature, each.direction) for each in templates)
    for (feature, direction), count in counted.items():
        if count > 1:
            yield f"reasons.templates: has {count} for {_owner(feature)}{_way(direction)}, and may have one"
    names = [feature.name for feature in schema.features]
    for index, each in enumerate(templates):
        yield from (f"reasons.templates[{index}].{problem}" for problem in _problems(each, names))


def _version_problems(reasons: ReasonTemplates) -> Iterator[str]:
    text = str(reasons.version)
    if not text.strip() or len(text) > MAX_VERSION_CHARACTERS or not text.isprintable():
        yield (
            f"reasons.version: is {text[:60]!r}, must be a number, or a string of 1 to {MAX_VERSION_CHARACTERS} "
            "characters without line breaks"
        )


def _problems(template: ReasonTemplate, names: list[str]) -> Iterator[str]:
    if template.feature not in ("", ANY_FEATURE, *names):
        listed = ", ".join(names[:MAX_LISTED]) + (", …" if len(names) > MAX_LISTED else "")
        yield (
            f"feature: {template.feature[:60]!r} is not a feature of the model, which has {listed}; "
            f'"{ANY_FEATURE}" is any feature, and without the key the template is for whole events'
        )
    yield from template_problems(template.text)
    if not template.feature and ("{value}" in template.text or "{label}" in template.text):
        yield (
            "text: names {value} or {label}, but a template without a feature is for whole events; it may name {time}"
        )


def _owner(feature: str) -> str:
    return {"": "whole events", ANY_FEATURE: "any feature"}.get(feature, f"feature {feature!r}")


def _way(direction: Direction | None) -> str:
    return "" if direction is None else f" with the direction {direction.value}"
