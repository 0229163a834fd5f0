"""DataFrames may hold names of categories instead of the model's numbers, as the files of `sequela explain` may."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from client import file_models as models
from sequela_client import AsyncSequela, CallerError, Explanation, Sequela, Sequence
from serving import Serving, embedded

SCHEMA = {
    "features": [
        {"name": "amount", "columns": {"x": [3]}},
        {"name": "shop", "columns": {"x": [0, 1, 2]}, "kind": "one_hot", "categories": ["web", "app", "pos"]},
        {"name": "floor", "columns": {"x": [4]}, "kind": "categorical", "categories": ["ground", "1", "2"]},
    ]
}
WORDS = pd.DataFrame(
    {
        "shop": ["app", "pos", "web"],
        "floor": ["2", "ground", "1"],
        "amount": [2.5, -1.0, 0.5],
    }
)
NUMBERS = np.array([[0, 1, 0, 2.5, 2], [0, 0, 1, -1, 0], [1, 0, 0, 0.5, 1]])
ZEROS = np.zeros(5)
ASKED: dict[str, Any] = {"levels": ["event", "feature"], "pruning_tolerance": 0}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with Serving(embedded()) as serving:
        yield serving.bound.grpc


@pytest.fixture(scope="module")
def sequela(address: str) -> Iterator[Sequela]:
    with Sequela(address) as client:
        yield client


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.written(tmp_path_factory.mktemp("words") / "m", models.weighted(5), SCHEMA)


@pytest.fixture(scope="module")
def wanted(sequela: Sequela, model: Path) -> Explanation:
    return sequela.explain(NUMBERS, model=model, background=ZEROS, **ASKED)


def assert_same(found: Explanation, wanted: Explanation) -> None:
    assert found.score == wanted.score
    assert found.base_value == wanted.base_value
    assert {name: level.attributions for name, level in found.levels.items()} == {
        name: level.attributions for name, level in wanted.levels.items()
    }


TABLES: dict[str, Any] = {
    "pandas": WORDS,
    "categorical": WORDS.astype({"shop": "category", "floor": "category"}),
    "polars": pl.from_pandas(WORDS),
    "polars enum": pl.from_pandas(WORDS).cast({"shop": pl.Categorical}),
    "arrow": pl.from_pandas(WORDS).to_arrow(),
    "records": WORDS.to_dict("records"),
    "dummies": pd.get_dummies(WORDS, columns=["shop"]),
    "ids": WORDS.assign(floor=[2, 0, 1]),
    "several": {"x": WORDS},
    "with ids": Sequence(WORDS, id="alert"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_names_of_categories_are_numbers(
    sequela: Sequela, model: Path, wanted: Explanation, kind: str
) -> None:
    """In one column with a name for each row, whatever holds it, for categorical and one-hot features alike."""
    found = sequela.explain(TABLES[kind], model=model, background=ZEROS, **ASKED)
    assert_same(found, wanted)
    assert found.warnings == wanted.warnings


def test_a_background_may_hold_names(sequela: Sequela, model: Path) -> None:
    """As a row of a DataFrame, as a DataFrame of one row, and stored."""
    wanted = sequela.explain(NUMBERS, model=model, background=NUMBERS[1], **ASKED)
    for background in (WORDS.iloc[1], WORDS.iloc[[1]], pl.from_pandas(WORDS)[1]):
        assert_same(sequela.explain(NUMBERS, model=model, background=background, **ASKED), wanted)
    stored = sequela.create_background("usual", WORDS.iloc[1], model=model)
    np.testing.assert_array_equal(stored.values["x"], NUMBERS[1])


def test_averages_scores_and_streams(sequela: Sequela, model: Path, wanted: Explanation) -> None:
    """Every method that takes sequences takes them with names; the asyncio client, too."""
    made = [
        sequela.average_background(f"average-{place}", [given, given[:2]], model=model).values["x"]
        for place, given in enumerate((NUMBERS, WORDS))
    ]
    np.testing.assert_array_equal(*made)
    plain, named = (sequela.score(each, model=model).values for each in (NUMBERS, WORDS))
    np.testing.assert_array_equal(named, plain)
    wrong = WORDS.assign(shop="kiosk")
    outcomes = list(sequela.explain_many([WORDS, wrong, NUMBERS], model=model, background=ZEROS, **ASKED))
    assert_same(outcomes[0].explanation, wanted)  # type: ignore[arg-type]
    assert "sequences[1]: the sequence, column 'shop', row 0: 'kiosk' is not one" in str(outcomes[1].error)
    assert outcomes[2].explanation


def test_the_asyncio_client(address: str, model: Path, wanted: Explanation) -> None:
    async def ask() -> Explanation:
        async with AsyncSequela(address) as client:
            return await client.explain(WORDS, model=model, background=ZEROS, **ASKED)

    assert_same(asyncio.run(ask()), wanted)


def test_a_model_by_name_tells_its_categories(sequela: Sequela, model: Path, wanted: Explanation) -> None:
    """The server describes it."""
    sequela.register_model(model, name="shops")
    assert_same(sequela.explain(WORDS, model="shops", background=ZEROS, **ASKED), wanted)
    (outcome,) = sequela.explain_many([WORDS], model="shops", background=ZEROS, **ASKED)
    assert_same(outcome.explanation, wanted)  # type: ignore[arg-type]


def test_other_text_is_left_out_and_said(sequela: Sequela, model: Path, wanted: Explanation) -> None:
    """A column of text that is no feature is treated as one of numbers is: the answer warns of it."""
    found = sequela.explain(WORDS.assign(city="Lisboa"), model=model, background=ZEROS, **ASKED)
    assert_same(found, wanted)
    (warning,) = set(found.warnings) - set(wanted.warnings)
    assert warning.reason == "COLUMNS_LEFT_OUT"
    assert "city" in warning.message


REFUSED = {
    "unknown": (
        WORDS.assign(shop=["app", "kiosk", "pos"]),
        "column 'shop', row 1: 'kiosk' is not one of the categories: web, app, pos",
    ),
    "missing": (
        WORDS.assign(shop=["app", None, "pos"]),
        "column 'shop', row 1: the value is missing; the categories are web",
    ),
    "text in a number": (
        WORDS.assign(amount=["1", "much", "2"]),
        "column 'amount': holds text, such as 'much'",
    ),
    "text in a dummy": (
        pd.get_dummies(WORDS, columns=["shop"]).assign(shop_app="yes"),
        "column 'shop_app': holds text",
    ),
    "name or id": (
        WORDS.assign(floor=["2", "0", "7"]),
        "row 2: '7' is not one of the categories: ground, 1, 2",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_text_without_a_meaning_is_refused(sequela: Sequela, model: Path, case: str) -> None:
    """The message names the column, the row and the categories."""
    given, message = REFUSED[case]
    with pytest.raises(CallerError) as refused:
        sequela.explain(given, model=model, background=ZEROS, **ASKED)
    assert message in str(refused.value)
    assert refused.value.reason == "NOT_AN_ARRAY"


def test_a_model_without_categories(sequela: Sequela, tmp_path: Path) -> None:
    """Text is refused, as before; texts that are numbers are numbers."""
    bare = models.written(tmp_path / "bare", models.weighted(3))
    with pytest.raises(CallerError, match="column 'shop': holds text, such as 'app'"):
        sequela.explain(WORDS, model=bare, background=np.zeros(3), **ASKED)
    written = pd.DataFrame(NUMBERS[:, :3]).astype(str)
    found = sequela.explain(written, model=bare, background=np.zeros(3), **ASKED)
    assert_same(found, sequela.explain(NUMBERS[:, :3], model=bare, background=np.zeros(3), **ASKED))
