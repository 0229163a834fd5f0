"""Reads an `endpoint.toml`, which says where a model of the repository is served, and on which terms."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.rest_answers import problem_text
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.errors import InvalidInput, Violation
from sequela.explain.options import Estimator

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class _EndpointToml(BaseModel):
    """The keys of the file. Missing terms default to the server's settings. Paths are relative to the file's folder."""

    # Strict, so that a number in quotes is reported instead of converted.
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    uri: str
    version: str = ""
    revision: str = ""
    enabled: bool | None = None
    max_batch_rows: Count | None = None
    max_rows_per_second: Positive | None = None
    max_rows_in_flight: Count | None = None
    max_calls: Annotated[int, Field(ge=1, le=256)] | None = None
    call_seconds: Positive | None = None
    attempts: Annotated[int, Field(ge=1, le=10)] | None = None
    max_coalitions: Annotated[int, Field(ge=128)] | None = None
    # TOML has no enums, so this name has to be converted.
    estimator: Annotated[Estimator, Field(strict=False)] | None = None
    ca: str = ""
    certificate: str = ""
    key: str = ""
    token: str = ""
    plaintext_token: bool = False


@dataclass(frozen=True, slots=True)
class EndpointFile:
    """The operator's configuration of one endpoint. The attributes are the keys in docs/endpoints.md."""

    uri: EndpointUri
    version: str
    revision: str
    terms: EndpointTerms
    credentials: Credentials = field(repr=False)


def read_endpoint(text: bytes, folder: Path, path: str, defaults: EndpointTerms) -> EndpointFile:
    """Reads a file.

    Args:
        text: The file's content.
        folder: The folder that contains the files with credentials.
        path: The name of the file in errors.
        defaults: The default terms.

    Raises:
        InvalidInput: ENDPOINT_FILE_INVALID, ENDPOINT_URI_INVALID.
    """
    keys = _parse(text, path)
    given = {item.name: getattr(keys, item.name) for item in fields(EndpointTerms)}
    # Terms that the file does not state are the server's defaults.
    terms = EndpointTerms(
        **{name: getattr(defaults, name) if value is None else value for name, value in given.items()}
    )
    return EndpointFile(
        uri=EndpointUri.parse(keys.uri, f"{path}: uri"),
        version=keys.version,
        revision=keys.revision,
        terms=terms,
        credentials=Credentials(
            authority=_beside(folder, keys.ca),
            certificate=_beside(folder, keys.certificate),
            key=_beside(folder, keys.key),
            token=_beside(folder, keys.token),
            plaintext_token=keys.plaintext_token,
        ),
    )


def _parse(text: bytes, path: str) -> _EndpointToml:
    try:
        return _EndpointToml.model_validate(tomllib.loads(text.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput.at(path, "ENDPOINT_FILE_INVALID", f"not valid TOML: {error}") from None
    except ValidationError as error:
        problems = [_problem_text(problem) for problem in error.errors(include_url=False)]
        violations = [Violation(path, problem) for problem in problems]
        raise InvalidInput(
            "ENDPOINT_FILE_INVALID", f"{path}: {'; '.join(problems)}", violations=violations
        ) from None


def _problem_text(problem: Any) -> str:
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"{place}: not a key of an endpoint file; the keys are {', '.join(_EndpointToml.model_fields)}"
    if problem["type"] == "missing":
        return f"{place}: this key is required"
    return f"{place}: {problem_text(problem)}, not {problem['input']!r}"


def _beside(folder: Path, name: str) -> Path | None:
    return folder / name if name else None
