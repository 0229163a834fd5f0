"""Chooses the output that is explained.

It is the one that the schema names; otherwise the first of these rules that leaves a single output decides:

    1  the only output
    2  the only one that holds floats, where final states, attention weights and embeddings do not count
    3  the one whose name says that it is the score (SCORE_NAMES, the clearest names first)

Whole numbers are class labels, so they are never chosen beside floats. If no rule decides, a schema is required.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sequela.adapters.model_io.signature import Content, OutputSignature
from sequela.errors import InvalidInput
from sequela.explain.explanation import ExplanationWarning

SIDE_OUTPUT_NAME = re.compile(
    r"^[hc]_?(n|t|out)$|hidden|cell|attention|attn|embed|(^|_)states?($|_)", re.IGNORECASE
)
"""Names of outputs that models return beside a score: states, attention weights, embeddings."""
SCORE_NAMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"prob(a|s|$|_)|sigmoid|softmax",
        r"score",
        r"logit",
        r"^(outputs?|pred(iction)?s?|y|y_?hat|y_?pred|forecasts?|result)(_?0)?$",
    )
)
"""Names of scores, the clearest first."""
NOT_A_TENSOR = (
    "it is not a tensor of numbers; convert a classifier of scikit-learn, LightGBM or XGBoost with "
    "zipmap=False"
)


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """The name of the chosen output, and warnings about the choice for readers of answers."""

    output: str
    warnings: tuple[ExplanationWarning, ...] = ()


def choose_output(
    wanted: str, outputs: Sequence[OutputSignature], schema_path: str, path: str, weights: str = ""
) -> OutputChoice:
    """Chooses an output.

    Args:
        wanted: The output that the schema names, or empty.
        outputs: The model's outputs.
        schema_path: The path of the schema in the request, for errors.
        path: The path of the model in the request, for errors.
        weights: The output that the schema names as `event_weights`, which is not the score; empty for none.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT if the schema names no output of the model, or one that holds no numbers;
            MODEL_OUTPUT_UNSUPPORTED if no output holds numbers; SCHEMA_NEEDED if several may be the score.
    """
    if wanted:
        return OutputChoice(_find_named(wanted, outputs, schema_path).name)
    outputs = [item for item in outputs if item.name != weights] or outputs
    # Outputs of unknown type may hold numbers, so they remain candidates.
    usable = [item for item in outputs if item.content is not Content.NOT_NUMERIC]
    if not usable:
        text = f"output {outputs[0].description}: {NOT_A_TENSOR}"
        raise InvalidInput.at(path, "MODEL_OUTPUT_UNSUPPORTED", text)
    floats = [item for item in usable if item.content is not Content.WHOLE_NUMBERS]
    # Without floats, whole numbers are explained after all, with a warning.
    candidates = _named_like_a_score(_without_side_outputs(floats)) if floats else usable
    if len(candidates) > 1:
        raise InvalidInput.at(path, "SCHEMA_NEEDED", _choice_text(candidates))
    return OutputChoice(candidates[0].name, tuple(_warnings(candidates[0], outputs)))


def _find_named(wanted: str, outputs: Sequence[OutputSignature], path: str) -> OutputSignature:
    found = next((item for item in outputs if item.name == wanted), None)
    if found is None:
        names = ", ".join(item.name for item in outputs)
        text = f"output: {wanted!r} is not an output of the model, which has {names}"
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    if found.content is Content.NOT_NUMERIC:
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", f"output: {found.description}: {NOT_A_TENSOR}")
    return found


def _without_side_outputs(floats: Sequence[OutputSignature]) -> Sequence[OutputSignature]:
    """Leaves out states, attention weights and embeddings, unless there is nothing else."""
    scores = [item for item in floats if not item.final_state and not SIDE_OUTPUT_NAME.search(item.name)]
    return scores or floats


def _named_like_a_score(outputs: Sequence[OutputSignature]) -> Sequence[OutputSignature]:
    """Returns the outputs whose names say most clearly that they are scores, or all if no name does."""
    if len(outputs) == 1:
        return outputs
    named = ([item for item in outputs if name.search(item.name)] for name in SCORE_NAMES)
    return next(filter(None, named), outputs)


def _choice_text(outputs: Sequence[OutputSignature]) -> str:
    found = ", ".join(item.description for item in outputs)
    example = f'{{"output": "{outputs[0].name}"}}'
    return f"several of the model's outputs may be the score: {found}. Name one in a schema.json, as in {example}"


def _warnings(chosen: OutputSignature, outputs: Sequence[OutputSignature]) -> Iterator[ExplanationWarning]:
    others = ", ".join(item.description for item in outputs if item is not chosen)
    if others:
        text = f"Output {chosen.name!r} is explained; the model also has {others}. "
        text += 'To explain another one, set "output" in schema.json.'
        yield ExplanationWarning("OUTPUT_CHOSEN", text)
    if chosen.content is Content.WHOLE_NUMBERS:
        text = f"Output {chosen.name!r} holds {chosen.element}, so it is probably a class label, and attributions "
        text += "would explain jumps between labels. Export the model with its probabilities."
        yield ExplanationWarning("OUTPUT_OF_WHOLE_NUMBERS", text)
