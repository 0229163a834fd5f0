"""Which of a model's outputs is explained.

The law. What the schema names; else the only output; else the only one that holds floats, where final states of
recurrent layers do not count; else the one whose name says that it is the score. Whole numbers are class labels,
so that they are never chosen beside floats. Where this does not tell, a schema is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sequela.adapters.model_io.signature import Content, OutputSignature
from sequela.errors import InvalidInput
from sequela.explain.explanation import ExplanationWarning

BESIDE_A_SCORE = re.compile(
    r"^[hc]_?(n|t|out)$|hidden|cell|attention|attn|embed|(^|_)states?($|_)", re.IGNORECASE
)
"""Names of what models give beside a score: states, attention weights, embeddings."""
SCORE_NAMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"prob(a|s|$|_)|sigmoid|softmax",
        r"score",
        r"logit",
        r"^(outputs?|pred(iction)?s?|y|y_?hat|y_?pred|forecasts?|result)(_?0)?$",
    )
)
"""Names of scores, those that say the most first."""
NO_TENSOR = (
    "it is not a tensor of numbers; a classifier of scikit-learn, LightGBM or XGBoost is converted with "
    "zipmap=False"
)


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """An output's name, and what a reader of the answers should know of the choice."""

    output: str
    warnings: tuple[ExplanationWarning, ...] = ()


def choose_output(
    wanted: str, outputs: Sequence[OutputSignature], schema_path: str, path: str
) -> OutputChoice:
    """`wanted` is what the schema names, or empty. The paths tell where schema and model stand.

    Raises InvalidInput: SCHEMA_DOES_NOT_FIT where the schema names no output, or one that holds no numbers;
    MODEL_OUTPUT_UNSUPPORTED where none does; SCHEMA_NEEDED where several may be the score.
    """
    if wanted:
        return OutputChoice(_named(wanted, outputs, schema_path).name)
    usable = [item for item in outputs if item.content is not Content.NOT_NUMERIC]
    if not usable:
        text = f"output {outputs[0].description}: {NO_TENSOR}"
        raise InvalidInput.at(path, "MODEL_OUTPUT_UNSUPPORTED", text)
    floats = [item for item in usable if item.content is not Content.WHOLE_NUMBERS]
    candidates = _named_like_a_score(_without_side_outputs(floats)) if floats else usable
    if len(candidates) > 1:
        raise InvalidInput.at(path, "SCHEMA_NEEDED", _choice_text(candidates))
    return OutputChoice(candidates[0].name, tuple(_warnings(candidates[0], outputs)))


def _named(wanted: str, outputs: Sequence[OutputSignature], path: str) -> OutputSignature:
    found = next((item for item in outputs if item.name == wanted), None)
    if found is None:
        shown = ", ".join(item.name for item in outputs)
        text = f"output: {wanted!r} is not an output of the model, which gives {shown}"
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    if found.content is Content.NOT_NUMERIC:
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", f"output: {found.description}: {NO_TENSOR}")
    return found


def _without_side_outputs(floats: Sequence[OutputSignature]) -> Sequence[OutputSignature]:
    """Those that are no state, attention or embedding, unless there is nothing else."""
    fresh = [item for item in floats if not item.final_state and not BESIDE_A_SCORE.search(item.name)]
    return fresh or floats


def _named_like_a_score(outputs: Sequence[OutputSignature]) -> Sequence[OutputSignature]:
    """Of several, those with the name that says the most; all where none says it."""
    if len(outputs) == 1:
        return outputs
    named = ([item for item in outputs if name.search(item.name)] for name in SCORE_NAMES)
    return next(filter(None, named), outputs)


def _choice_text(outputs: Sequence[OutputSignature]) -> str:
    shown = ", ".join(item.description for item in outputs)
    line = f'{{"output": "{outputs[0].name}"}}'
    return f"several of its outputs may be the score: {shown}; say which one in a schema.json, as in {line}"


def _warnings(chosen: OutputSignature, outputs: Sequence[OutputSignature]) -> list[ExplanationWarning]:
    others = ", ".join(item.description for item in outputs if item is not chosen)
    found = []
    if others:
        text = f"Output {chosen.name!r} is explained; the model also gives {others}. "
        text += 'For another one, set "output" in schema.json.'
        found.append(ExplanationWarning("OUTPUT_CHOSEN", text))
    if chosen.content is Content.WHOLE_NUMBERS:
        text = (
            f"Output {chosen.name!r} holds {chosen.element}, which is a class label as a rule: attributions "
        )
        text += "are then of jumps between labels. Export the model with its probabilities."
        found.append(ExplanationWarning("OUTPUT_OF_WHOLE_NUMBERS", text))
    return found
