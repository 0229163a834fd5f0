"""Trains the AReM model: a two-layer GRU over the steps of a recording gives the probability that it is `cycling`.

It distinguishes cycling from all other activities, as in TimeSHAP's public example. It needs torch
(requirements/models.txt) and the recordings.

    python -m benchmarks.arem.train

This writes `arem_gru.onnx`, `schema.json` and `arem_split.json` to tests/fixtures/arem.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from torch import nn

from benchmarks.arem import data

HELD_OUT = range(1, 6)  # recordings 1 to 5 of each activity are held out; 6 to 15 are used for training
TARGET = "cycling"
HIDDEN = 24
WINDOW = 24  # steps of a training window: six seconds
BATCH = 64
STEPS = 400
SMOOTHING = 0.1  # keeps the probabilities away from 0 and 1, so that scores have something to explain
OPSET = 18
LABELS = {
    "rss12": "RSS chest to right ankle",
    "rss13": "RSS chest to left ankle",
    "rss23": "RSS right to left ankle",
}
OUTPUT = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "arem"

Array = npt.NDArray[np.float64]


class AremGru(nn.Module):
    """(n, l, 6) standardised steps to (n, 1) probabilities, from the state after the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(len(data.FEATURES), HIDDEN, num_layers=2, batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the probabilities before the sigmoid, (n, 1)."""
        states, _ = self.gru(x)
        return self.head(states[:, -1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the probabilities, (n, 1)."""
        return torch.sigmoid(self.logits(x))


def windows(
    recordings: list[data.Recording], rng: np.random.Generator, mean: Array, scale: Array
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns one batch: random windows of random recordings, half of them of the target; (x, y) as tensors."""
    wanted = [r for r in recordings if r.activity == TARGET]
    others = [r for r in recordings if r.activity != TARGET]
    x, y = [], []
    for row in range(BATCH):
        pool = (wanted, others)[row % 2]
        recording = pool[rng.integers(len(pool))]
        start = rng.integers(len(recording.values) - WINDOW + 1)
        x.append((recording.values[start : start + WINDOW] - mean) / scale)
        y.append([float(recording.activity == TARGET)])
    return torch.tensor(np.stack(x), dtype=torch.float32), torch.tensor(y)


def train(recordings: list[data.Recording], mean: Array, scale: Array, seed: int) -> AremGru:
    """Returns a model trained on windows of the recordings; the seed fixes its weights bit for bit on one machine."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    model = AremGru()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    for step in range(1, STEPS + 1):
        x, y = windows(recordings, rng, mean, scale)
        smooth = y * (1 - SMOOTHING) + SMOOTHING / 2
        loss = nn.functional.binary_cross_entropy_with_logits(model.logits(x), smooth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}/{STEPS}: loss {loss.item():.3f}", flush=True)
    model.eval()
    return model


def export(model: AremGru, path: Path) -> None:
    """Writes one ONNX file without external data, with free batch and time axes, and checks it against torch on two
    shapes.
    """
    free = {0: "n", 1: "l"}
    torch.onnx.export(
        model,
        (torch.zeros(1, WINDOW, len(data.FEATURES)),),
        str(path),
        input_names=["x"],
        output_names=[TARGET],
        dynamic_axes={"x": free, TARGET: {0: "n"}},
        opset_version=OPSET,
        dynamo=False,  # writes plain GRU nodes, whatever the batch and the length
    )
    onnx.checker.check_model(str(path), full_check=True)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for shape in ((1, 1, len(data.FEATURES)), (5, 480, len(data.FEATURES))):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        with torch.no_grad():
            expected = model(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=1e-5)


def schema(mean: Array, scale: Array, background: Array) -> dict[str, object]:
    """Returns the schema of the model, with the scaling that shows a step in the units of the recordings."""
    features = []
    for column, name in enumerate(data.FEATURES):
        moment, pair = name.split("_")
        label = LABELS[pair] if moment == "avg" else f"Variance of {LABELS[pair]}"
        display = {"mean": round(mean[column], 6), "scale": round(scale[column], 6)}
        features.append({"name": name, "label": label, "columns": {"x": [column]}, "display": display})
    return {
        "inputs": [{"name": "x", "role": "events", "dtype": "float32", "width": len(data.FEATURES)}],
        "features": features,
        "targets": [{"name": TARGET}],
        "link": "identity",
        "background": {"x": background.tolist()},
    }


def accuracy(path: Path, recordings: list[data.Recording], mean: Array, scale: Array) -> float:
    """Returns the share of recordings whose last step has a score on the correct side of one half."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = [((r.values - mean) / scale).astype(np.float32)[None] for r in recordings]
    scores = [session.run(None, {"x": one})[0].item() for one in x]
    right = [(score > 0.5) == (r.activity == TARGET) for score, r in zip(scores, recordings, strict=True)]
    return float(np.mean(right))


def main() -> None:
    """Trains the model and writes its files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    recordings = data.read_all()
    trained = [r for r in recordings if r.number not in HELD_OUT]
    held_out = [r for r in recordings if r.number in HELD_OUT]
    steps = np.concatenate([r.values for r in trained])
    mean, scale = steps.mean(axis=0), steps.std(axis=0)
    background = ((np.median(steps, axis=0) - mean) / scale).round(6)

    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "arem_gru.onnx"
    export(train(trained, mean, scale, arguments.seed), path)
    right = accuracy(path, held_out, mean, scale)
    split = {
        "held_out": [r.name for r in held_out],
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "background": background.tolist(),
        "background_is": "median of the trained steps, standardised",
        "seed": arguments.seed,
        "held_out_accuracy": round(right, 4),
    }
    for name, content in (("schema.json", schema(mean, scale, background)), ("arem_split.json", split)):
        (arguments.output / name).write_text(json.dumps(content, indent=1) + "\n")
    print(
        f"{path.name}: {path.stat().st_size} bytes, {right:.0%} right on {len(held_out)} held-out recordings"
    )


if __name__ == "__main__":
    main()
