"""How long the server tells that an engine did not have a model."""

from __future__ import annotations

import pytest
from sequela.model_engines import absent_models
from sequela.model_engines.absent_models import AbsentModels
from waiting import eventually


def test_a_lack_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the metric and /readyz are well again without a restart once all engines have the model."""
    monkeypatch.setattr(absent_models, "NOTE_SECONDS", 0.05)
    absent = AbsentModels()
    absent.note(["digest"])
    eventually(lambda: not absent.all())


def test_a_lack_is_told_until_then() -> None:
    absent = AbsentModels()
    absent.note(["one", "other"])
    absent.note([])
    assert absent.all() == {"one", "other"}
