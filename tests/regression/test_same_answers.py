"""The answers to a fixed set of questions are the same, bit for bit, as when their digests were stored.

`python -m regression` says how to store them anew.
"""

from __future__ import annotations

import json

import pytest
from regression import machine
from regression.questions import QUESTIONS, STORED, Answered, ask_all

NAMES = [question.name for question in QUESTIONS]


def test_every_question_has_a_digest() -> None:
    """The questions have unique names, and the file of every machine has exactly these."""
    assert len(set(NAMES)) == len(NAMES) >= 200
    for digests in json.loads(STORED.read_text()).values():
        assert list(digests) == NAMES


@pytest.fixture(scope="module")
def in_one_process() -> list[Answered]:
    """The answers of a server that runs the operator's models in its own process."""
    return ask_all()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_answers_are_the_same_bit_for_bit(in_one_process: list[Answered]) -> None:
    """Only on a machine whose digests are stored: elsewhere the last bits may differ by right."""
    stored = json.loads(STORED.read_text()).get(machine.key())
    if stored is None:
        pytest.skip(f"no digests of this machine: {machine.key()}")
    found = {each.question.name: each.lines.digests()["numbers"] for each in in_one_process}
    assert [each.question.name for each in in_one_process if each.refused] == [
        name for name in NAMES if "refused" in name
    ]
    assert [name for name in NAMES if found[name] != stored[name]] == []


@pytest.mark.slow
@pytest.mark.timeout(600)  # several hundred questions, by servers that share the cores
@pytest.mark.parametrize("engines", [1, 2, 4])
def test_engines_change_no_answer(engines: int, in_one_process: list[Answered]) -> None:
    """Numbers and words. Costs differ, because each engine keeps the states of backgrounds for itself."""
    assert [
        after.question.name
        for before, after in zip(in_one_process, ask_all(engines=engines), strict=True)
        if content(before) != content(after)
    ] == []


def content(answered: Answered) -> list[str]:
    told = (*answered.lines.numbers, *answered.lines.words)
    return [line for line in told if "/cost/" not in line]
