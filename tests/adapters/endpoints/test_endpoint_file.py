"""Every key of an endpoint.toml, and every mistake in one."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from sequela.adapters.endpoints.endpoint_file import EndpointFile, read_endpoint
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.errors import InvalidInput
from sequela.explain.options import Estimator

FOLDER = Path("/models/m/1")
PLACE = "m/1/endpoint.toml"
USUAL = EndpointTerms(True, 11, 12.5, 13, 14, 15.5, 6, 170)
"""Unlike the defaults, every one of them."""


def read(text: str) -> EndpointFile:
    return read_endpoint(text.encode(), FOLDER, PLACE, USUAL)


def test_the_least() -> None:
    """An address alone: the server's own terms hold, there are no credentials, and no version is pinned."""
    found = read('uri = "grpc://host:8001/m"')
    assert (str(found.uri), found.version, found.revision) == ("grpc://host:8001/m", "", "")
    assert found.terms == USUAL
    credentials = found.credentials
    assert (credentials.authority, credentials.certificate, credentials.key, credentials.token) == (None,) * 4
    assert not credentials.plaintext_token


TERMS = {
    "enabled": ("false", False),
    "max_batch_rows": ("32", 32),
    "max_rows_per_second": ("0.5", 0.5),
    "max_rows_in_flight": ("64", 64),
    "max_calls": ("256", 256),
    "call_seconds": ("2", 2.0),
    "attempts": ("10", 10),
    "max_coalitions": ("128", 128),
    "estimator": ('"control_variate"', Estimator.CONTROL_VARIATE),
}


def test_all_terms_are_tried() -> None:
    assert list(TERMS) == [each.name for each in fields(EndpointTerms)]


@pytest.mark.parametrize("key", TERMS)
def test_a_term(key: str) -> None:
    """It alone differs from the server's own."""
    text, value = TERMS[key]
    terms = read(f'uri = "grpc://host:8001/m"\n{key} = {text}').terms
    changed = {
        each.name for each in fields(EndpointTerms) if getattr(terms, each.name) != getattr(USUAL, each.name)
    }
    assert changed == {key}
    assert getattr(terms, key) == value


def test_the_rest() -> None:
    """Files are looked for beside it, unless their whole path is given; secrets do not show."""
    found = read(
        'uri = "grpcs://host:8001/m"\nversion = "3"\nrevision = "git-7"\nca = "ca.pem"\ncertificate = "/etc/c.pem"\n'
        'key = "own.key"\ntoken = "token"\nplaintext_token = true'
    )
    assert (found.version, found.revision) == ("3", "git-7")
    credentials = found.credentials
    assert credentials.authority == FOLDER / "ca.pem"
    assert credentials.certificate == Path("/etc/c.pem")
    assert credentials.key == FOLDER / "own.key"
    assert credentials.token == FOLDER / "token"
    assert credentials.plaintext_token
    assert "token" not in repr(found)


URI = 'uri = "grpc://host:8001/m"\n'
WRONG = {
    "no uri": ('version = "1"', "uri: this key is required"),
    "another key": (URI + "max_rows = 3", "max_rows: not a key"),
    "a number for a text": (URI + "version = 1", "version", "not 1"),
    "a text for a number": (URI + 'max_calls = "8"', "max_calls", "not '8'"),
    "a fraction of a call": (URI + "max_calls = 1.5", "max_calls"),
    "no calls": (URI + "max_calls = 0", "max_calls", "1", "not 0"),
    "too many calls": (URI + "max_calls = 257", "max_calls", "256", "not 257"),
    "no rows": (URI + "max_batch_rows = 0", "max_batch_rows", "not 0"),
    "none in flight": (URI + "max_rows_in_flight = 0", "max_rows_in_flight", "not 0"),
    "no rate": (URI + "max_rows_per_second = 0", "max_rows_per_second", "0"),
    "an endless rate": (URI + "max_rows_per_second = inf", "max_rows_per_second", "finite"),
    "no number": (URI + "call_seconds = nan", "call_seconds", "finite"),
    "no time": (URI + "call_seconds = -1.0", "call_seconds", "-1.0"),
    "no attempt": (URI + "attempts = 0", "attempts", "not 0"),
    "too many attempts": (URI + "attempts = 11", "attempts", "10", "not 11"),
    "too few coalitions": (URI + "max_coalitions = 127", "max_coalitions", "128", "not 127"),
    "a word for a switch": (URI + 'enabled = "yes"', "enabled", "not 'yes'"),
    "two mistakes": (URI + "attempts = 0\nmax_calls = 0", "attempts", "max_calls"),
    "no TOML": ("uri: grpc://host/m", "not valid TOML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes(case: str) -> None:
    """The error names the file, the key, the value and the limit."""
    text, *words = WRONG[case]
    with pytest.raises(InvalidInput) as caught:
        read(text)
    assert caught.value.reason == "ENDPOINT_FILE_INVALID"
    assert all(word in caught.value.message for word in (PLACE, *words))
    assert caught.value.violations


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(InvalidInput, match="not valid TOML") as caught:
        read_endpoint(b"\xff\xfe", FOLDER, PLACE, USUAL)
    assert caught.value.reason == "ENDPOINT_FILE_INVALID"


def test_a_wrong_address() -> None:
    """Names the file, the key and the address."""
    with pytest.raises(InvalidInput) as caught:
        read('uri = "file://localhost/etc/passwd"')
    assert caught.value.reason == "ENDPOINT_URI_INVALID"
    assert f"{PLACE}: uri" in caught.value.message
