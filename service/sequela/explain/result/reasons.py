"""Writes the main reasons for a score as sentences, with the templates of the model's schema or built-in ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property

from sequela.explain.explanation import Attribution, EventValues, Explanation, Feature, Reason
from sequela.explain.options import FeatureScope
from sequela.explain.result.reason_selection import Selected, candidates, select
from sequela.explain.result.reason_templates import clean, fill, find_template, template_features
from sequela.explain.schema import Direction, ReasonTemplates

DEFAULT_TEMPLATE = "default"
DEFAULT_VERSION = "1"
"""The version of the built-in texts. It changes when they do."""
INFERRED_NAME = re.compile(r"(.+\.)?f?\d+")
"""Default names of features that were given none."""
VERBS = {Direction.RAISES: "raised", Direction.LOWERS: "lowered"}


def reasons(explanation: Explanation, templates: ReasonTemplates | None) -> tuple[Reason, ...]:
    """Returns the main reasons for each target, at most four, in the order of the targets.

    Features without names are not reasons, unless a template is written for them.

    Args:
        explanation: The explanation, complete but for its reasons.
        templates: The templates of the model's schema.
    """
    story = Story(explanation, templates or ReasonTemplates(DEFAULT_VERSION))
    told = [each for each in candidates(explanation) if story.can_tell(each)]
    return tuple(
        story.tell(target.name, selected)
        for index, target in enumerate(explanation.targets)
        for selected in select(told, target, index)
    )


@dataclass(frozen=True)
class Story:
    """Finds the words for attributions of one explanation.

    Attributes:
        explanation: The explanation.
        templates: The templates to use before the built-in texts.
    """

    explanation: Explanation
    templates: ReasonTemplates

    @cached_property
    def _features(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.explanation.features}

    @cached_property
    def _events(self) -> dict[int, EventValues]:
        return {each.event: each for each in self.explanation.event_values}

    @cached_property
    def _columns(self) -> dict[str, int]:
        """The place of each event feature in the displayed values of an event."""
        names = [feature.name for feature in self.explanation.features if not feature.static]
        return {name: place for place, name in enumerate(names)}

    @cached_property
    def _static(self) -> dict[str, str]:
        names = [feature.name for feature in self.explanation.features if feature.static]
        return dict(zip(names, self.explanation.static_values, strict=False))

    @cached_property
    def _with_template(self) -> frozenset[str]:
        """The features that have a template of their own, and "" if whole events have one."""
        return frozenset(each.feature for each in self.templates.templates)

    @cached_property
    def _any_named(self) -> bool:
        return any(map(self._named, self._features))

    def can_tell(self, item: Attribution) -> bool:
        """Returns whether there are words for an attribution: a name, or a template of its own."""
        return (item.feature or "") in self._with_template or self._named(item.feature)

    def tell(self, target: str, selected: Selected) -> Reason:
        """Returns the sentence for an attribution."""
        item = selected.attribution
        direction = Direction.RAISES if selected.value > 0 else Direction.LOWERS
        facts = {name: clean(text) for name, text in self._facts(item) if text}
        found = find_template(
            self.templates,
            template_features(item.feature, self._named(item.feature)),
            direction,
            frozenset(facts),
        )
        return Reason(
            target=target,
            text=fill(found.template.text, facts) if found else self._default(item, direction, facts),
            template=f"templates[{found.index}]" if found else DEFAULT_TEMPLATE,
            template_version=str(self.templates.version) if found else DEFAULT_VERSION,
            kind=item.kind,
            value=selected.value,
            standard_error=selected.standard_error,
            event=item.last_event,
            feature=item.feature,
            tied=selected.tied,
        )

    def _named(self, feature: str | None) -> bool:
        """Returns whether the feature was given a name; for a whole event, whether any feature was."""
        if feature is None:
            return self._any_named
        known = self._features.get(feature)
        label = known.label if known else feature
        return label != feature or not INFERRED_NAME.fullmatch(feature)

    def _facts(self, item: Attribution) -> Iterator[tuple[str, str]]:
        """Yields a text for each placeholder; an empty one if there is none for this attribution."""
        event = item.last_event
        if item.feature is not None:
            known = self._features.get(item.feature)
            yield "label", known.label if known else item.feature
            yield (
                "value",
                self._only_value(item.feature) if event is None else self._value(event, item.feature),
            )
            if event is None and item.feature not in self._static and len(self._scope) == 1:
                event = self._scope[0]
        if event is not None:
            yield "time", self._when(event)

    @cached_property
    def _scope(self) -> range:
        """The events on which the features acted."""
        pruning = self.explanation.pruning
        everything = self.explanation.options.feature_scope is FeatureScope.FULL_SEQUENCE or pruning is None
        pruned = 0 if everything or pruning is None else pruning.pruned_events
        return range(1 - self.explanation.event_count + pruned, 1)

    def _only_value(self, feature: str) -> str:
        """Returns the value of a static feature, or of one that has the same value at all events; empty otherwise."""
        if feature in self._static:
            return self._with_unit(self._static[feature], feature)
        values = {self._value(event, feature) for event in self._scope}
        return values.pop() if len(values) == 1 else ""

    def _value(self, event: int, feature: str) -> str:
        """Returns a feature's value at an event, in the caller's own words if it sent any; empty if it is not known."""
        shown = self._events.get(event)
        if shown is None:
            return ""
        if shown.info and shown.info.display.get(feature):
            return shown.info.display[feature]
        place = self._columns.get(feature, len(shown.values))
        return self._with_unit(shown.values[place], feature) if place < len(shown.values) else ""

    def _with_unit(self, value: str, feature: str) -> str:
        unit = self._features[feature].unit
        return f"{value} {unit}" if unit and _is_number(value) else value

    def _when(self, event: int) -> str:
        """Returns when an event happened: to the minute if the caller sent its time, otherwise by its place."""
        shown = self._events.get(event)
        if shown and shown.info and shown.info.time:
            time = shown.info.time
            return f"{time.astimezone(UTC) if time.tzinfo else time:%Y-%m-%d %H:%M}"
        if event == 0:
            return "the latest event"
        return "the event before the latest" if event == -1 else f"the event {-event} before the latest"

    def _default(self, item: Attribution, direction: Direction, facts: dict[str, str]) -> str:
        """Returns the built-in sentence."""
        place = facts.get("time", "")
        if item.feature is None:
            subject = place if place.startswith("the ") else f"the event at {place}"
        else:
            subject = facts.get("label", item.feature) + _said(facts.get("value", ""))
            if place:
                subject += f" at {place}"
            elif "value" not in facts:
                pruned = len(self._scope) < self.explanation.event_count
                subject += f" over the {len(self._scope)} recent events" if pruned else " over all events"
        return f"{subject[:1].upper()}{subject[1:]} {VERBS[direction]} the score."


def _said(value: str) -> str:
    """Returns a value behind a label: a number as it is, words in quotation marks."""
    if not value:
        return ""
    return f" of {value}" if _is_number(value) else f' "{value}"'


def _is_number(value: str) -> bool:
    return value.lstrip("+-")[:1].isdigit()
