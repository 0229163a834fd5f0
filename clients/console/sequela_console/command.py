"""`sequela console`: reads the options and starts the console."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import platformdirs
from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.server_options import credentials_of, server_options

from sequela_console import logs
from sequela_console.demo.console import demo_settings
from sequela_console.server import ConsoleServer
from sequela_console.settings import DEFAULT_PORT, ConsoleSettings

LISTEN, CONTENT = "Where people find it", "What it shows"
DEFAULT_SERVER = "localhost:50051"

EPILOG = """\b
Examples:
  sequela console --demo
  sequela console --server fraud.example:50051 --ca ca.pem --token-file console.token
  sequela console --cohort january=cohorts/january --threshold 0.85
"""

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


def _thresholds(_context: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    """Reads `MODEL=SCORE` and `SCORE`."""
    found = {}
    for each in given:
        model, _, score = each.rpartition("=")
        try:
            found[model] = float(score)
        except ValueError:
            found[model] = float("nan")
        if not isfinite(found[model]):
            raise click.BadParameter(f"{each!r} is not a score, or MODEL=SCORE")
    return found


def _cohorts(_context: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[str, Path]:
    """Reads `NAME=FOLDER` and `FOLDER`."""
    found: dict[str, Path] = {}
    for each in given:
        name, _, folder = each.rpartition("=")
        path = Path(folder)
        name = name or path.resolve().name
        if not path.is_dir():
            raise click.BadParameter(f"there is no folder {folder!r}")
        if name in found:
            raise click.BadParameter(f"two cohorts are called {name!r}; give one another name: NAME={folder}")
        found[name] = path
    return found


def _public_url(_context: click.Context, _param: click.Parameter, given: str) -> str:
    """Checks that it is an origin, and returns it as browsers write it."""
    return _origin(given.rstrip("/")).lower() if given else ""


def _origins(_context: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Checks that each is an origin, since anything else would weaken the security policy."""
    return tuple(map(_origin, given))


def _origin(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise click.BadParameter(f"{given!r} is not an origin, such as https://cases.example")
    if given != f"{parts.scheme}://{parts.netloc}":
        raise click.BadParameter(f"{given!r} has more than an origin, such as https://cases.example")
    if not given.isascii() or any(sign in given for sign in " ;,'\"*"):
        raise click.BadParameter(f"{given!r} has characters that an origin cannot have")
    return given


@click.command(
    "console",
    cls=GroupedCommand,
    short_help="Look at explanations and cohorts in a browser.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@option(
    CONTENT,
    "--demo",
    is_flag=True,
    help="Start a server with the bundled model, alerts and cohorts, and show them.",
)
@option(
    CONTENT,
    "--cohort",
    "cohorts",
    multiple=True,
    callback=_cohorts,
    metavar="[NAME=]FOLDER",
    help="Show a cohort that `sequela explain-all` wrote; repeatable.",
)
@option(
    CONTENT,
    "--cohorts-dir",
    type=_FOLDER,
    metavar="FOLDER",
    help="Show each cohort that is a folder in this one.",
)
@option(
    CONTENT,
    "--threshold",
    "thresholds",
    multiple=True,
    callback=_thresholds,
    metavar="[MODEL=]SCORE",
    help="The score from which a prediction is an alert, of all models or of one; repeatable. The label `threshold` "
    "of an explanation takes precedence.  [default: 0.5 for scores from 0 to 1]",
)
@option(
    CONTENT,
    "--fixed-feature",
    "fixed_features",
    multiple=True,
    metavar="NAME",
    help="A feature that clients cannot change, such as the age; changes of it are listed last. Repeatable.",
)
@server_options(f"[default: {DEFAULT_SERVER}]")
@option(LISTEN, "--host", default="127.0.0.1", show_default=True, help="The address that it listens on.")
@option(
    LISTEN,
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Its port; 0 for any free one.",
)
@option(
    LISTEN,
    "--tls-cert",
    type=_FILE,
    metavar="FILE",
    help="Serve HTTPS with the certificate in this PEM file.",
)
@option(LISTEN, "--tls-key", type=_FILE, metavar="FILE", help="The key of that certificate, a PEM file.")
@option(
    LISTEN,
    "--public-url",
    default="",
    callback=_public_url,
    metavar="URL",
    help="The address under which people reach it behind a proxy, such as https://console.example. The proxy must "
    "pass the header `Host` on.",
)
@option(
    LISTEN,
    "--insecure",
    is_flag=True,
    help="Listen on the network without HTTPS, or without login if the server does not authenticate callers.",
)
@option(
    LISTEN,
    "--embed-origin",
    "embed_origins",
    multiple=True,
    callback=_origins,
    metavar="ORIGIN",
    help="A site that may show one alert in a frame, such as https://cases.example; repeatable.",
)
@option(LISTEN, "--open/--no-open", "opened", default=False, help="Open it in the browser of this machine.")
@option(
    LISTEN,
    "--state-dir",
    "state_folder",
    type=_FOLDER,
    metavar="FOLDER",
    help="Where labels, notes and the index are kept.  [default: sequela/console in the user's folder for state]",
)
def console(opened: bool, demo: bool, **values: Any) -> None:
    """Starts the console, a web application: the list of alerts and each of them in full, and what a model has learnt
    from many. It shows what a server stores, and the cohorts that are named. Ctrl-C stops it.
    """
    logs.configure()
    with ExitStack() as stack:
        settings = _settings(values)
        if demo:
            settings = stack.enter_context(demo_settings(settings))
        server = stack.enter_context(ConsoleServer.started(settings))
        click.echo(f"The console is at {server.url} (Ctrl-C stops it)")
        if opened:
            webbrowser.open(server.url)
        server.wait()


def _settings(values: Mapping[str, Any]) -> ConsoleSettings:
    """The settings, from the values of the parameters. Raises UsageError for those that do not go together."""
    if (values["tls_cert"] is None) != (values["tls_key"] is None):
        raise click.UsageError("--tls-cert and --tls-key go together, and only one of them is given")
    settings = ConsoleSettings(
        server=values["server"] or DEFAULT_SERVER,
        credentials=credentials_of(values),
        host=values["host"],
        port=values["port"],
        state_folder=values["state_folder"] or platformdirs.user_state_path("sequela") / "console",
        cohorts={**_in_folder(values["cohorts_dir"]), **values["cohorts"]},
        fixed_features=frozenset(values["fixed_features"]),
        thresholds=values["thresholds"],
        embed_origins=values["embed_origins"],
        tls_cert=values["tls_cert"],
        tls_key=values["tls_key"],
        public_url=values["public_url"],
        insecure=values["insecure"],
    )
    if settings.public_url.startswith("http://") and not settings.insecure:
        raise click.UsageError(
            f"--public-url {settings.public_url} lets others read tokens and answers on the way; let the proxy serve "
            "HTTPS, or give --insecure"
        )
    if not settings.listens_locally and not settings.uses_tls and not settings.insecure:
        raise click.UsageError(
            f"--host {settings.host} lets others on the network reach the console, whose tokens they could read; give "
            "--tls-cert and --tls-key, or --insecure if something else encrypts the connection"
        )
    return settings


def _in_folder(folder: Path | None) -> dict[str, Path]:
    if folder is None:
        return {}
    return {each.name: each for each in sorted(folder.iterdir()) if any(each.glob("*.parquet"))}
