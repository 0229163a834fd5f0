"""The features of an explanation: what they hold, and what can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sequela_client.alert_document.material import Material
from sequela_client.alert_document.parts import FeatureDetail, ValueRange
from sequela_client.explanation_parts import Feature
from sequela_client.feature_values.columns import GROUP, FeatureColumn
from sequela_client.feature_values.display import number_display, rounded

if TYPE_CHECKING:
    from sequela_client.resources import ModelFeature


def feature_details(material: Material) -> tuple[FeatureDetail, ...]:
    """Returns the features in the model's order."""
    known = {each.name: each for each in material.model.features} if material.model else {}
    return tuple(_detail(material, each, known.get(each.name)) for each in material.explanation.feature_info)


def _detail(material: Material, told: Feature, described: ModelFeature | None) -> FeatureDetail:
    feature: Feature = described or told
    kind = described.kind if described else "unknown"
    column = _column(material, feature)
    return FeatureDetail(
        name=feature.name,
        label=feature.label or feature.name,
        unit=feature.unit,
        description=feature.description,
        static=feature.static,
        kind=kind,
        categories=described.categories if described else (),
        range=_range(material, column),
        editable=described is not None and column is not None and kind != GROUP,
        fixed=feature.name in material.fixed_features,
        constant=feature.static or (column.is_constant if column else _same_texts(material, feature.name)),
    )


def _column(material: Material, feature: Feature) -> FeatureColumn | None:
    if material.table is None:
        return None
    return (material.table.static if feature.static else material.table.columns).get(feature.name)


def _range(material: Material, column: FeatureColumn | None) -> ValueRange | None:
    """Returns the range over this sequence and the events of other alerts."""
    if column is None or not column.has_order:
        return None
    others = material.reference.values(column.feature.name)
    codes = np.concatenate([column.codes[~np.isnan(column.codes)], others[:1], others[-1:]])
    if not len(codes) or column.raw.dtype == np.bool_:
        return None
    display = number_display(column.feature)
    return ValueRange(rounded(display, float(codes.min())), rounded(display, float(codes.max())))


def _same_texts(material: Material, name: str) -> bool:
    texts = {each.values[name] for each in material.explanation.event_values if name in each.values}
    return len(texts) == 1 and len(material.explanation.event_values) > 1
