"""Sentences for the warnings of rows, whose files have only codes, and not what was particular to a sequence."""

from __future__ import annotations

_TEXTS = {
    "ERROR_TARGET_RAISED": "The server was overloaded, so the error bars are wider than usual.",
    "BACKGROUND_LONGER_THAN_SEQUENCE": "The background is longer than the sequence, so only its end was used.",
    "COLUMNS_LEFT_OUT": "Some columns were ignored, since the model does not use them.",
    "COLUMNS_NOT_CHECKED": "The model's columns have no names, so columns were matched by their position.",
    "DIFFERENCE_IS_ROUNDING": "Score and base value are almost equal, so effects may be rounding errors.",
    "HISTORY_OFFSETS": "Parts of the pruned events offset each other, which hides their effects.",
    "LAYOUT_RECOGNISED": "The order of the axes of the model's input was recognised, and not stated in a schema.",
    "LAYOUT_SUSPECTED": "The model's input may be laid out in another way than it was read.",
    "MASK_NOT_PROVEN": "It was not shown that the model's mask hides padding.",
    "MASK_RECOGNISED": "The meaning of the model's mask was recognised by trial runs.",
    "OUTPUTS_LEFT_OUT": "The model has more outputs than were explained.",
    "OUTPUT_CHOSEN": "The model has several outputs, of which one was chosen.",
    "OUTPUT_CLIPPED": "A probability is so close to 0 or 1 that a limit decides the size of its log-odds.",
    "OUTPUT_OF_WHOLE_NUMBERS": "The model's output is probably a class and not a score.",
    "PADDING_COUNTED_AS_EVENTS": "Some events look like padding, but count as events.",
    "ROWS_RUN_ONE_AT_A_TIME": "Sequences influence each other in this model, so they were run one at a time.",
    "SEQUENCE_EQUALS_BACKGROUND": "The sequence equals its background in every value, so all effects are 0.",
    "STATES_START_AT_ZERO": "Inputs that were taken for states of the model start at zero.",
    "TOLERANCE_EXCEEDS_DIFFERENCE": "A tolerance exceeds the whole difference of the score, so effects may be hidden.",
    "VALUES_NOT_STANDARDISED": "Some values look raw, though the model takes standardised ones.",
    "ZIPMAP_READ_AS_ARRAY": "The model's output is a list of maps; the probabilities they are made of were explained.",
}


def warning_text(code: str) -> str:
    """Returns a sentence for the code of a warning."""
    return _TEXTS.get(code, f"The service gave the warning {code}, which this console does not know.")
