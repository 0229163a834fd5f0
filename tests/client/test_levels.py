"""A level that the client has no code for is read from a message, printed, written and drawn like the others."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from client.scripted import FEATURES, explanation
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from rich.console import Console
from sequela_client import Explanation, PlayerKind, responses
from sequela_client.cli.level_tables import print_levels
from sequela_client.options import Level
from sequela_client.phrases import Phrases
from sequela_proto.v1 import sequela_pb2 as pb

ANSWER = explanation(pb.ExplainRequest(), "")


@pytest.fixture(scope="module")
def message() -> Any:
    """An explanation by a later contract, with a field `test_halves_level` that is set."""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    later = next(each for each in file.message_type if each.name == "Explanation")
    field = later.field.add()
    field.CopyFrom(next(each for each in later.field if each.name == "event_level"))
    field.name, field.json_name, field.number = "test_halves_level", "testHalvesLevel", 4711
    pool = descriptor_pool.DescriptorPool()
    for name in file.dependency:
        needed = descriptor_pb2.FileDescriptorProto()
        descriptor_pool.Default().FindFileByName(name).CopyToProto(needed)
        pool.Add(needed)
    pool.Add(file)
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("sequela.v1.Explanation"))()
    made.ParseFromString(ANSWER.SerializeToString())
    made.ClearField("feature_level")
    made.test_halves_level.ParseFromString(ANSWER.event_level.SerializeToString())
    return made


@pytest.fixture
def told(message: Any) -> Explanation:
    return responses.explanation(message)


def test_it_is_read(told: Explanation) -> None:
    """By its name, behind the others; a level that is not set is not there."""
    assert list(told.levels) == ["event", "cell", "test_halves"]
    assert told.feature_level is None
    assert told.levels["test_halves"] == told.event_level
    assert "test_halves sampled" in repr(told)


def test_it_has_the_numbers_of_one_target(told: Explanation) -> None:
    """As all levels have after `target`."""
    assert [item.values for item in told.target("honest").levels["test_halves"].attributions] == [
        (-0.02,),
        (0.12,),
        (-0.9,),
    ]


def test_it_is_written(told: Explanation) -> None:
    """In JSON under the key of the contract; known levels that were not asked for are null. In CSV by its name."""
    content = json.loads(told.to_json())
    assert content == told.to_dict()
    keys = [key for key in content if key.endswith("_level")]
    assert keys == [*(f"{name}_level" for name in get_args(Level)), "test_halves_level"]
    assert "levels" not in content
    assert content["feature_level"] is None
    assert content["test_halves_level"] == content["event_level"]
    rows = [row for row in csv.DictReader(io.StringIO(told.to_csv())) if row["level"] == "test_halves"]
    assert [row["kind"] for row in rows if row["target"] == "fraud"] == ["pruned", "event", "event"]


def drawn(told: Explanation) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_levels(console, told, 20)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_is_drawn(told: Explanation) -> None:
    """With the name of each of its players, below the tables of the other levels."""
    _, table = drawn(told.target("fraud")).split("Test halves level")
    for part in ("t=0", "t=-1", "t=-3…-2", "+0.9000", "-0.1200"):
        assert part in table
    assert "all other cells" not in table


def test_an_unknown_player_is_called_unknown(told: Explanation) -> None:
    """A kind of player of a newer server is not taken for the rest of the cells."""
    words, item = Phrases(told), told.cells[-1]
    assert words.player(item) == "all other cells"
    assert words.player(replace(item, kind=PlayerKind.UNKNOWN)) == "unknown player"
    assert FEATURES[0] not in words.player(replace(item, kind=PlayerKind.UNKNOWN))
