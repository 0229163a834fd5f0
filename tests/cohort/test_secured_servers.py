"""Bulk explanations on servers that use TLS: from Python, by the command, and in workers of Ray and Spark."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trustme
from click.testing import CliRunner
from client.pem_files import PemPair
from cohort import cohorts
from sequela_client import (
    CallerError,
    CertificateNotTrusted,
    ClientCertificateRequired,
    Credentials,
    SequelaError,
)
from sequela_client.cli.main import main
from sequela_client.cohort import BulkQuestion, explain_batches
from sequela_client.cohort.engine import EngineExplainer, engine_run
from sequela_client.cohort.servers import named_pool
from serving import Serving, embedded

AUTHORITY = trustme.CA()


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """Those that the server accepts."""
    folder = tmp_path_factory.mktemp("pem")
    AUTHORITY.cert_pem.write_to_path(str(folder / "ca.pem"))
    mine = PemPair.write(folder, "client", "client@example.org", by=AUTHORITY)
    return Credentials(ca=folder / "ca.pem", certificate=mine.certificate, key=mine.key)


@pytest.fixture(scope="module")
def secured(credentials: Credentials) -> Iterator[str]:
    """A server that requires certificates of its clients."""
    assert credentials.ca is not None
    pair = PemPair.write(Path(credentials.ca).parent, "server", "127.0.0.1", by=AUTHORITY)
    settings = embedded(
        tls_certificate=pair.certificate, tls_key=pair.key, tls_client_ca=Path(credentials.ca)
    )
    with Serving(settings) as server:
        yield server.bound.grpc


def test_files_and_batches(
    events_question: BulkQuestion,
    rows_question: BulkQuestion,
    real: str,
    secured: str,
    credentials: Credentials,
    tmp_path: Path,
) -> None:
    """The rows are those of a server without TLS; workers get the credentials with the pickled question."""
    events = cohorts.accounts(5)
    events.to_parquet(tmp_path / "events.parquet")
    cohorts.explained(tmp_path / "events.parquet", tmp_path / "plain", real, events_question)
    cohorts.explained(
        tmp_path / "events.parquet", tmp_path / "tls", secured, events_question, credentials=credentials
    )
    plain, tls = cohorts.rows(tmp_path / "plain"), cohorts.rows(tmp_path / "tls")
    assert [row["score"] for row in tls] == [row["score"] for row in plain]
    batches = cohorts.nested(events).to_batches()
    question = replace(rows_question, time=None)
    found = [
        row["score"]
        for batch in explain_batches(question, batches, servers=[secured], credentials=credentials)
        for row in batch.to_pylist()
    ]
    explainer = pickle.loads(pickle.dumps(EngineExplainer(question, (secured,), credentials)))
    by_worker = [row["score"] for batch in explainer(batches) for row in batch.to_pylist()]
    assert found == by_worker
    assert np.isfinite(found).all()


def test_a_token_does_not_travel_with_tasks(rows_question: BulkQuestion, tmp_path: Path) -> None:
    """Others may read the tasks of Ray and Spark. The name of a file may travel."""
    for credentials in (Credentials(token="secret-4711"), Credentials(secure=True, token="secret-4711")):
        with pytest.raises(CallerError, match="give token_file instead") as caught:
            EngineExplainer(rows_question, ("server:1",), credentials)
        assert caught.value.reason == "TOKEN_IN_TASK"
        with (
            pytest.raises(CallerError, match="give token_file instead"),
            engine_run(rows_question, tmp_path / "out", ["server:1"], credentials, lambda _: None),
        ):
            pass
    assert not (tmp_path / "out").exists()
    (tmp_path / "token").write_text("secret-4711")
    explainer = EngineExplainer(rows_question, ("server:1",), Credentials(token_file=tmp_path / "token"))
    assert b"4711" not in pickle.dumps(explainer)


def test_the_command(
    events_question: BulkQuestion, secured: str, credentials: Credentials, tmp_path: Path
) -> None:
    """By its options."""
    cohorts.accounts(3).to_parquet(tmp_path / "events.parquet")
    schema = Path(events_question.model).with_name("schema.json")
    schema.write_text(schema.read_text()[:-1] + ', "background": {"x": [0, 0]}}')
    command = ["explain-all", tmp_path / "events.parquet", "--entity", "account", "--time", "when"]
    command += ["--model", events_question.model, "--out", tmp_path / "out", "--server", secured]
    files = ["--ca", credentials.ca, "--cert", credentials.certificate, "--key", credentials.key]
    done = CliRunner().invoke(main, [str(each) for each in [*command, *files]])
    assert done.exit_code == 0, done.output
    assert "3 explained" in done.output


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"certificate": None, "key": None}, ClientCertificateRequired),
        ({"ca": None, "secure": True}, CertificateNotTrusted),
    ],
)
def test_errors_end_the_run_at_once(
    events_question: BulkQuestion,
    secured: str,
    credentials: Credentials,
    changed: dict[str, None],
    error: type[SequelaError],
) -> None:
    """They would meet every sequence, and no patience helps."""
    with (
        named_pool([secured], replace(credentials, **changed)) as pool,
        pytest.raises(error),
    ):
        pool.submit(lambda client: list(client.models())).result()
