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

from sequela.api.deadline_policy import DeadlinePolicy
from sequela.api.executors import Executors
from sequela.api.grpc.background_service import BackgroundService
from sequela.api.grpc.executor_choice import Seating
from sequela.api.grpc.explanation_service import ExplanationService
from sequela.api.grpc.inference_service import InferenceService
from sequela.api.grpc.model_service import ModelService
from sequela.api.inference.open_inference import OpenInference
from sequela.explain.limits import Limits
from sequela.explain.ports import Backgrounds, Explanations, Models
from sequela.explain.service import Explainer

SERVICES = pb.DESCRIPTOR.services_by_name
INFERENCE = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
NAMES = (*(service.full_name for service in SERVICES.values()), INFERENCE)
"""Of all services, as health and reflection know them."""


@dataclass(frozen=True, slots=True)
class Service:
    """A servicer, its full name, and the generated function that adds it to a server."""

    name: str
    servicer: Any
    add: Callable[[Any, grpc.aio.Server], None]


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind the door."""

    explainer: Explainer
    models: Models
    backgrounds: Backgrounds
    explanations: Explanations


def services(
    behind: Behind, executors: Executors, policy: DeadlinePolicy, limits: Limits, inference: OpenInference
) -> tuple[Service, ...]:
    """All of them."""
    seating = Seating(executors, behind.models)
    return (
        Service(
            SERVICES["ExplanationService"].full_name,
            ExplanationService(behind.explainer, behind.explanations, seating, policy, limits),
            rpc.add_ExplanationServiceServicer_to_server,
        ),
        Service(
            SERVICES["ModelService"].full_name,
            ModelService(behind.models, executors, policy, limits),
            rpc.add_ModelServiceServicer_to_server,
        ),
        Service(
            SERVICES["BackgroundService"].full_name,
            BackgroundService(behind.backgrounds, behind.models, executors, policy, limits),
            rpc.add_BackgroundServiceServicer_to_server,
        ),
        Service(
            INFERENCE,
            InferenceService(inference, policy),
            oip_rpc.add_GRPCInferenceServiceServicer_to_server,
        ),
    )
