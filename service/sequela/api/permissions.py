"""Which roles may call which method, for gRPC and HTTP in one table.

A method has the name that it has in the logs, such as `sequela.v1.ExplanationService/Explain` or `GET /v1/models`. One
that is not in the table is only permitted where authentication is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sequela.access.caller import Caller
from sequela.access.roles import AccessRole
from sequela.errors import NotPermitted

_EXPLAIN = frozenset({AccessRole.EXPLAIN, AccessRole.ADMIN})
_READ = frozenset({AccessRole.READ, AccessRole.ADMIN})
_DESCRIBE = frozenset(AccessRole)
_ADMIN = frozenset({AccessRole.ADMIN})
_OPEN: frozenset[AccessRole] = frozenset()

_MODELS_V1 = ("/v1/models/{name}", "/v1/models/{name}/versions/{version}")
_MODELS_V2 = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")

METRICS = "GET /metrics"

GRANTS: Mapping[str, frozenset[AccessRole]] = {
    "sequela.v1.ExplanationService/Explain": _EXPLAIN,
    "sequela.v1.ExplanationService/ExplainStream": _EXPLAIN,
    "sequela.v1.ExplanationService/Score": _EXPLAIN,
    "sequela.v1.ExplanationService/GetExplanation": _READ,
    "sequela.v1.ExplanationService/ListExplanations": _READ,
    "sequela.v1.ExplanationService/DeleteExplanation": _ADMIN,
    "sequela.v1.ModelService/RegisterModel": _ADMIN,
    "sequela.v1.ModelService/GetModel": _DESCRIBE,
    "sequela.v1.ModelService/ListModels": _DESCRIBE,
    "sequela.v1.ModelService/DeleteModel": _ADMIN,
    "sequela.v1.BackgroundService/CreateBackground": _ADMIN,
    "sequela.v1.BackgroundService/GetBackground": _DESCRIBE,
    "sequela.v1.BackgroundService/ListBackgrounds": _DESCRIBE,
    "sequela.v1.BackgroundService/DeleteBackground": _ADMIN,
    "sequela.v1.AccessService/GetCaller": _DESCRIBE,
    "inference.GRPCInferenceService/ServerLive": _OPEN,
    "inference.GRPCInferenceService/ServerReady": _OPEN,
    "inference.GRPCInferenceService/ServerMetadata": _DESCRIBE,
    "inference.GRPCInferenceService/ModelReady": _DESCRIBE,
    "inference.GRPCInferenceService/ModelMetadata": _DESCRIBE,
    "inference.GRPCInferenceService/ModelConfig": _DESCRIBE,
    "inference.GRPCInferenceService/ModelInfer": _EXPLAIN,
    "grpc.health.v1.Health/Check": _OPEN,
    "grpc.health.v1.Health/List": _OPEN,
    "grpc.health.v1.Health/Watch": _OPEN,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _DESCRIBE,
    METRICS: _READ,
    "GET /healthz": _OPEN,
    "GET /readyz": _OPEN,
    "GET /": _OPEN,
    "GET /v1/models": _DESCRIBE,
    **{f"GET {path}": _DESCRIBE for path in _MODELS_V1},
    **{f"POST {path}:explain": _EXPLAIN for path in _MODELS_V1},
    **{f"POST {path}:predict": _EXPLAIN for path in _MODELS_V1},
    "GET /v2": _DESCRIBE,
    "GET /v2/health/live": _OPEN,
    "GET /v2/health/ready": _OPEN,
    **{f"GET {path}": _DESCRIBE for path in _MODELS_V2},
    **{f"GET {path}/ready": _DESCRIBE for path in _MODELS_V2},
    **{f"POST {path}/infer": _EXPLAIN for path in _MODELS_V2},
}
"""The roles of which a caller needs one. Empty for a method that everybody may call without showing who they are."""

UPLOADS = ("sequela.v1.ModelService/RegisterModel", "sequela.v1.BackgroundService/CreateBackground")
"""The methods that store what callers send."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """The table, as the operator has adjusted it.

    Attributes:
        grants: The roles that may call each method.
        own_models: The roles that may send a model with a request, or name an endpoint in it.
    """

    grants: Mapping[str, frozenset[AccessRole]]
    own_models: frozenset[AccessRole] = _ADMIN

    @classmethod
    def of(cls, open_uploads: bool, open_metrics: bool) -> Permissions:
        """Returns the table. Open uploads only need the role `explain`, open metrics need none."""
        changed: dict[str, frozenset[AccessRole]] = {}
        if open_uploads:
            changed |= dict.fromkeys(UPLOADS, _EXPLAIN)
        if open_metrics:
            changed[METRICS] = _OPEN
        return cls({**GRANTS, **changed}, _EXPLAIN if open_uploads else _ADMIN)

    def is_open(self, method: str) -> bool:
        """Returns whether everybody may call a method."""
        return self.grants.get(method) == _OPEN

    def check(self, method: str, caller: Caller) -> None:
        """Raises NotPermitted (METHOD_NOT_PERMITTED) if the caller has none of the roles for a method."""
        if self.is_open(method):
            return
        _check(caller, self.grants.get(method, _ADMIN), f"call {method}", "METHOD_NOT_PERMITTED")

    def check_own_models(self, caller: Caller, field: str) -> None:
        """Raises NotPermitted (MODEL_NOT_PERMITTED) if the caller may not send a model, or name an endpoint.

        Args:
            caller: The sender of the request.
            field: The path of the model or the endpoint in the request.
        """
        _check(caller, self.own_models, f"set {field}", "MODEL_NOT_PERMITTED")


def _check(caller: Caller, wanted: frozenset[AccessRole], what: str, reason: str) -> None:
    if caller.roles & wanted:
        return
    roles = " or ".join(sorted(wanted))
    text = (
        f"{caller.name or 'the caller'} may not {what}: it needs the role {roles}; ask the server's operator"
    )
    raise NotPermitted(reason, text)
