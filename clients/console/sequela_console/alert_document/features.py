"""The features of an explanation: what they hold, and what can be changed."""

from __future__ import annotations

import numpy as np
from sequela_client.explanation_parts import Feature
from sequela_client.resources import ModelFeature

from sequela_console.alert_document.material import Material
from sequela_console.alert_document.parts import FeatureDetail, ValueRange
from sequela_console.feature_values.columns import GROUP, FeatureColumn
from sequela_console.feature_values.display import number_display, rounded


def feature_details(material: Material) -> tuple[FeatureDetail, ...]:
    """Returns the features in the model's order."""
    known = {each.name: each for each in material.model.features} if material.model else {}
    return tuple(_detail(material, known.get(each.name, each)) for each in material.explanation.feature_info)


def _detail(material: Material, feature: Feature) -> FeatureDetail:
    described = isinstance(feature, ModelFeature)
    kind = feature.kind if isinstance(feature, ModelFeature) else "unknown"
    column = _column(material, feature)
    return FeatureDetail(
        name=feature.name,
        label=feature.label or feature.name,
        unit=feature.unit,
        description=feature.description,
        static=feature.static,
        kind=kind,
        categories=feature.categories if isinstance(feature, ModelFeature) else (),
        range=_range(material, column),
        editable=described and column is not None and kind != GROUP,
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
