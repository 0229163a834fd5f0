"""Clients that are not ours get explanations: tritonclient by gRPC, KServe's own by gRPC and by both REST forms."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api import inference_calls
from api.inference_calls import BACKGROUND, ours, sample_rows
from google.protobuf import json_format
from matrix import BY_NAME
from numpy.typing import NDArray
from real_servers import PATIENCE, SCRIPTS, python
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(600)]

CASE = BY_NAME["multi_input"]
ROWS = sample_rows(CASE, 3)
SAME = {"rtol": 0, "atol": 1e-12}
ENVIRONMENTS = {"tritonclient": ("triton", "ask_explained_tritonclient.py")}


def ask(client: str, address: str, **parameters: Any) -> dict[str, NDArray[Any]]:
    """What a client in its own environment gets of the rows."""
    question = {"model": CASE.name, "parameters": {"background": BACKGROUND, **parameters}}
    environment, script = ENVIRONMENTS.get(client, ("kserve", "ask_explained_kserve.py"))
    with tempfile.TemporaryDirectory(prefix="sequela-") as folder:
        asked, given, answered = (Path(folder) / name for name in ("q.json", "inputs.npz", "outputs.npz"))
        asked.write_text(json.dumps(question))
        np.savez(given, **{name: np.stack([row[name] for row in ROWS]) for name in ROWS[0]})
        command = [python(environment), "-E", SCRIPTS / script, client, address, asked, given, answered]
        subprocess.run(command, check=True, timeout=PATIENCE)
        with np.load(answered) as outputs:
            return dict(outputs)


@pytest.mark.parametrize("client", ["tritonclient", "kserve", "kserve-v2"])
def test_tensors_by_other_clients(serving: Serving, client: str) -> None:
    """Every output, asked for by none of its names: events and features equal ours to 1e-12, options are heeded."""
    address = f"http://{serving.bound.http}" if client == "kserve-v2" else serving.bound.grpc
    found = ask(client, address, max_coalitions=512, seed=3)
    for row, values in enumerate(ROWS):
        wanted = ours(serving, CASE, values, max_coalitions=512, seed=3)
        events = np.zeros((6, 1))
        for event, attribution in inference_calls.by_event(wanted).items():
            events[5 + event] = attribution
        np.testing.assert_allclose(found["event_attributions"][row], events, **SAME)
        np.testing.assert_allclose(
            found["feature_attributions"][row], inference_calls.by_feature(wanted), **SAME
        )
        np.testing.assert_allclose(found["score"][row], [wanted.targets[0].score], **SAME)
        parsed = json_format.Parse(found["explanation"][row], pb.Explanation())
        assert parsed.event_level.attributions == wanted.event_level.attributions
        assert found["explanation_name"][row].decode() == parsed.name


def test_explanations_by_kserves_verb(serving: Serving) -> None:
    """`:explain` and `:predict` by KServe's own client: the same explanations, the same scores."""
    found = ask("kserve-v1", f"http://{serving.bound.http}")
    for row, values in enumerate(ROWS):
        wanted = ours(serving, CASE, values)
        parsed = json_format.Parse(found["explanation"][row], pb.Explanation())
        for level in ("event_level", "feature_level", "cell_level"):
            assert getattr(parsed, level).attributions == getattr(wanted, level).attributions
        np.testing.assert_allclose(found["raw_score"][row], [wanted.targets[0].raw_score], **SAME)
