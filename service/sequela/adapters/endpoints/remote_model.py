"""A model that runs on another server: its identity, and how to open it from its endpoint's description."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from sequela.adapters.endpoints.connection import Connection
from sequela.adapters.endpoints.endpoint_client import CallLimits, EndpointClient
from sequela.adapters.endpoints.inference_call import InferenceCall
from sequela.adapters.endpoints.model_interface import ModelInterface, read_interface
from sequela.adapters.endpoints.transport import Description
from sequela.adapters.model_io.default_background import default_background
from sequela.explain.endpoint_info import EndpointInfo
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelInfo, RemoteModel
from sequela.explain.row_independence import HALF_TOLERANCE, TOLERANCE, RowIndependence


@dataclass(frozen=True, slots=True)
class RemoteModelSource:
    """The reference to a remote model, and its paths for errors.

    Attributes:
        uri: Where the model is served.
        version: The requested version; empty lets the server choose.
        revision: The operator's label for what is served.
        schema_json: The schema; empty for none.
        uri_path: The path of the URI in errors.
        schema_path: The path of the schema in errors.
    """

    uri: str
    version: str
    revision: str
    schema_json: bytes
    uri_path: str
    schema_path: str

    def is_pinned(self, description: Description) -> bool:
        """Returns whether the model cannot change unnoticed: its version is listed by the server, or has a revision.

        Servers that do not list versions may ignore the requested one. A revision is the operator's own statement.
        """
        listed = bool(self.version) and self.version in description.versions
        return bool(self.revision) or listed

    def digest(self, description: Description) -> str:
        """Returns the model's identity as 64 hexadecimal digits (docs/design.md §6.2).

        For a pinned model, it does not depend on other versions on the server.
        """
        versions = () if self.is_pinned(description) else description.versions
        # If the server's description changes, the model is another one.
        said = [repr(description.inputs), repr(description.outputs), versions, description.platform]
        facts = [self.uri, self.version, self.revision, said, hashlib.sha256(self.schema_json).hexdigest()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def open_model(
    name: str,
    source: RemoteModelSource,
    description: Description,
    connection: Connection,
    limits: Limits,
    report_mismatch: Callable[[], None],
) -> RemoteModel:
    """Opens the model that an endpoint describes. No row is sent.

    Args:
        name: `models/m/versions/v`.
        source: The reference to the model.
        description: The endpoint's description of it.
        connection: The connection to its endpoint.
        limits: The limits for models.
        report_mismatch: Called if an answer does not fit the description.

    Raises:
        InvalidInput: The model cannot be explained as it is described, or the schema does not fit it.
    """
    interface = read_interface(description, source.schema_json, limits, source.uri_path, source.schema_path)
    background = default_background(interface.schema, limits, source.schema_path)
    info = ModelInfo(
        name,
        source.digest(description),
        interface.schema,
        interface.sizes.length,
        background,
        interface.warnings,
    )
    return RemoteModel(info, _client(source, description, interface, connection, report_mismatch))


def _client(
    source: RemoteModelSource,
    description: Description,
    interface: ModelInterface,
    connection: Connection,
    report_mismatch: Callable[[], None],
) -> EndpointClient:
    terms = connection.limiter.terms
    info = EndpointInfo(
        uri=source.uri,
        version=source.version,
        revision=source.revision,
        pinned=source.is_pinned(description),
        platform=description.platform,
        max_coalitions=terms.max_coalitions,
        estimator=terms.estimator,
    )
    return EndpointClient(
        info,
        connection.limiter,
        InferenceCall(interface, connection, report_mismatch),
        CallLimits(connection.tensor_bytes, description.max_rows, interface.sizes.batch),
        # Outputs of 16 bits are rounded more coarsely, so equal rows may differ by more.
        RowIndependence(HALF_TOLERANCE if interface.in_halves else TOLERANCE),
    )


def describe_endpoint(info: EndpointInfo) -> str:
    """Describes how the model is run, in one line for operators."""
    facts = [f"at {info.uri}"]
    facts += [f"version {info.version}"] if info.version else []
    facts += [f"revision {info.revision}"] if info.revision else []
    facts += [] if info.pinned else ["not pinned to a version or revision: answers are not reused"]
    facts += [f"platform {info.platform}"] if info.platform else []
    return "; ".join(facts)
