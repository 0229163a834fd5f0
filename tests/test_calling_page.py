"""docs/calling.md: its table of errors is that of the code, its code is in examples/, its numbers are the defaults."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from itertools import chain

import pytest
from documents import ROOT, server_options
from error_reasons import CLASSES, constants, listed, raised, warnings_of
from google.protobuf.descriptor_pool import Default
from sequela import errors
from sequela.api.errors import CODES, INTERNAL
from sequela_client import Retries, Sequela
from sequela_client.statuses import from_item
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded

from models.exported.page import program, snippets

PAGE = (ROOT / "docs" / "calling.md").read_text()
EXAMPLES = ROOT / "examples"
ROWS = listed(PAGE)
STATUS_OF = {kind.__name__: codes.grpc.name for kind, codes in CODES.items()}
AT_THE_START = set(re.findall(r"`([A-Z_]+)`", PAGE.partition("### When a server starts")[2]))
EXCERPT = re.compile(r"<!-- from (?P<file>[\w./]+) -->\n```\w+\n(?P<code>.*?)```\n", re.DOTALL)
# The snippets of Python that run; the others are excerpts of files in examples/, which have tests of their own.
OWN = "\n".join(re.findall(r"<!-- snippet: .*?```python\n.*?```\n(?:\n```text\n.*?```\n)?", PAGE, re.DOTALL))
NOT_REASONS = {
    # Names of variables of the environment.
    *("GRPC_VERBOSITY", "LC_ALL", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *(
        "ORT_DISABLE_TELEMETRY",
        "SEQUELA_REDIS_SERVER",
        "SEQUELA_REDIS_URL",
        "SEQUELA_SHARED",
        "SEQUELA_STORE",
    ),
    # Words in the messages of OpenSSL, and an outcome that is only counted.
    *("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "DEADLINE_PASSED"),
}


def test_every_reason_in_the_code_is_on_the_page() -> None:
    """Whatever is written like a reason is one on the page, a warning of docs/models.md, or listed here."""
    known = {row.reason for row in ROWS} | AT_THE_START
    found = constants() | {each.reason for each in raised()}
    assert found - known - warnings_of(ROOT / "docs") - NOT_REASONS == set()


def test_every_reason_on_the_page_is_in_the_code() -> None:
    """A reason that nothing has any more must go, and none has two meanings within a status."""
    found = constants() | {each.reason for each in raised()} | {"INTERNAL"}
    assert ({row.reason for row in ROWS} | AT_THE_START) - found == set()
    assert len({(row.status, row.reason) for row in ROWS}) == len(ROWS)


def test_reasons_stand_under_their_status() -> None:
    """Where the code has class and reason in one place, the page has the reason under the status of the class."""
    places = {(row.status, row.reason) for row in ROWS}
    made = {(STATUS_OF[each.kind], each.reason) for each in raised() if each.reason not in AT_THE_START}
    assert len(made) > 90
    assert made - places == set()


def test_again_is_what_the_code_says() -> None:
    """Errors with RetryInfo say yes. The others do so only where the client tries again without it."""
    with_retry = {(STATUS_OF[each.kind], each.reason) for each in raised() if each.has_retry}
    yes = {(row.status, row.reason) for row in ROWS if row.again == "yes"}
    assert len(with_retry) > 10
    assert with_retry - yes == set()
    assert {status for status, _ in yes - with_retry} <= {"UNAVAILABLE", "CANCELLED"}
    assert {row.status for row in ROWS if row.again == "more time"} == {"DEADLINE_EXCEEDED"}
    assert {row.again for row in ROWS} == {"yes", "no", "more time"}


@pytest.mark.parametrize(
    "codes", [*CODES.values(), INTERNAL], ids=lambda codes: f"{codes.grpc.name}-{codes.http}"
)
def test_each_status_has_a_section(codes: object) -> None:
    """With the code in HTTP, and the class of the Python client's exception."""
    status, http = codes.grpc, codes.http  # type: ignore[attr-defined]
    intro = PAGE.partition(f"\n### {status.name}\n\n")[2].partition("\n\n")[0]
    assert intro.startswith(f"HTTP {http}.")
    found = from_item(pb.ItemStatus(code=status.value[0], message="m"))
    assert f"`{type(found).__name__}`" in intro or status.name == "CANCELLED"


def test_every_class_of_errors_has_a_status() -> None:
    """No class is forgotten in the table of codes; the test above would not notice."""
    assert set(STATUS_OF) == CLASSES
    assert set(CODES) == {getattr(errors, name) for name in CLASSES}


def test_code_on_the_page_is_in_the_examples() -> None:
    """Word for word, since tests run the examples."""
    found = list(EXCERPT.finditer(PAGE))
    assert {each["file"] for each in found} == {
        file.relative_to(ROOT).as_posix()
        for file in chain(EXAMPLES.glob("*.*"), EXAMPLES.glob("node/*.mjs"), EXAMPLES.glob("java/*.java"))
    }
    for each in found:
        assert each["code"] in (ROOT / each["file"]).read_text(), each["file"]


@pytest.fixture(scope="module")
def demo() -> Iterator[Serving]:
    """A server with the demo's model."""
    with Serving(embedded(model_repository=ROOT / "service" / "sequela" / "demo" / "models")) as running:
        yield running


@pytest.mark.parametrize("name", snippets(OWN))
def test_the_python_runs(demo: Serving, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And prints what the page shows."""
    monkeypatch.chdir(ROOT)
    found, scope = snippets(OWN), dict[str, object]()
    printed = io.StringIO()
    code = program(found, name).replace("localhost:50051", demo.bound.grpc)
    with contextlib.redirect_stdout(printed):
        exec(code, scope)
    for each in scope.values():
        if isinstance(each, Sequela):
            each.close()
    assert (found[name].output or "") in printed.getvalue()


def test_the_defaults_of_retries() -> None:
    """Those of the class, and the same in the service config."""
    rows = re.findall(r"^\| [^|]+ \| ([\d.]+)(?: s)? \| `(\w+)` \|$", PAGE, flags=re.MULTILINE)
    assert {name: float(value) for value, name in rows} == {
        name: getattr(Retries(), name) for name in Retries.__dataclass_fields__
    }
    config = json.loads((EXAMPLES / "service_config.json").read_text())
    policy = config["methodConfig"][0]["retryPolicy"]
    assert policy["maxAttempts"] == Retries().attempts
    assert policy["initialBackoff"] == f"{Retries().first_wait_seconds}s"
    assert policy["maxBackoff"] == f"{Retries().longest_wait_seconds:.0f}s"
    # gRPC stops at half of the tokens.
    assert config["retryThrottling"]["maxTokens"] == 2 * Retries().budget


def test_the_service_config_names_methods_of_the_contract() -> None:
    """All that are no streams, except those that change models and backgrounds."""
    config = json.loads((EXAMPLES / "service_config.json").read_text())
    for name in config["methodConfig"][0]["name"]:
        methods = Default().FindServiceByName(name["service"]).methods_by_name  # type: ignore[no-untyped-call]
        named = [methods[name["method"]]] if "method" in name else methods.values()
        assert not any(each.client_streaming or each.server_streaming for each in named)


def test_options_of_the_server_exist() -> None:
    """Those that stand alone in a code span."""
    named = set(re.findall(r"`(--[a-z][a-z-]+)`", PAGE))
    assert named - server_options() == set()
