"""The audit log: its lines, and what happens to its file."""

from __future__ import annotations

import json
import os
import stat
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import grpc
import httpx
import pytest
from api.rpc_calls import explain_request
from credential_files import bearer, code_of, token_line, tokens_by_role
from sequela.access.audit import AuditEntry, AuditFile
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, in_process
from structlog.testing import capture_logs
from waiting import PATIENCE

ENTRY = AuditEntry("client", "s/Method", "models/m", "OK", "", "id-1")


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def get(url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.get(url, headers=headers, timeout=PATIENCE)


def test_a_file_that_is_moved_is_made_anew(tmp_path: Path) -> None:
    """As `logrotate` does, without a signal. No line is lost, and only the owner can read them."""
    path, lost = tmp_path / "audit.log", list[int]()
    audit = AuditFile(path, lambda: lost.append(1))
    audit(ENTRY)
    path.rename(tmp_path / "audit.log.1")
    audit(ENTRY)
    audit(ENTRY)
    audit.close()
    assert [len(lines(tmp_path / name)) for name in ("audit.log.1", "audit.log")] == [1, 2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lost == []


def test_names_cannot_forge_lines(tmp_path: Path) -> None:
    """A caller's line breaks are escaped."""
    audit = AuditFile(tmp_path / "audit.log", lambda: None)
    audit(AuditEntry("client", "s/Method", 'm"}\n{"caller": "admin"', "OK", "", "id"))
    audit.close()
    assert [each["caller"] for each in lines(tmp_path / "audit.log")] == ["client"]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The lines are counted, and writing goes on as soon as it can."""
    folder, lost = tmp_path / "logs", list[int]()
    folder.mkdir()
    audit = AuditFile(folder / "audit.log", lambda: lost.append(1))
    folder.rename(tmp_path / "moved")
    audit(ENTRY)
    audit(ENTRY)
    assert len(lost) == 2
    folder.mkdir()
    audit(ENTRY)
    audit.close()
    assert len(lines(folder / "audit.log")) == 1
    with pytest.raises(OSError, match="none"):
        AuditFile(tmp_path / "none" / "audit.log", lambda: None)


def test_lost_lines_are_logged_once_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk must not be filled by the log as well. Every lost line is counted nevertheless."""
    now, lost, folder = [1000.0], list[int](), tmp_path / "logs"
    folder.mkdir()
    audit = AuditFile(folder / "audit.log", lambda: lost.append(1))
    folder.rename(tmp_path / "moved")
    monkeypatch.setattr("sequela.access.audit.time", SimpleNamespace(monotonic=lambda: now[0]))
    with capture_logs() as logged:
        for seconds in (0, 30, 29, 1):
            now[0] += seconds
            audit(ENTRY)
    audit.close()
    assert len(lost) == 4
    assert [each["event"] for each in logged] == ["audit log not written"] * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(tmp_path: Path) -> None:
    """The request goes on."""
    lost = list[int]()
    os.symlink("/dev/full", tmp_path / "audit.log")
    audit = AuditFile(tmp_path / "audit.log", lambda: lost.append(1))
    audit(ENTRY)
    audit.close()
    assert lost == [1]


def test_the_lines_of_a_server(tmp_path: Path) -> None:
    """Who, what, about what, with what outcome: for good and refused calls of both doors, and none for probes."""
    tokens, path = tokens_by_role(tmp_path / "tokens.txt"), tmp_path / "audit.log"
    with Serving(in_process(tokens=tmp_path / "tokens.txt", audit_log=path, open_metrics=False)) as server:
        read = bearer(tokens["read"])
        server.models.ListModels(pb.ListModelsRequest(), metadata=(*read, ("x-request-id", "one")))
        name = pb.GetExplanationRequest(name="explanations/e")
        code_of(lambda: server.explanations.GetExplanation(name, metadata=read))
        reference = pb.ScoreRequest(model=pb.ModelReference(name="m"))
        code_of(lambda: server.explanations.Score(reference, metadata=read))
        code_of(lambda: server.explanations.Score(reference))
        url = f"http://{server.bound.http}"
        get(f"{url}/v2/models/m/ready", headers={**dict(read), "x-request-id": "two"})
        get(f"{url}/v2/models/m/ready")
        get(f"{url}/metrics")
        get(f"{url}/metrics", headers=dict(read))
        get(f"{url}/healthz")
        get(f"{url}/v2/health/live")
    found = [tuple(each.values())[1:6] for each in lines(path)]
    assert found == [
        ("client-read", "sequela.v1.ModelService/ListModels", "", "OK", ""),
        (
            "client-read",
            "sequela.v1.ExplanationService/GetExplanation",
            "explanations/*",
            "NOT_FOUND",
            "EXPLANATION_NOT_FOUND",
        ),
        (
            "client-read",
            "sequela.v1.ExplanationService/Score",
            "",
            "PERMISSION_DENIED",
            "METHOD_NOT_PERMITTED",
        ),
        ("", "sequela.v1.ExplanationService/Score", "", "UNAUTHENTICATED", "CREDENTIALS_MISSING"),
        ("client-read", "GET /v2/models/{name}/ready", "models/*", "404", "MODEL_NOT_FOUND"),
        ("", "GET /v2/models/{name}/ready", "", "401", "CREDENTIALS_MISSING"),
        ("", "GET /metrics", "", "401", "CREDENTIALS_MISSING"),
    ]
    assert [lines(path)[at]["request_id"] for at in (0, 4)] == ["one", "two"]


def test_callers_that_are_known_but_refused(tmp_path: Path) -> None:
    """The line names them, at both doors, so that the operator sees who still uses an old token."""
    path, tokens, revoked = tmp_path / "audit.log", tmp_path / "tokens.txt", tmp_path / "revoked.txt"
    tokens.write_text(token_line("late", "old", "read", days=-1) + token_line("gone", "new", "read"))
    revoked.write_text("gone\n")
    with Serving(in_process(tokens=tokens, revoked=revoked, audit_log=path)) as server:
        for token in ("old", "new", "unknown"):
            metadata = bearer(token)
            list_models = partial(server.models.ListModels, pb.ListModelsRequest(), metadata=metadata)
            assert code_of(list_models) == grpc.StatusCode.UNAUTHENTICATED
            url = f"http://{server.bound.http}/v2/models/m/ready"
            assert get(url, headers=dict(metadata)).status_code == 401
    assert [(each["caller"], each["reason"]) for each in lines(path)] == [
        *[("late", "TOKEN_EXPIRED")] * 2,
        *[("gone", "CALLER_REVOKED")] * 2,
        *[("", "TOKEN_UNKNOWN")] * 2,
    ]


def test_a_deletion_has_its_kind_and_the_count(tmp_path: Path) -> None:
    """Neither the caller id nor the label is written, whether something is deleted or not."""
    path, text = tmp_path / "audit.log", "ERASEME-4711"
    with Serving(in_process(audit_log=path)) as server:
        delete = server.explanations.DeleteExplanation
        for name in (text, "other"):
            server.explanations.Explain(explain_request(caller_id=text, labels={"case": name}))
        delete(pb.DeleteExplanationRequest(label=pb.Label(key="case", value=text)))
        delete(pb.DeleteExplanationRequest(caller_id=text))
        delete(pb.DeleteExplanationRequest(caller_id=text))
        wrong = pb.DeleteExplanationRequest(label=pb.Label(value=text))
        assert code_of(lambda: delete(wrong)) == grpc.StatusCode.INVALID_ARGUMENT
    assert text not in path.read_text()
    assert [each["resource"] for each in lines(path)][2:] == [
        "explanations by label, 1 deleted",
        "explanations by caller_id, 1 deleted",
        "explanations by caller_id, 0 deleted",
        "explanations by label",
    ]


def test_a_callers_text_in_a_name_is_not_kept(tmp_path: Path) -> None:
    """Neither that of an unknown model, nor that of a wrong name, a filter, or an item of a stream."""
    path, text = tmp_path / "audit.log", "ERASEME-4711"
    with Serving(in_process(audit_log=path)) as server:
        for name in (
            text,
            f"models/{text}",
            f"models/{text}/versions/1",
            f"{text} is a customer",
            text.lower() * 30,
        ):
            request = pb.ExplainRequest(model=pb.ModelReference(name=name))
            explain = partial(server.explanations.Explain, request)
            find = partial(server.models.GetModel, pb.GetModelRequest(name=name))
            assert grpc.StatusCode.OK not in (code_of(explain), code_of(find))
        stream = pb.ExplainStreamRequest(request=pb.ExplainRequest(model=pb.ModelReference(name=text)))
        assert [each.HasField("error") for each in server.explanations.ExplainStream(iter([stream]))] == [
            True
        ]
        server.explanations.ListExplanations(pb.ListExplanationsRequest(model=text))
        server.explanations.DeleteExplanation(pb.DeleteExplanationRequest(name=f"explanations/{text}"))
        get(f"http://{server.bound.http}/v2/models/{text}/ready")
    assert len(lines(path)) == 14
    assert text.lower() not in path.read_text().lower()
    assert {each["resource"] for each in lines(path)} == {"models/*", "explanations/*", ""}
