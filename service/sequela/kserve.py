"""`python -m sequela.kserve`: runs the server as the custom explainer of a KServe InferenceService.

KServe appends its own arguments to those in the manifest: `--model_name`, `--predictor_host`, always `--http_port`, and
`--workers` if the manifest limits concurrency. From these it writes a model repository with one model, which is
behind the predictor's endpoint. Then `sequela serve` replaces this process, and gets all other arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sequela.adapters.endpoints.uri import EndpointUri
from sequela.adapters.repository.model_folders import ENDPOINT_FILE, SCHEMA_FILE
from sequela.errors import InvalidInput

PREDICTOR_URIS = {
    "v1": "http{tls}://{host}/v1/models/{name}",
    "v2": "http{tls}://{host}/v2/models/{name}",
    "grpc-v2": "grpc{tls}://{host}/{name}",
}
"""The URI of a predictor by KServe's name of its protocol."""

DESCRIPTION = """\
Runs the Sequela server as the custom explainer of a KServe InferenceService. KServe appends the first four options
itself. All options that are not listed here are passed to `sequela serve`.
"""


def main() -> None:
    """Runs the server. Exits with status 2 if an argument is wrong."""
    # -P keeps files in the current folder from being imported.
    command = [sys.executable, "-P", "-m", "sequela", *server_arguments(sys.argv[1:])]
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


def server_arguments(arguments: Sequence[str]) -> list[str]:
    """Writes the model repository into a new folder, and returns the arguments of `sequela serve`.

    Exits with status 2 if an argument is wrong, or the folder cannot be written.
    """
    parser = _parser()
    given, others = parser.parse_known_args(arguments)
    try:
        repository = Path(tempfile.mkdtemp(prefix="sequela-"))
    except OSError as error:
        parser.error(f"{error.strerror}; mount a writable folder at /tmp, or set TMPDIR to one")
    try:
        write_model(repository / given.model_name / "1", given)
    except (InvalidInput, OSError) as error:
        parser.error(str(error))
    # KServe's gateways call from other pods, over plain HTTP.
    listening = ["--http-host", "0.0.0.0", "--http-port", str(given.http_port)]  # noqa: S104
    ours = ["--model-repository", str(repository), *listening, "--http-inference", "--insecure"]
    return ["serve", *ours, *_store(others), *others]


def write_model(folder: Path, given: argparse.Namespace) -> None:
    """Writes the folder of one version: an endpoint.toml for the predictor, and the schema if there is one.

    Raises:
        InvalidInput: The host or the model's name is not valid.
        OSError: The schema cannot be read, or the folder cannot be written.
    """
    tls = "s" if given.predictor_use_ssl == "true" else ""
    text = PREDICTOR_URIS[given.predictor_protocol].format(
        tls=tls, host=given.predictor_host, name=given.model_name
    )
    uri = EndpointUri.parse(text, "--predictor_host and --model_name")
    folder.mkdir(parents=True)
    lines = {"uri": str(uri), "version": given.predictor_version, "revision": given.predictor_revision}
    # A JSON string is also a TOML string.
    (folder / ENDPOINT_FILE).write_text(
        "".join(f"{key} = {json.dumps(text)}\n" for key, text in lines.items()), encoding="utf-8"
    )
    if given.schema:
        shutil.copyfile(given.schema, folder / SCHEMA_FILE)


def _store(others: Sequence[str]) -> list[str]:
    """Returns the option for a store in memory, unless another one is named: the pod has no folder that lasts."""
    named = any(each.partition("=")[0] in ("--store", "--redis-url") for each in others)
    named = named or bool({"SEQUELA_STORE", "SEQUELA_REDIS_URL"} & os.environ.keys())
    return [] if named else ["--store", "memory:"]


def _parser() -> argparse.ArgumentParser:
    # Abbreviations could take options that are meant for `sequela serve`.
    parser = argparse.ArgumentParser("python -m sequela.kserve", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--model_name", required=True, help="name of the InferenceService, and of the model")
    parser.add_argument("--predictor_host", required=True, help="HOST or HOST:PORT of the predictor")
    parser.add_argument("--http_port", type=int, default=8080, help="port to listen on (default: 8080)")
    parser.add_argument("--workers", help="ignored: KServe's number of processes")
    parser.add_argument(
        "--predictor_protocol",
        choices=PREDICTOR_URIS,
        default="v1",
        help="protocol of the predictor (default: v1)",
    )
    parser.add_argument(
        "--predictor_use_ssl", choices=("true", "false"), default="false", help="use TLS (default: false)"
    )
    parser.add_argument(
        "--predictor_version", default="", help="version to ask for (default: the predictor chooses)"
    )
    parser.add_argument(
        "--predictor_revision",
        default="",
        help="your name for what the predictor serves; change it whenever that changes",
    )
    parser.add_argument(
        "--schema", type=Path, help="a schema.json with the features, labels and default background"
    )
    return parser


if __name__ == "__main__":
    main()
