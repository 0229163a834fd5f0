"""The commands on a page with what they print, and how to compare that with a run."""

from __future__ import annotations

import re

CONSOLE = re.compile(
    r"```console\n\$ (?P<command>sequela [^\n]*)\n```\n(?:\n```text\n(?P<output>.*?)```)?", re.DOTALL
)
"""A command on a page, and its output if the page shows it."""


def without_log(text: str) -> str:
    """Returns the text without log lines, which a server in this process prints between the others."""
    return "\n".join(line for line in text.splitlines() if not re.match(r"\d{4}-\d\d-\d\d \d\d:.*\[", line))


def same_words(printed: str, shown: str) -> bool:
    """Returns whether two outputs have the same words and nearly the same numbers.

    The last digits of a number depend on the processor. The widths of columns and the lengths of bars are not compared.
    """
    ours, theirs = (re.sub(r"[█─│\s]+", " ", text).split() for text in (printed, shown))
    return len(ours) == len(theirs) and all(map(_same_word, ours, theirs))


def _same_word(one: str, other: str) -> bool:
    number = re.compile(r"[+-]?\d+\.\d+|\d{1,3},\d{3}")
    if number.sub("#", one) != number.sub("#", other):
        return False
    pairs = zip(number.findall(one), number.findall(other), strict=True)
    return all(_close(*(float(each.replace(",", "")) for each in pair)) for pair in pairs)


def _close(one: float, other: float) -> bool:
    """Returns whether numbers differ by at most the last digit that is printed, or counts of coalitions by at most a
    tenth.
    """
    return abs(one - other) <= max(0.011, 0.1 * one if one >= 1000 else 0)
