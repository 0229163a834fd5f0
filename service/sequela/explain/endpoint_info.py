"""What is known about the endpoint of a model."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.explain.options import Estimator


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """The endpoint that serves a model, and the settings of its operator.

    Attributes:
        uri: Where the model is served.
        version: The version to request from the server; empty lets the server choose.
        revision: The operator's label for what is served; empty if there is none.
        pinned: Whether the served model cannot change without notice. Only then may answers be reused.
        platform: The server's name for the software that runs the model; empty if it does not say.
        max_coalitions: The default budget of a level in coalitions.
        estimator: The default estimator; None to choose one by how long rows take.
    """

    uri: str
    version: str
    revision: str
    pinned: bool
    platform: str
    max_coalitions: int
    estimator: Estimator | None
