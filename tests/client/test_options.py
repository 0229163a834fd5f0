"""Every option is declared once: the contract, the keywords, the flags and the answer agree."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import sequela_client
from sequela_client import Sequela
from sequela_client.cli.main import main
from sequela_client.cli.option_flags import error_with_flags, flag_of, with_flags
from sequela_client.option_messages import options_message, used_options
from sequela_client.options import OPTIONS, PER_TARGET, UsedOptions
from sequela_proto.v1 import sequela_pb2 as pb

A_VALUE = {bool: True, int: 3, float: 0.5, str: "a"}


def test_options_are_those_of_the_contract() -> None:
    """In name and number: of a request, and of an answer."""
    assert set(OPTIONS) == set(pb.ExplainOptions.DESCRIPTOR.fields_by_name)
    used = {PER_TARGET.get(field.name, field.name) for field in fields(UsedOptions)}
    assert used == set(pb.ResolvedOptions.DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_is_sent_by_its_declaration(name: str) -> None:
    """The message holds it, and nothing else; each word that is allowed has a number of its own."""
    option = OPTIONS[name]
    values = list(option.choices) or [A_VALUE[option.kind]]
    sent = [options_message({name: [value] if option.multiple else value}) for value in values]
    assert [[field.name for field, _ in each.ListFields()] for each in sent] == [[name]] * len(values)
    assert len({each.SerializeToString() for each in sent}) == len(values)
    if option.choices:
        enum = pb.ExplainOptions.DESCRIPTOR.fields_by_name[name].enum_type
        assert enum is not None
        assert len(option.choices) == len(enum.values) - 1


def test_each_option_has_a_flag_and_a_line_of_the_docstring() -> None:
    """With the same help text."""
    params = {param.name: param for param in main.commands["explain"].params}
    told = " ".join((Sequela.explain.__doc__ or "").split())
    for name, option in OPTIONS.items():
        assert f"{name}: {option.about.help} Default: {option.about.default}." in told
        assert params[name].opts == [flag_of(name)]
        assert with_flags(option.about.help) in (getattr(params[name], "help", "") or "")


def test_an_answer_without_optional_fields() -> None:
    """What is unset is None, a list is a tuple, an enum is a word."""
    used = used_options(
        pb.ResolvedOptions(
            levels=[pb.LEVEL_EVENT], link=pb.LINK_LOGIT, pruning_tolerance=[0.25, 0.5], seed=3, top_k_events=2
        )
    )
    assert (used.levels, used.link, used.estimator) == (("event",), "logit", "")
    assert (used.pruning_tolerances, used.cell_thresholds) == ((0.25, 0.5), ())
    assert (used.seed, used.top_k_events, used.top_k_features, used.minimum_score) == (3, 2, None, None)
    assert used.refine_history is False
    assert used.for_target(1).pruning_tolerances == (0.5,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a smaller pruning_tolerance helps", "a smaller --pruning-tolerance helps"),
        ("name others with targets.", "name others with --target."),
        ("the targets of the model and its link", "the targets of the model and its link"),
        ("column 'max_coalitions' and my_max_coalitions", "column 'max_coalitions' and my_max_coalitions"),
    ],
)
def test_notes_name_flags(text: str, said: str) -> None:
    """Only where an option is meant."""
    assert with_flags(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: must be from 0 to 9, not -1", "--seed: must be from 0 to 9, not -1"),
        ("targets[0]: 'x' is not an output", "--target: 'x' is not an output"),
        ("bad; levels: unknown", "bad; --level: unknown"),
        ("sequence['places']: no", "--sequence['places']: no"),
        ("background.mean_event: no", "--background.mean_event: no"),
        (
            f"model models/{'0123456789ab' * 5}cdef/versions/1 fails",
            "model models/0123456789ab…/versions/1 fails",
        ),
        ("model m.onnx: No such file", "model m.onnx: No such file"),
    ],
)
def test_errors_name_flags(text: str, said: str) -> None:
    """The argument at fault stands at the beginning of the message, or of one of its parts."""
    assert error_with_flags(text) == said


def test_a_boolean_option_stands_in_one_module() -> None:
    """Keyword, docstring, flag, message and answer follow from its two lines in options.py."""
    root = Path(sequela_client.__file__).parent
    assert OPTIONS["full_pruning_curve"].kind is bool
    named = {path.name for path in root.rglob("*.py") if "full_pruning_curve" in path.read_text()}
    # The report and the figure of the pruning curve advise it in a sentence.
    assert named - {"phrases.py", "alert.py"} == {"options.py"}
