"""Explanations as JSON."""

from __future__ import annotations

from google.protobuf import json_format

from sequela.api.encode.explanations import explanation
from sequela.explain.explanation import Explanation


def explanation_json(item: Explanation) -> str:
    """Returns the whole explanation as protobuf JSON of `sequela.v1.Explanation`, with the contract's field names."""
    return json_format.MessageToJson(
        explanation(item),
        indent=None,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
