"""Random requests to a server in a process of its own: it answers each, none reveals a fault in it, and it goes on.

`make fuzz FUZZ_ARGS=rpc` and `make fuzz FUZZ_ARGS=http` send many more.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from request_fuzz import campaign, corpus
from request_fuzz.case import LATE, NO_ANSWER, Case, FrameCase, HttpCase, RpcCase, from_text, to_text
from request_fuzz.http_door import HttpDoor, routes
from request_fuzz.rpc_door import RpcDoor
from request_fuzz.server import FuzzedServer, fuzzed_server
from sequela.api.permissions import GRANTS

FEW, MANY = 40, 1_000


@pytest.fixture(scope="module")
def server() -> Iterator[FuzzedServer]:
    with fuzzed_server() as server:
        yield server


@pytest.fixture(scope="module")
def rpc(server: FuzzedServer) -> Iterator[RpcDoor]:
    door = RpcDoor(server.grpc)
    yield door
    door.close()


@pytest.fixture(scope="module")
def http(server: FuzzedServer) -> HttpDoor:
    return HttpDoor(server.http, routes())


@pytest.mark.parametrize("name", corpus.names("rpc"))
def test_calls_that_were_kept(server: FuzzedServer, rpc: RpcDoor, name: str) -> None:
    """Each got a wrong answer once, or is of a kind to which other servers give one."""
    assert rpc.ask(corpus.read(name))[1] == ""
    server.check()


@pytest.mark.parametrize("name", corpus.names("http"))
def test_requests_that_were_kept(server: FuzzedServer, http: HttpDoor, name: str) -> None:
    """The same over HTTP."""
    assert http.ask(corpus.read(name))[1] == ""
    server.check()


def test_every_method_and_route_is_asked(rpc: RpcDoor, http: HttpDoor) -> None:
    """Those that the server lists by reflection, and those of its router; the table of permissions has the same."""
    calls = (rpc.case(number, 1) for number in range(len(rpc.methods)))
    found = {each.method for each in calls if isinstance(each, RpcCase | FrameCase)}
    requests = (http.case(number, 1) for number in range(len(http.routes)))
    found |= {each.route for each in requests if isinstance(each, HttpCase)}
    assert found == set(GRANTS)


def test_the_same_seed_makes_the_same_requests(rpc: RpcDoor, http: HttpDoor) -> None:
    """So that a case can be sent again; and a case that is written and read is the same."""
    for door in (rpc, http):
        first = [door.case(number, 1) for number in range(50)]
        assert first == [door.case(number, 1) for number in range(50)]
        assert [from_text(to_text(each)) for each in first] == first
        assert first != [door.case(number, 2) for number in range(50)]


def settle_seconds(cases: int) -> float:
    """After a few cases, what the process holds is still growing, and not compared."""
    return 0.0 if cases == FEW else campaign.SETTLE_SECONDS


@pytest.mark.parametrize("cases", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_random_calls(server: FuzzedServer, rpc: RpcDoor, cases: int) -> None:
    """Some are right, more are refused, and none is the server's fault."""
    outcomes = campaign.run(server, rpc, range(cases), seed=20_261_127, settle_seconds=settle_seconds(cases))
    assert not outcomes.findings, "\n".join(outcomes.report())
    assert not outcomes.bugs
    assert sum(outcomes.counts.values()) == cases
    assert outcomes.counts["OK"] > cases / 20
    assert cases == FEW or outcomes.flat, "\n".join(outcomes.report())


@pytest.mark.parametrize("cases", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_random_requests(server: FuzzedServer, http: HttpDoor, cases: int) -> None:
    """The same over HTTP."""
    outcomes = campaign.run(server, http, range(cases), seed=20_261_127, settle_seconds=settle_seconds(cases))
    assert not outcomes.findings, "\n".join(outcomes.report())
    assert not outcomes.bugs
    assert sum(outcomes.counts.values()) == cases
    assert outcomes.counts["200"] > cases / 20
    assert outcomes.counts["400"] > cases / 10
    assert cases == FEW or outcomes.flat, "\n".join(outcomes.report())


class FaultyDoor:
    """Says that every message that holds an x is wrong."""

    def case(self, number: int, seed: int) -> Case:
        return RpcCase("S/M", (b"a" * 50 + b"x" + b"b" * 50, b"more"), (("k", "v"),))

    def ask(self, case: Case) -> tuple[str, str]:
        assert isinstance(case, RpcCase)
        return ("wrong", "holds an x") if b"x" in b"".join(case.messages) else ("OK", "")

    smaller = RpcDoor.smaller


def test_findings_are_made_small() -> None:
    """Nothing is left but what is wrong."""
    door = FaultyDoor()
    found = campaign.minimised(door, door.case(0, 0), "holds an x")  # type: ignore[arg-type]
    assert found == RpcCase("S/M", (b"x",))
    assert not list(islice(RpcDoor.smaller(door, RpcCase("S/M", ())), 1))  # type: ignore[arg-type]


def test_a_case_without_an_answer_is_not_made_small() -> None:
    """Each try would take a minute."""
    door = FaultyDoor()
    case = door.case(0, 0)
    assert campaign.minimised(door, case, NO_ANSWER) is case  # type: ignore[arg-type]
    assert campaign.minimised(door, case, LATE) is case  # type: ignore[arg-type]
