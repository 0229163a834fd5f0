"""Stored explanations are listed, read with their sequence, and deleted: from Python and by the commands."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from client.command_runs import Run
from client.scripted import Script, explanation
from sequela_client import AsyncSequela, CallerError, EventInfo, Sequela, Sequence
from sequela_client.cli.main import main
from sequela_client.explanation_parts import SequenceState
from sequela_client.files import read_sequence
from sequela_client.requests import sequence_message
from sequela_proto.v1 import sequela_pb2 as pb

NAME = "explanations/e1"
TIME = datetime(2026, 3, 29, 14, 0, tzinfo=UTC)
SENT = Sequence(
    {"events": np.array([[1.5, np.nan], [2.5, 4.0]]), "static": np.array([7], dtype=np.int64)},
    (EventInfo("first"), EventInfo("second", TIME, {"shop": "corner"})),
    "alert-9",
    {"desk": "2"},
)


@pytest.fixture
def stored(script: Script) -> Script:
    """A server that has an explanation with its sequence, one without, and one of an older server."""
    request = pb.ExplainRequest(caller_id=SENT.id, labels=SENT.labels)
    made = explanation(request, "default")
    script.stored = {
        NAME: pb.GetExplanationResponse(
            explanation=made, sequence=sequence_message(SENT), sequence_state=pb.SEQUENCE_STATE_KEPT
        ),
        "explanations/dropped": pb.GetExplanationResponse(
            explanation=made, sequence_state=pb.SEQUENCE_STATE_NOT_KEPT
        ),
        "explanations/old": pb.GetExplanationResponse(explanation=made),
    }
    return script


def same(found: Sequence | None, other: Sequence) -> bool:
    """Whether two sequences are the same, with their types."""
    assert found is not None
    one, two = dict(found.inputs), dict(other.inputs)  # type: ignore[arg-type]
    assert one.keys() == two.keys()
    assert all(np.asarray(one[name]).dtype == np.asarray(two[name]).dtype for name in one)
    arrays = all(np.array_equal(one[name], two[name], equal_nan=True) for name in one)
    return arrays and (found.events, found.id, found.labels) == (other.events, other.id, other.labels)


def test_the_sequence_comes_with_the_explanation(stored: Script, client: Sequela) -> None:
    """As it was sent; the state says why there is none."""
    found = client.get_explanation(NAME)
    assert found.sequence_state is SequenceState.KEPT
    assert same(found.sequence, SENT)
    dropped, old = (client.get_explanation(f"explanations/{name}") for name in ("dropped", "old"))
    assert (dropped.sequence, dropped.sequence_state) == (None, SequenceState.NOT_KEPT)
    assert (old.sequence, old.sequence_state) == (None, SequenceState.UNKNOWN)
    # The explanation itself is the same.
    assert found == dropped == old


def test_json_has_the_sequence_of_stored_explanations_only(stored: Script, client: Sequela) -> None:
    """In the form of sequence files, where NaN is null."""
    written = json.loads(client.get_explanation(NAME).to_json())
    assert written["sequence_state"] == "kept"
    assert written["sequence"]["inputs"]["events"] == [[1.5, None], [2.5, 4.0]]
    assert json.loads(client.get_explanation("explanations/dropped").to_json())["sequence"] is None
    assert "sequence" not in json.loads(client.explain(np.ones((3, 2)), model="m").to_json())


def test_lists_filter_by_score(client: Sequela, script: Script) -> None:
    """Zero is a score, and not given is not zero."""
    list(client.list_explanations(min_score=0, max_score=0.5))
    list(client.list_explanations())
    first, second = (request for name, request in script.calls if name == "ListExplanations")
    assert (first.min_score, first.max_score) == (0.0, 0.5)
    assert first.HasField("min_score")
    assert not second.HasField("min_score")
    assert not second.HasField("max_score")
    wrong: Any = "0.5"
    with pytest.raises(CallerError, match=r"min_score: must be a number, not '0\.5'"):
        list(client.list_explanations(min_score=wrong))


@pytest.mark.parametrize(
    ("how", "sent"),
    [
        ({"name": NAME}, pb.DeleteExplanationRequest(name=NAME)),
        ({"caller_id": "alert-9"}, pb.DeleteExplanationRequest(caller_id="alert-9")),
        (
            {"label": ("desk", "2")},
            pb.DeleteExplanationRequest(label=pb.Label(key="desk", value="2")),
        ),
    ],
)
def test_deletes_by_one_selector(
    client: Sequela, address: str, script: Script, how: dict[str, Any], sent: pb.DeleteExplanationRequest
) -> None:
    """Both clients send it, and return how many were deleted."""
    assert client.delete_explanations(**how) == 3

    async def delete() -> int:
        async with AsyncSequela(address) as sequela:
            return await sequela.delete_explanations(**how)

    assert asyncio.run(delete()) == 3
    assert script.calls == [("DeleteExplanation", sent)] * 2


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "exactly one of them"),
        ({"name": NAME, "caller_id": "a"}, "exactly one of them"),
        ({"name": ""}, "name: must not be empty"),
        ({"caller_id": ""}, "caller_id: must not be empty"),
        ({"label": ("", "2")}, "label: must not be empty"),
        ({"label": "desk=2"}, "label: must be a pair"),
        ({"label": ("desk", 2)}, "label"),
        ({"caller_id": 9}, "caller_id"),
    ],
)
def test_nothing_is_deleted_by_mistake(
    client: Sequela, script: Script, how: dict[str, Any], said: str
) -> None:
    """An empty selector is refused before it is sent."""
    with pytest.raises(CallerError, match=said):
        client.delete_explanations(**how)
    assert script.calls == []


def test_the_command_list(run: Run, address: str, script: Script) -> None:
    """A table, or lines of JSON; options become filters."""
    filters = (
        "--caller-id",
        "a",
        "--model",
        "m",
        "--label",
        "desk=2",
        "--min-score",
        "0.1",
        "--max-score",
        "1",
    )
    times = ("--start", "2026-03-29T14:00:00+00:00", "--end", "2026-03-30T00:00:00+00:00")
    done = run("list", "--server", address, "--limit", 3, *filters, *times)
    assert done.exit_code == 0, done.output
    assert "There are more than these 3" in done.output
    sent = script.calls[0][1]
    assert (sent.caller_id, sent.model, dict(sent.labels)) == ("a", "m", {"desk": "2"})
    assert (sent.min_score, sent.max_score, sent.page_size) == (0.1, 1.0, 4)
    assert sent.start_time.ToDatetime(UTC) == TIME
    lines = run("list", "--server", address, "--json").output.splitlines()
    assert [json.loads(line)["name"] for line in lines] == [f"explanations/{number}" for number in range(5)]
    done = run("list", "--server", address, "--start", "29.03.2026")
    assert (done.exit_code, "is not a date or a time such as 2026-03-29" in done.stderr) == (2, True)


def test_the_command_show(run: Run, address: str, stored: Script, tmp_path: Path) -> None:
    """The report, files, and the sequence as a file that can be explained again."""
    file = tmp_path / "again.json"
    done = run("show", "e1", "--server", address, "--sequence", file, "--json", tmp_path / "e.json")
    assert done.exit_code == 0, done.output
    assert "the server has kept the sequence" in done.stderr
    assert json.loads((tmp_path / "e.json").read_text())["sequence_state"] == "kept"
    again = read_sequence(file)
    values = np.asarray(again.inputs["events"], dtype=float)  # type: ignore[index, call-overload]
    assert np.array_equal(values, SENT.inputs["events"], equal_nan=True)  # type: ignore[index, call-overload]
    assert (again.events, again.id, again.labels) == (SENT.events, SENT.id, SENT.labels)
    done = run("show", "explanations/dropped", "--server", address, "--sequence", "-")
    assert (done.exit_code, "set not to keep sequences" in done.stderr) == (1, True)
    assert run("show", "nobody", "--server", address).exit_code == 1


def test_the_command_delete(run: Run, address: str, script: Script) -> None:
    """It asks first, unless --yes is given; a refusal deletes nothing."""
    ask = ["delete", "--server", address, "--caller-id", "alert-9"]
    done = CliRunner().invoke(main, ask, input="n\n")
    assert done.exit_code == 1
    assert f"Delete 5 explanations with the caller id 'alert-9' from {address}?" in done.stderr
    assert CliRunner().invoke(main, ask).exit_code == 1
    assert script.names == ["ListExplanations"] * 2
    script.listed *= 200
    done = CliRunner().invoke(main, ask, input="n\n")
    assert "Delete at least 1,000 explanations with the caller id" in done.stderr
    script.calls.clear()
    done = CliRunner().invoke(main, ask, input="y\n")
    assert (done.exit_code, done.stdout) == (0, "3 explanations deleted\n")
    assert run("delete", "e1", "--yes", "--server", address).exit_code == 0
    assert run("delete", "--label", "desk=2", "--yes", "--server", address).exit_code == 0
    deletions = [request for name, request in script.calls if name == "DeleteExplanation"]
    assert [each.WhichOneof("selector") for each in deletions] == ["caller_id", "name", "label"]
    assert deletions[1].name == NAME


@pytest.mark.parametrize(
    "selector",
    [
        (),
        ("e1", "--caller-id", "a"),
        ("--caller-id", ""),
        ("",),
        ("--label", "desk"),
        ("--label", "=2"),
        ("--label", "desk=2", "--label", "year=2026"),
        ("--caller-id", "a", "--caller-id", "b"),
    ],
)
def test_the_command_deletes_nothing_by_mistake(
    run: Run, address: str, script: Script, selector: tuple[str, ...]
) -> None:
    """Also where a variable of a script is not set."""
    assert run("delete", *selector, "--yes", "--server", address).exit_code == 2
    assert script.calls == []


IDS = ("3f0c2d4e11", "3f0c2d4e22", "77aa00bb33")


@pytest.fixture
def listed(stored: Script) -> Script:
    """A server with three explanations. The names of two of them begin with the same eight digits."""
    made = pb.GetExplanationResponse(explanation=explanation(pb.ExplainRequest(), "default"))
    for each in IDS:
        answer = pb.GetExplanationResponse()
        answer.CopyFrom(made)
        answer.explanation.name = f"explanations/{each}"
        stored.stored[answer.explanation.name] = answer
    stored.listed = [
        pb.ExplanationSummary(
            name=f"explanations/{each}",
            model="models/other/versions/2",
            caller_id="alert-of-the-night-0815-4711",
            labels={"team": "b\tc", "desk": "2"},
            event_count=47,
            targets=[pb.TargetScore(name="fraud", raw_score=0.98765)],
        )
        for each in IDS
    ]
    return stored


def test_a_list_fits_a_terminal(address: str, listed: Script) -> None:
    """At 80 columns names, times and numbers are whole; labels are sorted, below the caller id."""
    environment = {"COLUMNS": "80", "FORCE_COLOR": "1", "NO_COLOR": "1", "TZ": "UTC"}
    done = CliRunner().invoke(main, ["list", "--server", address], env=environment)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if re.match(" *(3f0c|77aa)", line)]
    assert [row[0] for row in rows] == ["3f0c2d4e1", "3f0c2d4e2", "77aa00bb3"]
    assert {tuple(row[1:3] + row[-3:]) for row in rows} == {
        ("1970-01-01", "00:00", "other/2", "0.9877", "47")
    }
    assert sum("desk=2, team=b c" in line for line in lines) == 3


def test_a_list_that_is_piped(run: Run, address: str, listed: Script) -> None:
    """One line for each, with tabs, the whole name, and nothing else on standard output."""
    done = run("list", "--server", address, "--limit", 2)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == list(IDS[:2])
    rest = ["alert-of-the-night-0815-4711", "other/2", "0.9877", "47", "desk=2, team=b c"]
    assert [row[2:] for row in rows] == [rest] * 2
    assert "There are more than these 2" in done.stderr


def test_the_beginning_of_a_name_is_enough(run: Run, address: str, listed: Script) -> None:
    """If it is that of one explanation; otherwise the error says so, and nothing is deleted."""
    done = run("show", "77aa", "--server", address, "--json", "-")
    assert json.loads(done.stdout)["name"] == "explanations/77aa00bb33"
    for command in (("show",), ("delete",), ("delete", "--yes")):
        done = run(*command, "3f0c2d4e", "--server", address)
        assert done.exit_code == 1
        said = "'3f0c2d4e' is the beginning of several explanations, 3f0c2d4e11, 3f0c2d4e22; give more"
        assert said in done.stderr
        done = run(*command, "ffff0000", "--server", address)
        assert (done.exit_code, "there is no explanation 'ffff0000'" in done.stderr) == (1, True)
        done = run(*command, "77", "--server", address)
        assert (done.exit_code, "at least its first 4 characters" in done.stderr) == (1, True)
    assert all(f"explanations/{each}" in listed.stored for each in IDS)
    done = CliRunner().invoke(main, ["delete", "77aa", "--server", address], input="y\n")
    assert f"Delete the explanation 77aa00bb33 from {address}?" in done.stderr
    assert done.stdout == "1 explanation deleted\n"
    done = run("delete", "3f0c2d4e2", "--yes", "--server", address)
    assert done.stdout == "1 explanation deleted\n"
    assert [each for each in IDS if f"explanations/{each}" in listed.stored] == ["3f0c2d4e11"]
