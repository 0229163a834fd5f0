"""Columns of CSV files are taken by their names."""

import json
from pathlib import Path

import numpy as np
import pytest
from client.command_runs import Run, section
from matrix import BY_NAME

GRU = BY_NAME["gru"]


@pytest.fixture
def named(tmp_path: Path) -> tuple[object, ...]:
    """A model with two named features, and its background in the model's order."""
    folder = tmp_path / "named"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(GRU.path.read_bytes())
    events = GRU.inputs[0].name
    features = [{"name": name, "columns": {events: [column]}} for column, name in enumerate(NAMES)]
    (folder / "schema.json").write_text(json.dumps({"features": features}))
    np.savetxt(tmp_path / "average.csv", GRU.average()["events"][None], delimiter=",")
    return ("--model", folder / "model.onnx", "--background", tmp_path / "average.csv")


NAMES = ("amount", "hour", "country", "device", "shop", "age")[: GRU.sample(1)["events"].shape[1]]


def headed(path: Path, names: tuple[str, ...], values: np.ndarray) -> Path:
    """A CSV file of these columns."""
    np.savetxt(path, values, delimiter=",", header=",".join(names), comments="", fmt="%.17g")
    return path


def test_columns_are_taken_by_name(run: Run, real: str, named: tuple[object, ...], tmp_path: Path) -> None:
    """Columns in another order, of a sequence and of a background, give the same attributions."""
    rows, average = GRU.sample(4)["events"], GRU.average()["events"][None]
    straight = headed(tmp_path / "straight.csv", NAMES, rows)
    turned = headed(tmp_path / "turned.csv", NAMES[::-1], rows[:, ::-1])
    base = headed(tmp_path / "base.csv", NAMES[::-1], average[:, ::-1])
    ask = ("explain", "--server", real, *named, "--json", "-")
    answers = [
        run(*ask, "--sequence", straight),
        run(*ask, "--sequence", turned),
        run(*ask, "--sequence", turned, "--background", base),
    ]
    assert [done.exit_code for done in answers] == [0, 0, 0], answers[-1].output
    told = [json.loads(done.stdout)["feature_level"]["attributions"] for done in answers]
    assert told[0] == told[1]
    assert [item["values"][0] for item in told[2]] == pytest.approx(
        [item["values"][0] for item in told[0]], abs=1e-6
    )


def test_other_columns_are_refused(run: Run, real: str, named: tuple[object, ...], tmp_path: Path) -> None:
    """Names that are not the model's are listed beside those that are."""
    wrong = ("x", *NAMES[1:])
    path = headed(tmp_path / "alert.csv", wrong, GRU.sample(4)["events"])
    done = run("explain", "--server", real, *named, "--sequence", path)
    assert done.exit_code == 1
    said = f"alert.csv: its columns are {', '.join(wrong)}; the model's features are {', '.join(NAMES)}"
    assert said in done.stderr


def test_a_model_without_names_takes_columns_in_order(
    run: Run, arguments: list[object], tmp_path: Path
) -> None:
    """Names that were only inferred do not speak against a header: its names are used, and the order is said."""
    path = headed(tmp_path / "alert.csv", NAMES, GRU.sample(6)["events"])
    done = run(*arguments, "--sequence", path)
    assert done.exit_code == 0, done.output
    assert section(done.stdout, "Features")[0].split()[0] in NAMES
    assert "matched by position, in the order sent" in " ".join(done.stdout.split())
