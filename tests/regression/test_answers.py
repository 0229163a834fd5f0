"""Digests notice the last bit of a number, keep words apart, and leave out what differs from run to run."""

from __future__ import annotations

import numpy as np
from regression.answers import lines
from sequela_proto.v1 import sequela_pb2 as pb


def explanation(
    value: float = 0.25, message: str = "Look here.", name: str = "explanations/1"
) -> pb.Explanation:
    found = pb.Explanation(name=name, warnings=[pb.Warning(reason="OUTPUTS_LEFT_OUT", message=message)])
    found.event_level.attributions.add(kind=pb.PLAYER_KIND_EVENT, event=0, values=[value])
    found.cost.stage_times["event"].FromMilliseconds(len(name))
    return found


def test_a_single_bit_changes_the_digest_of_the_numbers() -> None:
    """And only that one."""
    one = lines(explanation()).digests()
    other = lines(explanation(value=np.nextafter(0.25, 1))).digests()
    assert one["numbers"] != other["numbers"]
    assert one["words"] == other["words"]


def test_a_message_changes_the_digest_of_the_words() -> None:
    """The reason of a warning counts as structure, its message as words."""
    one = lines(explanation())
    other = lines(explanation(message="Look there.")).digests()
    assert one.digests()["numbers"] == other["numbers"]
    assert one.digests()["words"] != other["words"]
    assert one.words == ("/warnings/0/message = 'Look here.'",)
    assert "/warnings/0/reason = 'OUTPUTS_LEFT_OUT'" in one.numbers


def test_names_and_times_are_left_out() -> None:
    """They differ between two runs of one commit."""
    assert lines(explanation()) == lines(explanation(name="explanations/another"))


def test_fields_can_be_left_out_by_name() -> None:
    """Only where they stand."""
    given = {"model": 1, "score": 2.0, "parts": [{"model": 3, "kept": True}]}
    assert lines(given, frozenset({"model"})).numbers == (
        "/parts/0/kept = True",
        "/score = 0x1.0000000000000p+1",
    )
