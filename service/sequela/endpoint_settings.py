"""The settings for models behind endpoints. An endpoint.toml in the model repository may override some of them."""

from __future__ import annotations

from dataclasses import fields

from pydantic import BaseModel, Field, field_validator

from sequela.adapters.endpoints.allow_list import AllowList
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.registry import EndpointRules
from sequela.adapters.endpoints.transport_limits import TransportLimits

TERMS = EndpointTerms()
RULES = EndpointRules()


class EndpointSettings(BaseModel):
    """A part of `Settings`."""

    endpoint_allow: str = Field(
        "",
        description="Endpoints that requests may name: patterns such as grpc://*.models.example:8001/*, separated by "
        "spaces. Empty: none.",
    )
    endpoint_networks: str = Field(
        "",
        description="Networks besides public addresses that the host names in these patterns may resolve to, such as "
        "10.0.0.0/8, separated by spaces.",
    )
    endpoint_max_concurrent: int = Field(
        16,
        ge=1,
        description="How many explanations of models behind endpoints run at a time. They mostly wait for answers.",
    )
    endpoint_max_batch_rows: int = Field(
        TERMS.max_batch_rows, ge=1, description="Largest number of rows in one call to an endpoint."
    )
    endpoint_max_rows_per_second: float | None = Field(
        TERMS.max_rows_per_second,
        gt=0,
        description="Largest number of rows per second that are sent to one endpoint. Unset: no limit.",
    )
    endpoint_max_rows_in_flight: int = Field(
        TERMS.max_rows_in_flight,
        ge=1,
        description="Largest number of rows in all running calls to one endpoint.",
    )
    endpoint_max_calls: int = Field(
        TERMS.max_calls,
        ge=1,
        le=256,
        description="Largest number of running calls to one endpoint. Fewer are made while the endpoint only "
        "queues them.",
    )
    endpoint_call_seconds: float = Field(
        TERMS.call_seconds, gt=0, description="Seconds that one call to an endpoint may take."
    )
    endpoint_attempts: int = Field(
        TERMS.attempts,
        ge=1,
        le=10,
        description="Largest number of times that a call is sent, if it is lost or the endpoint answers "
        "UNAVAILABLE.",
    )
    endpoint_max_coalitions: int = Field(
        TERMS.max_coalitions,
        ge=128,
        description="Number of coalitions of a level for models behind endpoints, when a request does not set it.",
    )
    endpoint_message_bytes: int = Field(
        RULES.transport.message_bytes,
        ge=1 << 16,
        description="Largest size of a call to an endpoint, and of its answer.",
    )
    endpoint_connect_timeout: float = Field(
        RULES.transport.connect_seconds,
        gt=0,
        description="Seconds that connecting to an endpoint may take.",
    )
    endpoint_description_ttl: float = Field(
        RULES.ttl_seconds,
        gt=0,
        description="How long, in seconds, an endpoint's metadata is cached.",
    )
    endpoint_retry_after: float = Field(
        RULES.retry_seconds,
        gt=0,
        description="Seconds between two probes of an endpoint that is down, and between two checks of an "
        "endpoint.toml for changes.",
    )
    endpoint_connections: int = Field(
        RULES.max_connections,
        ge=1,
        description="How many endpoint models that requests name keep their connections open.",
    )

    @field_validator("endpoint_allow")
    @classmethod
    def _patterns(cls, patterns: str) -> str:
        # The patterns are kept as text. Parsing them here reports a wrong one at the start.
        AllowList(patterns.split(), ())
        return patterns

    @field_validator("endpoint_networks")
    @classmethod
    def _networks(cls, networks: str) -> str:
        AllowList((), networks.split())
        return networks

    @property
    def endpoint_rules(self) -> EndpointRules:
        """The rules for models behind endpoints."""
        # These two can only be set for each endpoint.
        names = (each.name for each in fields(EndpointTerms) if each.name not in ("enabled", "estimator"))
        return EndpointRules(
            AllowList(self.endpoint_allow.split(), self.endpoint_networks.split()),
            EndpointTerms(**{name: getattr(self, f"endpoint_{name}") for name in names}),
            TransportLimits(self.endpoint_message_bytes, self.endpoint_connect_timeout),
            self.endpoint_description_ttl,
            self.endpoint_retry_after,
            self.endpoint_connections,
        )
