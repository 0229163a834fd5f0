"""What a server has used so far: the time of its processes, and the sums of its metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.alerts.version_server import VersionServer
from benchmarks.processes import tree_cpu_seconds

PREFIX, SUFFIX = "sequela_", "_seconds_sum"
PART_LABELS = ("stage", "part")  # labels that name a part of an explanation
OTHER_PARTS = {"sequela_model_call_seconds_sum": "calls of the model"}


@dataclass(frozen=True, slots=True)
class Counters:
    """Sums since the server started.

    Args:
        cpu_seconds: the processor time of the server and of all processes below it.
        parts: the wall time in each part of explanations, in seconds. A part may contain others.
    """

    cpu_seconds: float
    parts: Mapping[str, float]

    def since(self, earlier: "Counters") -> "Counters":
        """Returns the differences to earlier sums."""
        parts = {name: seconds - earlier.parts.get(name, 0.0) for name, seconds in self.parts.items()}
        return Counters(self.cpu_seconds - earlier.cpu_seconds, parts)

    def each(self, count: int) -> "Counters":
        """Returns the sums divided by a number of alerts."""
        return Counters(
            self.cpu_seconds / count, {name: seconds / count for name, seconds in self.parts.items()}
        )


def read_counters(server: VersionServer) -> Counters:
    """Reads the sums of a running server."""
    cpu_seconds = tree_cpu_seconds(server.pid)
    with urlopen(f"http://{server.http}/metrics") as answer:
        return Counters(cpu_seconds, dict(parts(answer.read().decode())))


def parts(exposition: str) -> Iterator[tuple[str, float]]:
    """Yields each part that metrics in Prometheus's text format tell the time of, and its sum in seconds."""
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            names = [sample.labels[label] for label in PART_LABELS if label in sample.labels]
            if sample.name.startswith(PREFIX) and sample.name.endswith(SUFFIX) and names:
                yield names[0], sample.value
            elif sample.name in OTHER_PARTS:
                yield OTHER_PARTS[sample.name], sample.value
