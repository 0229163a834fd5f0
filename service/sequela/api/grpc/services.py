"""The services of the contract, each with its servicer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.inference import open_inference_pb2_grpc as oip_rpc
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.catalog import Catalog
from sequela.api.grpc.access_service import AccessService
from sequela.api.grpc.background_service import BackgroundService
from sequela.api.grpc.explanation_service import ExplanationService
from sequela.api.grpc.inference_service import InferenceService
from sequela.api.grpc.model_service import ModelService
from sequela.api.inference.open_inference import OpenInference

_SERVICES = pb.DESCRIPTOR.services_by_name
_INFERENCE = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
SERVICE_NAMES = (*(service.full_name for service in _SERVICES.values()), _INFERENCE)
"""The full names of all services, as used by health checks and reflection."""


@dataclass(frozen=True, slots=True)
class Service:
    """A servicer, its full name, and the generated function that adds it to a server."""

    name: str
    servicer: Any
    add: Callable[[Any, grpc.aio.Server], None]


def services(catalog: Catalog, inference: OpenInference) -> tuple[Service, ...]:
    """Returns all services."""
    dataplane = inference.dataplane
    return (
        Service(
            _SERVICES["ExplanationService"].full_name,
            ExplanationService(dataplane),
            rpc.add_ExplanationServiceServicer_to_server,
        ),
        Service(
            _SERVICES["ModelService"].full_name,
            ModelService(catalog, dataplane.policy),
            rpc.add_ModelServiceServicer_to_server,
        ),
        Service(
            _SERVICES["BackgroundService"].full_name,
            BackgroundService(catalog, dataplane.policy),
            rpc.add_BackgroundServiceServicer_to_server,
        ),
        Service(
            _SERVICES["AccessService"].full_name,
            AccessService(),
            rpc.add_AccessServiceServicer_to_server,
        ),
        Service(
            _INFERENCE,
            InferenceService(inference),
            oip_rpc.add_GRPCInferenceServiceServicer_to_server,
        ),
    )
