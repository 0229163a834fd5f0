"""`python -m sequela.kserve`: the server as the custom explainer of a KServe InferenceService.

KServe appends arguments of its own to those in the manifest: `--model_name`, `--predictor_host`, always `--http_port`,
and `--workers` where the manifest limits concurrency. They become a model repository of one model, which the
predictor serves; all other arguments go on to `sequela serve`, which takes this process's place.
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

FORMS = {
    "v1": "http{tls}://{host}/v1/models/{name}",
    "v2": "http{tls}://{host}/v2/models/{name}",
    "grpc-v2": "grpc{tls}://{host}/{name}",
}
"""A predictor's URI, by KServe's name of its protocol."""


def main() -> None:
    """Serves; exits with status 2 for arguments that are wrong."""
    command = [sys.executable, "-P", "-m", "sequela", *server_arguments(sys.argv[1:])]
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


def server_arguments(arguments: Sequence[str]) -> list[str]:
    """Those of `sequela serve`, whose model repository is written in a new folder. Exits with status 2 for what is
    wrong.
    """
    parser = _parser()
    given, others = parser.parse_known_args(arguments)
    try:
        repository = Path(tempfile.mkdtemp(prefix="sequela-"))
    except OSError as error:
        parser.error(f"{error.strerror}; mount a folder that can be written at /tmp, or name one in TMPDIR")
    try:
        write_model(repository / given.model_name / "1", given)
    except (InvalidInput, OSError) as error:
        parser.error(str(error))
    # KServe's gateways come in plain HTTP, from other pods.
    listening = ["--http-host", "0.0.0.0", "--http-port", str(given.http_port)]  # noqa: S104
    mine = ["--model-repository", str(repository), *listening, "--http-inference", "--insecure"]
    return ["serve", *mine, *others]


def write_model(folder: Path, given: argparse.Namespace) -> None:
    """The predictor as an endpoint of the model repository. Raises InvalidInput for a host or a name that are none,
    OSError where the schema cannot be read.
    """
    tls = "s" if given.predictor_use_ssl == "true" else ""
    text = FORMS[given.predictor_protocol].format(tls=tls, host=given.predictor_host, name=given.model_name)
    uri = EndpointUri.parse(text, "--predictor_host and --model_name")
    folder.mkdir(parents=True)
    lines = {"uri": str(uri), "version": given.predictor_version, "revision": given.predictor_revision}
    # A JSON text is a TOML text too.
    (folder / ENDPOINT_FILE).write_text(
        "".join(f"{key} = {json.dumps(text)}\n" for key, text in lines.items()), encoding="utf-8"
    )
    if given.schema:
        shutil.copyfile(given.schema, folder / SCHEMA_FILE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sequela.kserve", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model_name", required=True, help="the InferenceService's name, and the model's")
    parser.add_argument("--predictor_host", required=True, help="host, or host:port, of the predictor")
    parser.add_argument("--http_port", type=int, default=8080, help="where to listen")
    parser.add_argument("--workers", help="KServe's number of processes, which means nothing here")
    parser.add_argument("--predictor_protocol", choices=FORMS, default="v1", help="how to speak to it")
    parser.add_argument("--predictor_use_ssl", choices=("true", "false"), default="false")
    parser.add_argument("--predictor_version", default="", help="the version to ask for; else its own choice")
    parser.add_argument(
        "--predictor_revision", default="", help="your mark of what it serves: changes with it"
    )
    parser.add_argument("--schema", type=Path, help="a schema.json: names, features, the default background")
    return parser


if __name__ == "__main__":
    main()
