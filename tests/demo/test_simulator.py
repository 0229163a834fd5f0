"""The simulated bank is what its documentation says, and the planted truth is the whole truth."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from models.account_takeover.features import CATEGORICAL, NUMERIC, Country, Device, EventType, Network
from models.account_takeover.simulate import Account, accounts

pytestmark = pytest.mark.slow  # a whole bank is simulated

TAKEOVER_SHARE = 0.25


@pytest.fixture(scope="module")
def stolen(bank: list[Account]) -> list[Account]:
    return [account for account in bank if account.takeover]


@pytest.fixture(scope="module")
def genuine(bank: list[Account]) -> list[Account]:
    return [account for account in bank if account.takeover is None]


def column(account: Account, name: str) -> NDArray[np.float64]:
    return account.history.columns[name].astype(np.float64)


def planted_rows(account: Account) -> list[int]:
    assert account.takeover
    return [len(account.history) - 1 + t for t in account.takeover.events]


def test_event_types_are_seventy_twenty_ten(bank: list[Account]) -> None:
    """Over all events logins make 70 %, transactions 20 %, enrollments 10 %, to half a percentage point."""
    kinds = np.concatenate([column(account, "event_type") for account in bank])
    shares = [
        np.mean(kinds == kind) for kind in (EventType.LOGIN, EventType.TRANSACTION, EventType.ENROLLMENT)
    ]
    assert shares == pytest.approx([0.70, 0.20, 0.10], abs=0.005)


def test_lengths_are_those_of_the_paper(bank: list[Account]) -> None:
    """Mean 182 and median 138 events within three standard errors, and the longest history has 2187."""
    lengths = np.array([len(account.history) for account in bank])
    standard_error = lengths.std() / np.sqrt(len(lengths))
    assert lengths.mean() == pytest.approx(182, abs=3 * standard_error)
    assert np.median(lengths) == pytest.approx(138, abs=3 * 1.25 * standard_error)
    assert lengths.max() == 2187


def test_times_run_forward_and_agree_with_their_features(bank: list[Account]) -> None:
    """The hours since the last event are the differences of the times, and the hour is the clock's."""
    for account in bank[:300]:
        gaps = np.diff(account.history.times) / np.timedelta64(1, "h")
        assert np.all(gaps >= 0)
        np.testing.assert_allclose(column(account, "hours_since_last")[1:], gaps, atol=1e-9)
        midnight = account.history.times.astype("datetime64[D]")
        hours = (account.history.times - midnight) / np.timedelta64(1, "h")
        np.testing.assert_allclose(column(account, "hour_of_day"), hours, atol=1e-9)


def test_a_takeover_is_an_enrollment_a_login_then_transactions(stolen: list[Account]) -> None:
    """Oldest first: an enrollment and a login from a new device, then transactions with money in them."""
    for account in stolen:
        rows = planted_rows(account)
        kinds = column(account, "event_type")[rows]
        assert kinds[:2].tolist() == [EventType.ENROLLMENT, EventType.LOGIN]
        assert len(rows) >= 3
        assert np.all(kinds[2:] == EventType.TRANSACTION)
        assert rows[-1] == len(account.history) - 1
        assert np.all(column(account, "device")[rows[:2]] == Device.NEW)
        assert np.all(column(account, "amount")[rows[2:]] > 0)


def test_stolen_amounts_are_unusual(stolen: list[Account], genuine: list[Account]) -> None:
    """The median planted amount is above 95 of 100 ordinary ones, the median planted distance likewise."""
    for name, part in (("amount", slice(2, None)), ("distance", slice(0, 2))):
        planted = np.concatenate([column(account, name)[planted_rows(account)[part]] for account in stolen])
        usual = np.concatenate([column(account, name) for account in genuine])
        assert np.median(planted) > np.quantile(usual[usual > 0], 0.95)


def test_optional_features_are_planted_exactly_where_they_are_named(stolen: list[Account]) -> None:
    """Hosting provider, foreign country: named in the truth if and only if the planted events carry them."""
    for account in stolen:
        assert account.takeover
        rows, features = planted_rows(account), account.takeover.features
        abroad = column(account, "country")[rows[:2]] != Country.HOME
        assert abroad.all() if "country" in features else not abroad.any()
        if "network" in features:
            assert np.all(column(account, "network")[rows] == Network.HOSTING_PROVIDER)


def test_victims_picked_for_their_age_are_old(stolen: list[Account], genuine: list[Account]) -> None:
    """Where the age is planted, clients are 20 years older on average; elsewhere as old as anyone."""
    ages: dict[bool, list[float]] = {True: [], False: []}
    for account in stolen:
        assert account.takeover
        ages["client_age" in account.takeover.features].append(column(account, "client_age")[-1])
    usual = np.mean([column(account, "client_age")[-1] for account in genuine])
    assert np.mean(ages[True]) > usual + 20
    assert np.mean(ages[False]) == pytest.approx(usual, abs=1.5)


@pytest.mark.parametrize(
    "name",
    [
        *("hours_since_last", "hour_of_day", "account_age", "balance", "session_seconds", "products_held"),
        *("channel", "operating_system", "segment"),
    ],
)
def test_what_is_not_planted_says_nothing(name: str, stolen: list[Account], genuine: list[Account]) -> None:
    """In the last event, features outside the truth follow one law for stolen and genuine accounts."""
    groups = [np.array([column(account, name)[-1] for account in group]) for group in (stolen, genuine)]
    pooled = np.sort(np.concatenate(groups))
    cdfs = [np.searchsorted(np.sort(group), pooled, side="right") / len(group) for group in groups]
    distance = np.abs(cdfs[0] - cdfs[1]).max()
    scale = np.sqrt(sum(1 / len(group) for group in groups))
    assert distance < 1.95 * scale  # Kolmogorov-Smirnov at one in a thousand


def test_honest_look_alikes_exist(genuine: list[Account]) -> None:
    """Some genuine histories end in a new device enrolled, a login from it, and a large transaction."""
    found = 0
    for account in genuine:
        rows = slice(len(account.history) - account.history.sitting, len(account.history))
        kinds, device = column(account, "event_type")[rows], column(account, "device")[rows]
        pattern = kinds[0] == EventType.ENROLLMENT and kinds[1] == EventType.LOGIN
        found += bool(pattern and np.all(device[:2] == Device.NEW) and column(account, "amount")[-1] > 1000)
    assert found / len(genuine) > 0.01


def test_inputs_are_standardised(
    bank_numeric: NDArray[np.float32], bank_categorical: NDArray[np.int64]
) -> None:
    """Numeric inputs are float32, mean near 0 and spread near 1; ids are int64 within their categories."""
    assert bank_numeric.dtype == np.float32
    assert bank_numeric.shape[1] == len(NUMERIC)
    assert np.all(np.abs(bank_numeric.mean(axis=0)) < 0.2)
    assert np.all((bank_numeric.std(axis=0) > 0.7) & (bank_numeric.std(axis=0) < 1.3))
    assert bank_categorical.dtype == np.int64
    for feature, ids in zip(CATEGORICAL, bank_categorical.T, strict=True):
        assert sorted(set(ids.tolist())) == list(range(len(feature.categories)))


def test_a_seed_reproduces_bytes() -> None:
    """The same seed gives the same bytes; another seed gives other ones."""

    def content(seed: int) -> list[bytes]:
        drawn = islice(accounts(seed, TAKEOVER_SHARE), 20)
        return [a.numeric().tobytes() + a.categorical().tobytes() + a.history.times.tobytes() for a in drawn]

    assert content(11) == content(11)
    assert not set(content(11)) & set(content(12))
