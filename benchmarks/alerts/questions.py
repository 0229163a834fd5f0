"""The requests about the alerts of a model, and what their answers cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sequela_client.option_messages import options_message
from sequela_client.requests import sequence_message
from sequela_proto.v1 import sequela_pb2 as pb

from benchmarks.alerts.alert_models import AlertModel, Inputs

SEED = 0  # of all explanations


@dataclass
class Questions:
    """Encoded requests about a model's alerts, which are drawn as they are needed.

    Args:
        model: the model.
        options: options besides the seed, by name.
    """

    model: AlertModel
    options: dict[str, Any] = field(default_factory=dict)
    _alerts: Iterator[Inputs] = field(init=False)
    _drawn: list[Inputs] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._alerts = self.model.alerts()

    def alerts(self, first: int, count: int) -> list[Inputs]:
        """Returns `count` alerts, counted from `first`. Raises ValueError if the model has not as many."""
        self._drawn += islice(self._alerts, max(first + count - len(self._drawn), 0))
        if len(self._drawn) < first + count:
            raise ValueError(
                f"{self.model.title} has {len(self._drawn)} alerts, and {first + count} are needed; measure with a "
                "smaller effort"
            )
        return self._drawn[first : first + count]

    def requests(self, first: int, count: int) -> list[bytes]:
        """Returns the encoded requests about these alerts."""
        return [explain_request(self.model.name, each, self.options) for each in self.alerts(first, count)]


def explain_request(model: str, inputs: Inputs, options: dict[str, Any]) -> bytes:
    """Returns an encoded request about a model of the repository."""
    return pb.ExplainRequest(
        model=pb.ModelReference(name=model),
        sequence=sequence_message(inputs),
        options=options_message({"seed": SEED, **options}),
    ).SerializeToString()


def explanations(answers: Sequence[bytes]) -> list[pb.Explanation]:
    """Decodes answers. Raises ValueError if one was not computed, but came from the store."""
    found = [pb.ExplainResponse.FromString(each).explanation for each in answers]
    if any(each.cost.cached for each in found):
        raise ValueError(
            "an alert was asked about twice: its answer came from the store, and its time says nothing"
        )
    return found


def mean_rows(found: Sequence[pb.Explanation]) -> float:
    """Returns the mean number of rows that the model ran for an explanation."""
    return sum(each.cost.model_rows for each in found) / len(found) if found else float("nan")
