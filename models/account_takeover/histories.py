"""Ordinary account histories, without fraud.

Event types are drawn independently. Together with the events that `simulate` adds, 70 % of all events are logins, 20
% are transactions and 10 % are enrollments. Lengths have a lognormal distribution with the median and mean of
TimeSHAP (KDD 2021, Table 1), and its longest as maximum. Every history ends in a session of a few events, minutes
apart. The last of them is a transaction, at which the model scores the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.account_takeover.features import (
    Channel,
    Country,
    Device,
    EventType,
    Network,
    Segment,
    System,
    TransactionType,
)

MEDIAN_LENGTH = 138.5
LENGTH_SIGMA = 0.74  # ln(mean / median) = sigma^2 / 2, for a mean of 182
SHORTEST, LONGEST = 8, 2187
SITTING_SIZES, SITTING_ODDS = (3, 4, 5, 6), (0.35, 0.30, 0.20, 0.15)

Column = NDArray[Any]  # (l,) float64 for numeric features, int64 for categorical ones
Member = TypeVar("Member", bound=IntEnum)


@dataclass(frozen=True, slots=True)
class Spending:
    """How money is spent: lognormal amounts in EUR, and the share of payments to a new payee."""

    median: float
    sigma: float
    new_payee: float


EVERYDAY = Spending(median=45.0, sigma=1.2, new_payee=0.1)


@dataclass(frozen=True, slots=True)
class History:
    """The events of an account, oldest first: l raw values of each feature, and l times.

    The last `sitting` events belong to one session. The columns are mutable arrays, because simulated events are
    written into them.
    """

    columns: dict[str, Column]
    times: NDArray[np.datetime64]
    sitting: int

    def __len__(self) -> int:
        """The number of events."""
        return len(self.times)

    def write(self, where: slice, **values: Column | float) -> None:
        """Sets features of the events in `where`."""
        for name, value in values.items():
            self.columns[name][where] = value


def draw_length(rng: np.random.Generator) -> int:
    """Draws the number of events of an account."""
    return int(np.clip(MEDIAN_LENGTH * np.exp(LENGTH_SIGMA * rng.standard_normal()), SHORTEST, LONGEST))


def draw_history(rng: np.random.Generator, age: float) -> History:
    """Draws an ordinary history of a client of this age in years."""
    length = draw_length(rng)
    sitting = int(rng.choice(SITTING_SIZES, p=SITTING_ODDS))
    times, hours_since_last = _draw_times(rng, length, sitting)
    columns: dict[str, Column] = {
        "hours_since_last": hours_since_last,
        "hour_of_day": (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h"),
        **_draw_customer(rng, age, length),
        **_draw_events(rng, length),
    }
    return History(columns, times, sitting)


def draw_members(rng: np.random.Generator, size: int, odds: Mapping[Member, float]) -> NDArray[np.int64]:
    """Draws category ids with the given probabilities."""
    ids = np.array([int(member) for member in odds], dtype=np.int64)
    return ids[np.searchsorted(np.cumsum(list(odds.values()))[:-1], rng.random(size), side="right")]


def _draw_times(
    rng: np.random.Generator, length: int, sitting: int
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Draws the times of the events, and the hours since the previous event. Sessions are days apart; their events
    are minutes apart.
    """
    opens = rng.random(length) < 0.5
    opens[0], opens[-sitting:] = True, [True] + [False] * (sitting - 1)
    session = np.cumsum(opens) - 1
    count = int(session[-1]) + 1
    day = np.cumsum(rng.geometric(0.45, count))
    start = rng.triangular(5.0, 15.0, 22.0, count)
    minutes = np.where(opens, 0.0, rng.lognormal(1.2, 0.7, length))
    elapsed = np.cumsum(minutes)
    since_open = elapsed - elapsed[np.flatnonzero(opens)][session]
    seconds = np.round((day[session] * 24 + start[session]) * 3600 + since_open * 60).astype(np.int64)
    end = np.datetime64("2026-01-01T00:00:00") + np.timedelta64(int(rng.integers(0, 180)), "D")
    times = end + (seconds - int(day[-1]) * 86400).astype("timedelta64[s]")
    gaps = np.diff(seconds, prepend=seconds[0] - 86400) / 3600.0
    return times, gaps


def _draw_customer(rng: np.random.Generator, age: float, length: int) -> dict[str, Column]:
    """Draws the features that stay the same, or change little, over the history."""
    system = draw_members(
        rng, 1, {System.ANDROID: 0.45, System.IOS: 0.3, System.WINDOWS: 0.18, System.MACOS: 0.07}
    )
    segment = draw_members(
        rng, 1, {Segment.STANDARD: 0.65, Segment.PREMIUM: 0.15, Segment.STUDENT: 0.1, Segment.BUSINESS: 0.1}
    )
    channel = draw_members(rng, 1, {Channel.APP: 0.65, Channel.WEB: 0.35})
    other_channel = draw_members(rng, length, {Channel.APP: 0.4, Channel.WEB: 0.4, Channel.PHONE: 0.2})
    tenure = min(float(rng.gamma(2.0, 4.0)), age - 16.0)
    balance = rng.lognormal(9.2, 0.8)
    return {
        "client_age": np.full(length, age),
        "account_age": np.full(length, tenure),
        "balance": balance * np.exp(0.2 * rng.standard_normal(length)),
        "products_held": np.full(length, float(rng.binomial(6, 0.3) + 1)),
        "channel": np.where(rng.random(length) < 0.85, channel, other_channel),
        "operating_system": np.repeat(system, length),
        "segment": np.repeat(segment, length),
    }


def _draw_events(rng: np.random.Generator, length: int) -> dict[str, Column]:
    """Draws the features that differ from event to event."""
    kind = draw_members(
        rng, length, {EventType.LOGIN: 0.71, EventType.TRANSACTION: 0.19, EventType.ENROLLMENT: 0.1}
    )
    kind[-1] = EventType.TRANSACTION
    abroad = {Country.HOME: 0.98, Country.NEIGHBOURING: 0.015, Country.OTHER: 0.005}
    country = draw_members(rng, length, abroad)
    return {
        "event_type": kind,
        **draw_spending(rng, kind, EVERYDAY),
        "device": draw_members(
            rng, length, {Device.USUAL: 0.84, Device.ANOTHER_ENROLLED: 0.15, Device.NEW: 0.01}
        ),
        "network": draw_members(
            rng,
            length,
            {
                Network.HOME_BROADBAND: 0.5,
                Network.MOBILE: 0.34,
                Network.CORPORATE: 0.1,
                Network.PUBLIC_WIFI: 0.05,
                Network.HOSTING_PROVIDER: 0.01,
            },
        ),
        "country": country,
        "distance": draw_distance(rng, country),
        "session_seconds": rng.lognormal(5.0, 0.8, length),
    }


def draw_spending(rng: np.random.Generator, kind: NDArray[np.int64], law: Spending) -> dict[str, Column]:
    """Draws amounts in EUR and transaction types for the transactions among `kind`. Other events have none."""
    rest = 1.0 - law.new_payee
    odds = {
        TransactionType.NEW_PAYEE: law.new_payee,
        TransactionType.CARD_PAYMENT: 0.6 * rest,
        TransactionType.KNOWN_PAYEE: 0.25 * rest,
        TransactionType.OWN_ACCOUNT: 0.15 * rest,
    }
    spends = kind == EventType.TRANSACTION
    amount = np.round(law.median * np.exp(law.sigma * rng.standard_normal(len(kind))), 2)
    return {
        "amount": np.where(spends, amount, 0.0),
        "transaction_type": np.where(spends, draw_members(rng, len(kind), odds), TransactionType.NONE),
    }


def draw_distance(rng: np.random.Generator, country: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draws the distance from the customer's usual place, in km, by country."""
    scale = np.array([4.0, 500.0, 3000.0])[country]
    sigma = np.array([1.1, 0.5, 0.5])[country]
    return scale * np.exp(sigma * rng.standard_normal(len(country)))
