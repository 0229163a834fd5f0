"""What `sequela capacity` prints: for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table

from sequela_client.cli.capacity_plan import Deployment, Measurement, Plan, redis_bytes_each
from sequela_client.cli.terminal import print_wrapped

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_DAY = 86_400.0
_UNKNOWN = "not measured"


def json_report(measured: Measurement, plans: Sequence[Plan], chosen: Deployment) -> str:
    """Everything that was measured, chosen and computed, in seconds and bytes."""
    measurement = {**asdict(measured), "alerts_per_core_second": measured.alerts_per_core_second}
    content = {
        "measurement": measurement,
        "deployment": asdict(chosen),
        "plans": [asdict(each) for each in plans],
    }
    return json.dumps(content, indent=2)


def print_report(console: Console, measured: Measurement, plans: Sequence[Plan], chosen: Deployment) -> None:
    """Prints what was measured, a row for each rate, and the assumptions behind these numbers."""
    for line in _measured(measured):
        console.print(line)
    console.print(_table(console, plans, chosen))
    console.print("This holds if:", style="bold")
    for each in _assumptions(measured, chosen):
        print_wrapped(console, f"- {each}", "  ")


def _measured(measured: Measurement) -> Iterator[str]:
    yield f"Model {measured.model}: {measured.alerts} alerts were explained, one at a time."
    yield f"  median time of an alert       {_milliseconds(measured.p50_seconds)}"
    yield f"  average time of a core        {_milliseconds(measured.core_seconds)}"
    yield f"  alerts a second for a core    {measured.alerts_per_core_second:.3g}"
    yield f"  bytes of one in Redis         {size(redis_bytes_each(measured))}"


def _table(console: Console, plans: Sequence[Plan], chosen: Deployment) -> Table:
    unicode = console.encoding.startswith("utf")
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII, pad_edge=False)
    heads = (
        "alerts/s",
        f"cores at {chosen.utilisation:.0%}",
        f"replicas of {chosen.cores_per_replica} cores",
        "memory of a replica",
        f"Redis for {chosen.retention_seconds / _DAY:g} days",
        "Redis commands/s",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for each in plans:
        table.add_row(
            _count(each.rate),
            _count(each.cores),
            _count(each.replicas),
            size(each.replica_bytes),
            size(each.redis_bytes),
            _count(each.redis_commands),
        )
    return table


def _assumptions(measured: Measurement, chosen: Deployment) -> Iterator[str]:
    if measured.memory is None:
        yield (
            "The whole time of a call was the time of one core. This machine could not see the processes of the "
            "server, so time on the network counts as well."
        )
    yield "Your cores are as fast as the one here, and were not shared while this was measured."
    yield (
        "The alerts are like those that were explained. Every alert is new; repeated ones cost less. "
        f"{chosen.utilisation:.0%} of the cores are used on average, which leaves room for peaks and failed replicas."
    )
    yield (
        f"Every replica has {chosen.cores_per_replica} cores with an engine on each, and there are at least two "
        "replicas. A replica loads no other models."
    )
    yield (
        f"Redis keeps explanations for {chosen.retention_seconds / _DAY:g} days (--explanation-ttl), with their "
        "sequences, one copy of each. A replica of Redis needs as much again."
    )
    yield "Redis commands are those of new explanations. Lists and pages that people open need additional commands."


def _count(number: float) -> str:
    return f"{number:,.1f}" if number < 10 and number != round(number) else f"{number:,.0f}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def size(count: float | None) -> str:
    """A number of bytes with three digits and a unit of powers of 1,000."""
    if count is None:
        return _UNKNOWN
    for unit in _UNITS[:-1]:
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} {_UNITS[-1]}"
