"""Explanations of the churn model through the service: exact, and they show what an analyst expects.

Customers who lapsed are likely to churn, and their months without purchases raise the probability. Customers who bought
lately are not, and their months with purchases lower it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

import brute_force
import numpy as np
import onnxruntime
import pytest
from brute_force import Arrays, Player
from churn.checkpoints import EPOCHS, SCHEMA, path
from numpy.typing import NDArray
from sequela_client import EventInfo, Explanation, Sequela, Sequence

from models.churn.features import FEATURES, standardise
from models.churn.histories import History

NAMES = [feature.name for feature in FEATURES]
BACKGROUND = np.array(SCHEMA["background"]["months"], np.float32)
TRAINED = EPOCHS[1:]


def explain(sequela: Sequela, months: NDArray[np.float32], epoch: str) -> Explanation:
    """Without pruning, so that every event is a player of its own."""
    return sequela.explain(months, model=path(epoch), levels=["event", "feature"], pruning_tolerance=0)


def some(rows: Iterable[History], lapsed: bool, count: int) -> list[History]:
    """Customers who bought more than once: the last time over half a year ago, or in the last two months."""
    repeat = [row for row in rows if row.purchases > 1]
    chosen = [row for row in repeat if (row.values[-1, 3] > 6 if lapsed else row.values[-1, 3] <= 1)]
    return chosen[:count]


def scorer(epoch: str) -> brute_force.Scorer:
    session = onnxruntime.InferenceSession(path(epoch))

    def score(arrays: Arrays) -> NDArray[np.float64]:
        (probability,) = session.run(["probability"], {"months": arrays["months"].astype(np.float32)})
        return np.asarray(probability, np.float64)

    return score


def truth(months: NDArray[np.float32], epoch: str, players: list[Player]) -> brute_force.Attributions:
    background = np.tile(BACKGROUND, (len(months), 1))
    return brute_force.attributions(scorer(epoch), {"months": months}, {"months": background}, players)


@pytest.mark.slow
@pytest.mark.parametrize("epoch", EPOCHS)
def test_the_probability_is_explained_exactly(sequela: Sequela, held_out: list[History], epoch: str) -> None:
    """The service chooses the probability, and all coalitions of events and of features, one by one, agree with it."""
    months = next(row for row in held_out if row.purchases > 5 and len(row) == 10).inputs()
    e = explain(sequela, months, epoch)
    (target,) = e.targets
    assert (target.name, target.label) == ("churn", "Probability of churn")
    events = [Player((t,), frozenset(("months", 9 + t, column) for column in range(4))) for t in range(-9, 1)]
    by_event = truth(months, epoch, events)
    assert e.score == pytest.approx(by_event.score[0], abs=1e-6)
    assert e.base_value == pytest.approx(by_event.base[0], abs=1e-6)
    assert len(e.events) == 10
    for event in e.events:
        assert event.value == pytest.approx(by_event.of(event.t)[0], abs=1e-6)
    features = [
        Player((name,), frozenset(("months", place, column) for place in range(10)))
        for column, name in enumerate(NAMES)
    ]
    by_feature = truth(months, epoch, features)
    assert list(e.features) == NAMES
    for name, feature in e.features.items():
        assert feature.value == pytest.approx(by_feature.of(name)[0], abs=1e-6)


@pytest.mark.slow
def test_nothing_has_to_be_assumed(sequela: Sequela, held_out: list[History]) -> None:
    """The schema leaves no question open, so there is no warning about the model; months are shown in raw units."""
    row = held_out[0]
    e = sequela.explain(row.inputs(), model=path("600"), pruning_tolerance=0.01)
    assert not {warning.reason for warning in e.warnings} & {
        "OUTPUT_CHOSEN",
        "OUTPUTS_LEFT_OUT",
        "LAYOUT_RECOGNISED",
    }
    shown = {event.t: event.values for event in e.event_values}
    for back in range(3):
        orders, _, spend, since = row.values[-1 - back]
        assert shown[-back]["purchases"] == f"{orders:.0f}"
        assert shown[-back]["spend"] == f"{spend:.2f}"
        assert shown[-back]["months_since_purchase"] == f"{since:.0f}"


@pytest.mark.slow
@pytest.mark.parametrize("epoch", TRAINED)
def test_the_probability_rises_with_every_month_without_a_purchase(epoch: str) -> None:
    """A customer who bought a CD each month for half a year and then stopped: f(X) by the months since."""
    probabilities = []
    for idle in range(6):
        raw = np.array([[1, 1, 15, 0]] * 6 + [[0, 0, 0, since] for since in range(1, idle + 1)], np.float64)
        months = np.stack([standardise(f, column) for f, column in zip(FEATURES, raw.T, strict=True)], axis=1)
        probabilities.append(scorer(epoch)({"months": months[None]})[0, 0])
    assert probabilities == sorted(probabilities)
    assert probabilities[-1] > probabilities[0] + 0.1


@pytest.mark.slow
@pytest.mark.parametrize("epoch", TRAINED)
def test_lapsed_and_active_customers_are_told_apart(
    sequela: Sequela, held_out: list[History], epoch: str
) -> None:
    """On average the features of purchases raise the score of lapsed customers, and more than those of active ones."""
    lapsed, active = (
        np.array(
            [
                [explain(sequela, row.inputs(), epoch).features[name].value for name in NAMES[:3]]
                for row in some(held_out, lapsed=lapsed, count=12)
            ]
        )
        for lapsed in (True, False)
    )
    assert (lapsed.mean(axis=0) > 0.02).all()
    assert (active.mean(axis=0) < lapsed.mean(axis=0) - 0.03).all()


@pytest.mark.slow
@pytest.mark.parametrize("epoch", TRAINED)
def test_months_with_purchases_lower_the_score_and_empty_ones_raise_it(
    sequela: Sequela, held_out: list[History], epoch: str
) -> None:
    """Of the last six months of 40 customers: the average attribution, and that of a simple check.

    The check replaces one month by the background and takes the difference of the scores.
    """
    attributions: dict[bool, list[float]] = {True: [], False: []}
    checks: dict[bool, list[float]] = {True: [], False: []}
    for row in some(held_out, lapsed=True, count=10) + some(held_out, lapsed=False, count=10):
        months = row.inputs()
        e = explain(sequela, months, epoch)
        score = scorer(epoch)
        for event in e.events[:6]:
            place = len(row) - 1 + event.t
            bought = bool(row.values[place, 0] > 0)
            without = months.copy()
            without[place] = BACKGROUND
            both = score({"months": np.stack([months, without])})[:, 0]
            attributions[bought].append(event.value)
            checks[bought].append(both[0] - both[1])
    for found in (attributions, checks):
        assert np.mean(found[True]) < -0.01
        assert np.mean(found[False]) > 0.01
    all_found, all_checks = (found[True] + found[False] for found in (attributions, checks))
    assert np.corrcoef(all_found, all_checks)[0, 1] > 0.8


@pytest.mark.slow
def test_attributions_and_attention_grow_with_learning(sequela: Sequela, held_out: list[History]) -> None:
    """After one epoch both say nothing; after 600 the months that the model attends to are those that matter to it."""
    agreement, strength, spread = {}, {}, {}
    rows = some(held_out, lapsed=True, count=10) + some(held_out, lapsed=False, count=10)
    for epoch in EPOCHS:
        session = onnxruntime.InferenceSession(path(epoch))
        found = []
        for row in rows:
            values = np.array([event.value for event in explain(sequela, row.inputs(), epoch).events])
            (attention,) = session.run(["attention"], {"months": row.inputs()[None]})
            weights = attention[0][::-1]
            found.append((np.corrcoef(weights, np.abs(values))[0, 1], np.abs(values).max(), np.ptp(weights)))
        agreement[epoch], strength[epoch], spread[epoch] = np.mean(found, axis=0)
    assert strength["1"] < 0.02
    assert strength["600"] > 0.08
    assert spread["1"] < 0.02
    assert spread["600"] > 0.08
    assert agreement["1"] < 0.5
    assert agreement["600"] > 0.7


@pytest.mark.slow
def test_the_model_s_own_weights_are_its_attention(sequela: Sequela, held_out: list[History]) -> None:
    """The answer has the attention, oldest month first, as the schema says."""
    months = held_out[3].inputs()
    for epoch in EPOCHS:
        (attention,) = onnxruntime.InferenceSession(path(epoch)).run(["attention"], {"months": months[None]})
        weights = explain(sequela, months, epoch).event_weights
        np.testing.assert_allclose(weights, attention[0], atol=1e-6)
        assert sum(weights) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
def test_reasons_are_told_with_the_schema_s_sentences(sequela: Sequela, held_out: list[History]) -> None:
    """At most four, each from a template of the schema, and each with the sign that its sentence says."""
    for row in some(held_out, lapsed=True, count=5) + some(held_out, lapsed=False, count=5):
        times = row.months.astype("datetime64[s]").tolist()
        events = tuple(EventInfo(time=time.replace(tzinfo=UTC)) for time in times)
        e = sequela.explain(Sequence(row.inputs(), events=events), model=path("600"))
        assert len(e.reasons) <= 4
        for reason in e.reasons:
            assert reason.template.startswith("templates[")
            assert ("against churn" in reason.text) == (reason.value < 0)
