"""Inference requests that name no levels get the default levels, not every level that there is."""

from __future__ import annotations

import runpy
from enum import StrEnum
from typing import Any

import pytest
from sequela.api.inference import outputs
from sequela.explain import options
from sequela.explain.options import Options


class WiderLevel(StrEnum):
    """The levels, and one more that a request has to name."""

    EVENT = "event"
    FEATURE = "feature"
    CELL = "cell"
    HALVES = "halves"


@pytest.fixture
def wider(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The module of the outputs, as if one more level were offered to callers."""
    monkeypatch.setattr(options, "Level", WiderLevel)
    return runpy.run_path(outputs.__file__, run_name="outputs_with_a_level")


def test_the_default_levels_are_those_of_the_options(wider: dict[str, Any]) -> None:
    """Whether all outputs are asked for or the explanation alone."""
    for names in (("explanation",), wider["choose"]((), None)):
        assert wider["levels_for"](names, None) == Options().levels


def test_another_level_is_computed_if_it_is_named(wider: dict[str, Any]) -> None:
    """Alone, it is answered in the explanation, and the outputs of other levels are left out."""
    asked = frozenset({WiderLevel.HALVES})
    assert wider["levels_for"](("explanation",), asked) == ("halves",)
    names = wider["choose"]((), asked)
    assert "explanation" in names
    assert not {"event_attributions", "feature_attributions"} & set(names)
