"""A service with the bundled model, in which there are alerts, and the bundled cohorts."""

from __future__ import annotations

import gzip
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

from sequela_client.cli.terminal import waiting
from sequela_client.client import Sequela
from sequela_client.credentials import Credentials
from sequela_client.errors import SequelaError
from sequela_client.files import read_sequence
from sequela_client.inputs import Sequence
from sequela_client.local_server import embedded_server, server_package

from sequela_console.settings import ConsoleSettings

MODEL = "account_takeover"
MODEL_FILE = "service/sequela/demo/models/account_takeover/1/model.onnx"
"""The same model, as the bundled cohort `accounts` names it."""
FIRST_ALERTS = 20
"""Alerts that are explained before the console opens; the others follow in the background."""


@contextmanager
def demo_settings(settings: ConsoleSettings) -> Iterator[ConsoleSettings]:
    """Starts a service with alerts in it, and yields the settings of a console that shows it.

    Labels and notes are kept in a folder that is removed at the end.

    Args:
        settings: what the user chose; the address of the service and the folder for state are replaced.
    """
    package = server_package() / "demo"
    with tempfile.TemporaryDirectory(prefix="sequela-console-") as folder:
        with waiting("starting a server"):
            server = embedded_server(["--model-repository", str(package / "models")])
        with server as address, Sequela(address) as service:
            alerts = [*_bundled(package / "alerts"), *_more()]
            with waiting(f"explaining {FIRST_ALERTS} alerts"):
                _explain(service, alerts[:FIRST_ALERTS])
            threading.Thread(
                target=_explain, args=(service, alerts[FIRST_ALERTS:]), name="console-demo", daemon=True
            ).start()
            yield replace(
                settings,
                server=address,
                credentials=Credentials(),
                state_folder=Path(folder),
                cohorts={**_cohorts(), **settings.cohorts},
                thresholds={**_thresholds(alerts), **settings.thresholds},
            )


def _bundled(folder: Path) -> Iterator[Sequence]:
    return (read_sequence(each) for each in sorted(folder.glob("*.json")))


def _more() -> Iterator[Sequence]:
    """More alerts of simulated accounts, which the package carries in one file."""
    content = gzip.decompress(files("sequela_console.demo").joinpath("alerts.jsonl.gz").read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "alert.json"
        for line in content.decode().splitlines():
            file.write_text(line, encoding="utf-8")
            yield read_sequence(file)


def _explain(service: Sequela, alerts: list[Sequence]) -> None:
    """Explains alerts one after the other, so that the server has time for people as well."""
    for each in alerts:
        # The server ends with the console, which may be before all are done.
        with suppress(SequelaError):
            service.explain(each, model=MODEL)


def _thresholds(alerts: list[Sequence]) -> dict[str, float]:
    """The threshold that the alerts carry, for their model, also where a cohort names the model by its file."""
    found = next(float(each.labels["threshold"]) for each in alerts if "threshold" in each.labels)
    return dict.fromkeys((MODEL, MODEL_FILE), found)


def _cohorts() -> dict[str, Path]:
    """The bundled cohorts by name."""
    with as_file(files("sequela_console.demo").joinpath("cohorts")) as folder:
        return (
            {each.name: each for each in sorted(folder.iterdir()) if each.is_dir()} if folder.is_dir() else {}
        )
