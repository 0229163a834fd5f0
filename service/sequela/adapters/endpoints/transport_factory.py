"""Opens the transport for an endpoint's URI."""

from __future__ import annotations

from sequela.adapters.endpoints.addresses import AddressGuard, open_guard
from sequela.adapters.endpoints.credentials import Credentials, UnusableCredentials
from sequela.adapters.endpoints.failures import unusable_error
from sequela.adapters.endpoints.grpc_transport import GrpcTransport
from sequela.adapters.endpoints.rest_client import Rest
from sequela.adapters.endpoints.rest_v1 import RestV1Transport
from sequela.adapters.endpoints.rest_v2 import RestV2Transport
from sequela.adapters.endpoints.transport import Transport
from sequela.adapters.endpoints.transport_limits import TransportLimits
from sequela.adapters.endpoints.uri import EndpointProtocol, EndpointUri, check_version


def open_transport(
    uri: EndpointUri,
    version: str,
    credentials: Credentials,
    limits: TransportLimits,
    guard: AddressGuard | None,
) -> Transport:
    """Opens a transport, which connects at its first call.

    Args:
        uri: Where the model is served.
        version: The version to request; empty lets the server choose.
        credentials: What Sequela shows to the endpoint.
        limits: Message sizes and connection times.
        guard: Which addresses the host may have. None for the operator's own endpoints, which may be in any network.

    Raises:
        InvalidInput: ENDPOINT_VERSION_INVALID.
        Forbidden: ENDPOINT_NOT_ALLOWED, for a link-local address.
        DoesNotFit: ENDPOINT_REFUSED, if a file of the credentials cannot be used.
    """
    check_version(version)
    # Link-local addresses, such as those of cloud metadata services, are refused for operators too.
    (guard or open_guard(uri)).check_literal()
    try:
        credentials.check(uri.secure)
    except UnusableCredentials as error:
        raise unusable_error(uri, str(error)) from None
    match uri.protocol:
        case EndpointProtocol.GRPC:
            return GrpcTransport(uri, version, credentials, limits, guard)
        case EndpointProtocol.REST_V2:
            return RestV2Transport(Rest(uri, credentials, limits, guard), version)
        case EndpointProtocol.REST_V1:
            return RestV1Transport(Rest(uri, credentials, limits, guard), version)
