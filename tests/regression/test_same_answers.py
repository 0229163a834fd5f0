"""The answers to a fixed set of questions are the same, bit for bit, as when their digests were stored.

`python -m regression` says how to store them anew.
"""

from __future__ import annotations

import json

import pytest
from regression import machine
from regression.questions import QUESTIONS, STORED, ask_all

NAMES = [question.name for question in QUESTIONS]


def test_every_question_has_a_digest() -> None:
    """The questions have unique names, and the file of every machine has exactly these."""
    assert len(set(NAMES)) == len(NAMES) >= 200
    for digests in json.loads(STORED.read_text()).values():
        assert list(digests) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("engines", [0, 1, 2, 4])
def test_the_answers_are_the_same_bit_for_bit(engines: int) -> None:
    """However many processes run the operator's models. Only on a machine whose digests are stored: elsewhere the last
    bits may differ by right.
    """
    stored = json.loads(STORED.read_text()).get(machine.key())
    if stored is None:
        pytest.skip(f"no digests of this machine: {machine.key()}")
    answered = ask_all(engines=engines)
    found = {each.question.name: each.lines.digests()["numbers"] for each in answered}
    assert [each.question.name for each in answered if each.refused] == [
        name for name in NAMES if "refused" in name
    ]
    assert [name for name in NAMES if found[name] != stored[name]] == []
