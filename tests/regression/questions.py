"""The fixed set of questions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from regression import endpoint_questions, model_questions, option_questions, protocol_questions
from regression.answers import Lines, Refusal, lines
from regression.deployment import deployed
from regression.messages import Question, answer

QUESTIONS: tuple[Question, ...] = (
    *model_questions.questions(),
    *option_questions.questions(),
    *protocol_questions.questions(),
    *endpoint_questions.questions(),
)
STORED = Path(__file__).with_name("digests.json")
"""Digests of the numbers of all answers, by machine and by question."""


@dataclass(frozen=True)
class Answered:
    """A question with the lines of its answer, whether that is an error, and the seconds it took."""

    question: Question
    lines: Lines
    refused: bool
    seconds: float


def ask_all(wanted: str = "", engines: int = 0) -> list[Answered]:
    """Starts servers and asks them all questions whose names contain `wanted`, one after the other."""
    with deployed(engines) as deployment:
        found = []
        for question in QUESTIONS:
            if wanted in question.name:
                start = time.monotonic()
                told = answer(question, deployment)
                seconds = time.monotonic() - start
                refused = isinstance(told, Refusal)
                found.append(Answered(question, lines(told, question.left_out), refused, seconds))
        return found
