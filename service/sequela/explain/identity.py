"""Decides whether two requests are the same, and names their answers (docs/design.md §6.2).

The content key covers the model, the background, the tensors with their padding, every option, the method's version,
and the names and warnings that depend on named columns. It does not cover the deadline, the caller's id and labels,
or anything that is only displayed.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela import names
from sequela.explain.estimate.solvers import requested_estimator
from sequela.explain.explanation import METHOD_VERSION
from sequela.explain.option_defaults import budget_of, link_of
from sequela.explain.options import option_values
from sequela.explain.request import ExplainRequest
from sequela.explain.task import Task


def model_digest(onnx: bytes, schema_json: bytes) -> str:
    """Returns the SHA-256 of a model's file, as 64 hexadecimal digits.

    With a schema it is SHA-256(SHA-256(onnx) ‖ SHA-256(schema)), so that moving bytes from one to the other changes it.
    """
    file = hashlib.sha256(onnx)
    if not schema_json:
        return file.hexdigest()
    return hashlib.sha256(file.digest() + hashlib.sha256(schema_json).digest()).hexdigest()


def content_key(task: Task) -> str:
    """Returns the SHA-256 of everything that the numbers depend on, as 64 hexadecimal digits."""
    options = task.request.options
    # Options that are left out and options that name the default must have the same key.
    canonical = replace(
        options,
        targets=task.targets.names,
        link=link_of(options, task.model.info.schema),
        max_coalitions=budget_of(options, task.model.endpoint),
        estimator=requested_estimator(options, task.model.endpoint),
    )
    feature_names = [feature.name for feature in task.layout.features]
    warnings = [{"reason": each.reason, "message": each.message} for each in task.warnings]
    facts: list[Any] = [
        METHOD_VERSION,
        task.model.info.digest,
        task.background.digest,
        option_values(canonical),
        feature_names,
        warnings,
    ]
    if task.targets.highest is not None:
        # If targets are chosen by score, only their number is known before the sequence is scored.
        facts.append({"highest": task.targets.highest})
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    prepared = task.prepared
    for group in (
        prepared.cells.events,
        prepared.cells.static,
        prepared.padding.before,
        prepared.padding.after,
    ):
        for array in group:
            _add(digest, array)
    return digest.hexdigest()


def content_name(key: str, request: ExplainRequest) -> str:
    """Returns the name `explanations/e`. It is the same for equal requests with equal ids, labels and event notes."""
    events = [
        # Seconds since 1970: to write a time as text takes as long as all the rest.
        [item.id, item.time and item.time.timestamp(), dict(item.display)]
        for item in request.sequence.events
    ]
    facts = [key, request.caller_id, dict(request.labels), events]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    # 128 bits keep the name short and still make a collision practically impossible.
    return names.explanation_name(digest.hexdigest()[:32])


def unique_name() -> str:
    """Returns a random name for an answer that may not be reused, such as one that the deadline cut short."""
    return names.explanation_name(uuid.uuid4().hex)


def _add(digest: Any, array: NDArray[Any]) -> None:
    # Type and shape count as well, because the same bytes can be different tensors.
    plain = np.ascontiguousarray(array)
    digest.update(f"{plain.dtype.str}{plain.shape}".encode())
    digest.update(plain)
