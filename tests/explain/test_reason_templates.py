"""Templates are read once, refuse what they cannot fill, and never read a value as a template."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequela.explain.result.reason_templates import (
    MAX_FACT_CHARACTERS,
    MAX_TEMPLATE_CHARACTERS,
    PLACEHOLDERS,
    clean,
    fill,
    find_template,
    placeholders,
    template_features,
    template_problems,
)
from sequela.explain.schema import Direction, ReasonTemplate, ReasonTemplates

RAISES, LOWERS = Direction.RAISES, Direction.LOWERS
ALL = frozenset(PLACEHOLDERS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has 0 characters, must have from 1 to 300"),
        ("  ", "not only spaces"),
        ("x" * (MAX_TEMPLATE_CHARACTERS + 1), "has 301 characters, must have from 1 to 300"),
        ("two\nlines", "line break"),
        ("bell\x07", "control character"),
        ("{value", "single brace"),
        ("value}", "single brace"),
        ("{amount}", "{amount} is not a placeholder; allowed are {label}, {value}, {time}"),
        ("{}", "{} is not a placeholder"),
        ("{0}", "{0} is not a placeholder"),
        ("{value.real}", "{value.real} is not a placeholder"),
        ("{value[0]}", "{value[0]} is not a placeholder"),
        ("{value!r}", "{value!r} is not a placeholder"),
        ("{value:>900}", "{value:>900} is not a placeholder"),
        ("{value:{label}}", "{value:{label}} is not a placeholder"),
        ("{Value}", "{Value} is not a placeholder"),
    ],
)
def test_what_a_template_may_not_say(text: str, problem: str) -> None:
    """Each mistake is named with what is allowed."""
    (found,) = template_problems(text)
    assert found.startswith("text: ")
    assert problem in found


@pytest.mark.parametrize(
    "text", ["Plain.", "{value}", "{{{label}}} at {time}", "x" * MAX_TEMPLATE_CHARACTERS]
)
def test_what_a_template_may_say(text: str) -> None:
    """Text, placeholders, and doubled braces that are text."""
    assert list(template_problems(text)) == []


@given(value=st.text(), label=st.text(), time=st.text())
def test_values_are_never_read_as_templates(value: str, label: str, time: str) -> None:
    """Braces, percent signs and names in a value come out as they went in."""
    facts = {"value": value, "label": label, "time": time}
    assert fill("{{a}} {label}|{value}|{time} {{", facts) == f"{{a}} {label}|{value}|{time} {{"


@given(st.text(alphabet=st.sampled_from("{}! :.[]abvaluetimelabel0"), max_size=30))
def test_a_template_without_problems_is_filled(text: str) -> None:
    """Whatever passes the check can be filled and names known placeholders only; the rest is refused with a reason."""
    problems = list(template_problems(text))
    if problems:
        return
    assert placeholders(text) <= ALL
    told = fill(text, dict.fromkeys(PLACEHOLDERS, "X"))
    expected = re.sub(r"\{(value|label|time)\}", "X", text.replace("{{", "\0").replace("}}", "\1"))
    assert told == expected.replace("\0", "{").replace("\1", "}")


@given(st.text())
def test_a_cleaned_text_is_one_short_line(text: str) -> None:
    """No control characters, no line breaks, no endless values; a plain short text is left as it is."""
    cleaned = clean(text)
    assert len(cleaned) <= MAX_FACT_CHARACTERS
    assert all(each.isprintable() for each in cleaned)
    if (
        text.isprintable()
        and len(text) <= MAX_FACT_CHARACTERS
        and not any(map(str.isspace, text.replace(" ", "")))
    ):
        assert cleaned == text


def test_terminal_codes_and_right_to_left_marks_are_removed() -> None:
    """A value cannot colour a terminal or turn the rest of a sentence around."""
    assert clean("\x1b[31mred\u202e\r\nnext\u2028") == "[31mred  next "


@pytest.mark.parametrize(
    ("features", "direction", "known", "index"),
    [
        (("amount", "*"), RAISES, ALL, 1),
        (("amount", "*"), LOWERS, ALL, 0),
        (("hour", "*"), RAISES, ALL, 2),
        (("hour",), RAISES, ALL, None),
        (("",), LOWERS, ALL, 3),
        # The template that raises needs a value, the one for both a time.
        (("amount", "*"), RAISES, ALL - {"value"}, 0),
        (("amount", "*"), RAISES, frozenset({"label"}), 2),
    ],
)
def test_the_best_template_that_can_be_filled_is_found(
    features: tuple[str, ...], direction: Direction, known: frozenset[str], index: int | None
) -> None:
    """The feature's own before any feature's, one for the direction before one for both."""
    templates = (
        ReasonTemplate("{label} at {time}", "amount"),
        ReasonTemplate("{value}", "amount", RAISES),
        ReasonTemplate("{label}", "*"),
        ReasonTemplate("{time}"),
    )
    found = find_template(ReasonTemplates("1", templates), features, direction, known)
    assert (found.index if found else None) == index


def test_only_its_own_template_tells_a_feature_without_a_name() -> None:
    """`f0` says nothing to a reader, so a template for any feature is not used for it."""
    assert template_features("f0", named=False) == ("f0",)
    assert template_features("amount", named=True) == ("amount", "*")
    assert template_features(None, named=True) == ("",)
