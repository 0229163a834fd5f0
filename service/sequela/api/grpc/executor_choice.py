"""Which room a request for a model belongs in."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.executors import Executor, Executors
from sequela.explain.ports import Models
from sequela.explain.request import EndpointModel, NamedModel


@dataclass(frozen=True, slots=True)
class Seating:
    """Looks at a model reference before it is decoded: cheap, and asks nobody."""

    executors: Executors
    models: Models

    def executor(self, reference: pb.ModelReference) -> Executor:
        """Where what the model is asked for takes its seat."""
        served = self.models.is_remote(
            EndpointModel(reference.endpoint.uri)
            if reference.HasField("endpoint")
            else NamedModel(reference.name)
        )
        return self.executors.remote if served else self.executors.explain
