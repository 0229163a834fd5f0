"""Four forms of URI are read into one canonical form each; every other text is refused."""

from __future__ import annotations

import pytest
from sequela.adapters.endpoints.uri import EndpointProtocol, EndpointUri, check_version
from sequela.errors import InvalidInput

CANONICAL = {
    "grpc://Models.Example:8001/fraud": "grpc://models.example:8001/fraud",
    "GRPCS://models.example:443/Fraud-2.1_b~c": "grpcs://models.example:443/Fraud-2.1_b~c",
    "grpc://10.0.0.1:1/m": "grpc://10.0.0.1:1/m",
    "grpc://[2001:DB8:0:0::1]:8001/m": "grpc://[2001:db8::1]:8001/m",
    "http://models/v2/models/m": "http://models/v2/models/m",
    "http://models:80/v2/models/m": "http://models/v2/models/m",
    "https://models:443/v1/models/m": "https://models/v1/models/m",
    "https://[::1]:8443/v1/models/m": "https://[::1]:8443/v1/models/m",
    "http://a_b.svc.cluster.local:8080/v2/models/m": "http://a_b.svc.cluster.local:8080/v2/models/m",
}


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_form(text: str) -> None:
    """Equal places have equal URIs: hosts in lower case, addresses as short as can be, no implied port."""
    uri = EndpointUri.parse(text)
    assert str(uri) == CANONICAL[text]
    assert EndpointUri.parse(str(uri)) == uri


def test_parts() -> None:
    """Protocol, TLS, port and name follow from the form."""
    plain, secure = EndpointUri.parse("grpc://h:9/m"), EndpointUri.parse("https://h/v1/models/m")
    assert (plain.protocol, plain.secure, plain.host, plain.port, plain.name) == (
        EndpointProtocol.GRPC,
        False,
        "h",
        9,
        "m",
    )
    assert (secure.protocol, secure.secure, secure.port, secure.path) == (
        EndpointProtocol.REST_V1,
        True,
        443,
        "/v1/models/m",
    )


REFUSED = {
    "": "expected grpc://",
    "models.example:8001/m": "expected grpc://",
    "file:/etc/passwd": "expected grpc://",
    "file://localhost/etc/passwd": "expected grpc://",
    "unix:///run/model.sock": "expected grpc://",
    "unix:run/model": "expected grpc://",
    "dns:///models:8001": "expected grpc://",
    "ftp://models:21/m": "scheme 'ftp'",
    "grpc://models/m": "port is missing",
    "grpc://models:0/m": "port 0",
    "grpc://models:65536/m": "port 65536",
    "grpc://models:+1/m": "expected grpc://",
    "grpc://:8001/m": "expected grpc://",
    "grpc://models:8001": "expected grpc://",
    "grpc://models:8001/": "the model ''",
    "grpc://models:8001/a/b": "expected grpc://",
    "grpc://models:8001/.": "the model '.'",
    "grpc://models:8001/..": "the model '..'",
    "grpc://models:8001/%2e%2e": "the model '%2e%2e'",
    "grpc://models:8001/m?x=1": "the model 'm?x=1'",
    "grpc://models:8001/m#x": "the model 'm#x'",
    "grpc://models:8001/m\n": "the model",
    "grpc://models:8001/m\x00": "the model",
    "grpc://mod\tels:8001/m": "expected grpc://",
    "grpc://models:8001\\@other/m": "expected grpc://",
    "grpc://models:8001/v2/models/m": "cannot be used with grpc://",
    "http://models/m": "cannot be used with http://",
    "http://models/v3/models/m": "expected grpc://",
    "http://models/V2/models/m": "expected grpc://",
    "http://models/v2/models/m/infer": "expected grpc://",
    "http://models/v2/models/m?redirect=http://x": "expected grpc://",
    "http://me:secret@models/v2/models/m": "expected grpc://",
    "grpc://127.1:8001/m": "'127.1' is not an IP address",
    "grpc://2130706433:8001/m": "is not an IP address",
    "grpc://0x7f000001:8001/m": "is not an IP address",
    "grpc://0177.0.0.1:8001/m": "is not an IP address",
    "grpc://1.2.3.4.:8001/m": "is not a host name",
    "grpc://[::1:8001/m": "expected grpc://",
    "grpc://[fe80::1%25eth0]:8001/m": "expected grpc://",
    "grpc://[10.0.0.1]:8001/m": "is not an IP address",
    "grpc://-models:8001/m": "is not a host name",
    "grpc://a..b:8001/m": "is not a host name",
    "grpc://mödels:8001/m": "expected grpc://",
    f"grpc://{'a' * 64}:8001/m": "is not a host name",
    f"grpc://{'a.' * 127}a:8001/m": "is not a host name",
    f"grpc://models:8001/{'m' * 201}": "letters, digits",
    f"grpc://models:8001/{'m' * 2000}": "the limit is 1024",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    """What is refused names the field, the value and what is expected."""
    with pytest.raises(InvalidInput) as caught:
        EndpointUri.parse(text)
    assert caught.value.reason == "ENDPOINT_URI_INVALID"
    assert caught.value.violations[0].field == "model.endpoint.uri"
    assert REFUSED[text] in caught.value.message
    assert len(caught.value.message) < 600


def test_a_password_is_not_repeated() -> None:
    """User and password of a URI appear in no message."""
    with pytest.raises(InvalidInput) as caught:
        EndpointUri.parse("grpc://me:secret@models:8001/m")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("version", ["..", "a/b", "1?x", "1\n", "v" * 201, "%31"])
def test_a_version_is_a_name(version: str) -> None:
    """A version enters paths, so it is held to what names are held to."""
    with pytest.raises(InvalidInput) as caught:
        check_version(version)
    assert caught.value.reason == "ENDPOINT_VERSION_INVALID"
    assert caught.value.violations[0].field == "model.endpoint.version"


def test_versions() -> None:
    """None is the server's choice."""
    assert check_version("") == ""
    assert check_version("2024-11.1") == "2024-11.1"
