"""How accurate an explanation is, in words."""

from __future__ import annotations

from sequela_client.alert_document.material import Material
from sequela_client.alert_document.parts import LevelQuality
from sequela_client.alert_document.words import amount, counted
from sequela_client.attributions import NORMAL_95, LevelAttributions, Quality, StopReason

_ENDED = {
    StopReason.TARGET: "as accurate as requested",
    StopReason.BUDGET: "it used all the coalitions that it was allowed",
    StopReason.DEADLINE: "the deadline stopped it",
}


def level_qualities(material: Material) -> tuple[LevelQuality, ...]:
    """Returns the quality of each level."""
    return tuple(_quality(material, name, level) for name, level in material.explanation.levels.items())


def _quality(material: Material, name: str, level: LevelAttributions) -> LevelQuality:
    stop = level.quality.stop_reason
    error = max((each.standard_errors[material.target] for each in level.attributions), default=0.0)
    exact = stop is StopReason.EXACT
    return LevelQuality(name, _text(level, error), error, exact)


def _text(level: LevelAttributions, error: float) -> str:
    quality = level.quality
    if quality.stop_reason is StopReason.NOT_COMPUTED:
        return f"not computed: {quality.detail or 'the service gave no reason'}"
    return "; ".join(filter(None, (_precision(quality, error), quality.detail)))


def _precision(quality: Quality, error: float) -> str:
    tried = counted(quality.coalitions, "combination")
    if quality.stop_reason is StopReason.EXACT:
        return (
            f"exact: {tried} was computed" if quality.coalitions == 1 else f"exact: all {tried} were computed"
        )
    ended = _ENDED.get(quality.stop_reason, str(quality.stop_reason.value))
    return f"± {amount(NORMAL_95 * error)} or better (95 %), estimated from {tried}; {ended}"
