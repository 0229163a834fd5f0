"""Writes the document of an explanation into its page, for the script that draws it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sequela_client.alert_document.capabilities import Situation
from sequela_client.alert_document.document import build_document
from sequela_client.alert_document.json_values import json_value
from sequela_client.alert_document.material import read_material
from sequela_client.alert_document.threshold import alert_threshold

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation

NO_SEQUENCE = (
    "This file has the values of the events that were explained, and of older ones only what the caller sent about "
    "them, so values are not compared with earlier ones."
)


def document_json(explanation: Explanation) -> str:
    """Returns the document of the first target as JSON that may stand in a script element.

    The threshold is that of the label; without one there is none, since a file knows no operator's setting.
    """
    material = replace(read_material(explanation, 0, None, None), table_problem=NO_SEQUENCE)
    threshold = alert_threshold(explanation.labels, explanation.model, False, {})
    situation = Situation(threshold, stored=False, online=False, may_explain=False)
    document = build_document(material, situation, explanation.name.rpartition("/")[2], {"kind": "file"})
    text = json.dumps(json_value(document), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Nothing in it may look like a tag, or the browser would end the element there.
    return text.replace("<", "\\u003c")
