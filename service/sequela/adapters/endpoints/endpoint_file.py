"""The text of an `endpoint.toml`: where a model of the repository is served, and on what terms."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.terms import Terms
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.errors import InvalidInput, Violation
from sequela.explain.options import Estimator

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class _Text(BaseModel):
    """The keys of the file. Those of the terms are left out where the server's own hold; files are looked for beside
    it.
    """

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
    estimator: Annotated[Estimator, Field(strict=False)] | None = None
    ca: str = ""
    certificate: str = ""
    key: str = ""
    token: str = ""
    plaintext_token: bool = False


@dataclass(frozen=True, slots=True)
class EndpointFile:
    """What the operator says of one endpoint."""

    uri: EndpointUri
    version: str
    revision: str
    terms: Terms
    credentials: Credentials = field(repr=False)


def read_endpoint(text: bytes, folder: Path, path: str, usual: Terms) -> EndpointFile:
    """Reads a file; `usual` holds where it says nothing. `path` names it in errors.

    Raises InvalidInput: ENDPOINT_FILE_INVALID, ENDPOINT_URI_INVALID, and what reading credentials raises.
    """
    said = _parsed(text, path)
    given = {item.name: getattr(said, item.name) for item in fields(Terms)}
    terms = Terms(**{name: getattr(usual, name) if value is None else value for name, value in given.items()})
    return EndpointFile(
        uri=EndpointUri.parse(said.uri, f"{path}: uri"),
        version=said.version,
        revision=said.revision,
        terms=terms,
        credentials=Credentials(
            authority=_beside(folder, said.ca),
            certificate=_beside(folder, said.certificate),
            key=_beside(folder, said.key),
            token=_beside(folder, said.token),
            plaintext_token=said.plaintext_token,
        ),
    )


def _parsed(text: bytes, path: str) -> _Text:
    try:
        return _Text.model_validate(tomllib.loads(text.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput.at(path, "ENDPOINT_FILE_INVALID", f"not TOML: {error}") from None
    except ValidationError as error:
        problems = [_described(problem) for problem in error.errors(include_url=False)]
        violations = [Violation(path, problem) for problem in problems]
        raise InvalidInput(
            "ENDPOINT_FILE_INVALID", f"{path}: {'; '.join(problems)}", violations=violations
        ) from None


def _described(problem: Any) -> str:
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"{place}: not a key of an endpoint file; there are {', '.join(_Text.model_fields)}"
    if problem["type"] == "missing":
        return f"{place}: missing"
    return f"{place}: {problem['msg']}, not {problem['input']!r}"


def _beside(folder: Path, name: str) -> Path | None:
    return folder / name if name else None
