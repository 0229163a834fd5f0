"""The models and backgrounds with which an alert can be explained again."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_console.alerts.parameters import text
from sequela_console.api_route import Question
from sequela_console.context import Console


@dataclass(frozen=True, slots=True)
class NamedChoice:
    """Something that can be chosen, see `NamedChoice` in types.ts."""

    name: str
    label: str


def get_models(_: Console, question: Question) -> tuple[NamedChoice, ...]:
    """Answers GET /api/models: those that are ready."""
    models = question.visitor.service.models(page_size=1000)
    return tuple(NamedChoice(each.name, model_label(each.name)) for each in models if each.state == "ready")


def get_backgrounds(_: Console, question: Question) -> tuple[NamedChoice, ...]:
    """Answers GET /api/backgrounds: those of all models, or of one."""
    model = text(question.query, "model").partition("/versions/")[0]
    found = question.visitor.service.backgrounds(model=model, page_size=1000)
    return tuple(NamedChoice(each.name, background_label(each.name)) for each in found)


def model_label(name: str) -> str:
    """Returns `models/m/versions/1` as `m, version 1`."""
    short, _, version = name.removeprefix("models/").partition("/versions/")
    return f"{short}, version {version}" if version else short


def background_label(name: str) -> str:
    """Returns `models/m/backgrounds/b` as `b (of m)`."""
    model, _, short = name.removeprefix("models/").partition("/backgrounds/")
    return f"{short} (of {model})" if short else name
