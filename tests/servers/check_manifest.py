"""Builds the objects of a manifest with KServe's and Kubernetes' own classes: `check_manifest.py MANIFEST.json`.

It runs in the environment of KServe. It fails if a class does not have a field, or refuses a value.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import kserve.models
import kubernetes.client


def built(kind: str, data: Any, where: str) -> Any:
    """Returns the data as an object of the class with that name. Raises ValueError if the class lacks a field."""
    if many := re.fullmatch(r"list\[(.*)\]", kind):
        return [built(many[1], each, f"{where}[{index}]") for index, each in enumerate(data)]
    cls = getattr(kserve.models, kind, None) or getattr(kubernetes.client, kind, None)
    if cls is None:  # a text, a number, a map of texts
        return data
    names = {key: name for name, key in cls.attribute_map.items()}
    if unknown := sorted(set(data) - set(names)):
        raise ValueError(f"{where}: {cls.__name__} has no {', '.join(unknown)}")
    fields = {
        names[key]: built(cls.openapi_types[names[key]], each, f"{where}.{key}") for key, each in data.items()
    }
    return cls(**fields)


if __name__ == "__main__":
    manifest = json.loads(Path(sys.argv[1]).read_text())
    service = built("V1beta1InferenceService", manifest, "$")
    sys.stdout.write(service.spec.explainer.containers[0].name)
