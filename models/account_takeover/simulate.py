"""Simulated bank accounts: ordinary ones, ones that only look suspicious, and ones that were taken over.

A takeover rewrites the events of the last session: an enrollment from a new device and place, a login from there, and
then transactions with unusual amounts. (By then the thief's device counts as one of the customer's, and the address
looks local.) The events that were rewritten are the planted events. The customer may act in between, and such an
event is not planted. The planted features are those whose values were drawn for the takeover. They always include the
event type, transaction type, device, distance and amount. They include the network if the thief used a hosting
provider, the country if the thief was abroad, and the client's age if the victim was selected by age. All other
features, such as times, balance and channel, are drawn as in ordinary histories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from models.account_takeover.features import (
    CATEGORICAL,
    NUMERIC,
    Country,
    Device,
    EventType,
    Network,
    standardise,
)
from models.account_takeover.histories import (
    EVERYDAY,
    Column,
    History,
    Spending,
    draw_distance,
    draw_history,
    draw_members,
    draw_spending,
)

PURCHASE = Spending(median=1500.0, sigma=0.7, new_payee=0.7)  # a car, a deposit
THEFT = Spending(median=1800.0, sigma=0.8, new_payee=0.9)


@dataclass(frozen=True, slots=True)
class Takeover:
    """The planted events, by t (0 is the most recent event, -1 the one before), and the planted features, by name."""

    events: tuple[int, ...]
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """A history, and what was planted in it if the account was taken over."""

    id: str
    history: History
    takeover: Takeover | None

    def numeric(self) -> NDArray[np.float32]:
        """Returns the numeric input of the model, (l, 9), standardised."""
        return np.stack([standardise(f, self.history.columns[f.name]) for f in NUMERIC], axis=1)

    def categorical(self) -> NDArray[np.int64]:
        """Returns the categorical input of the model, (l, 8), category ids."""
        return np.stack([self.history.columns[f.name] for f in CATEGORICAL], axis=1).astype(np.int64)


def draw_account(seed: int, index: int, takeover_share: float) -> Account:
    """Simulates account `index` of the bank with this seed. A random share of the accounts is taken over."""
    rng = np.random.default_rng((seed, index))
    draw = _draw_victim if rng.random() < takeover_share else _draw_genuine
    return draw(rng, f"account-{seed}-{index:05d}")


def accounts(seed: int, takeover_share: float) -> Iterator[Account]:
    """Simulates the accounts of one bank, without end."""
    return (draw_account(seed, index, takeover_share) for index in count())


def _draw_genuine(rng: np.random.Generator, name: str) -> Account:
    history = draw_history(rng, _draw_age(rng))
    _live(rng, history, _past(rng, history))
    _live(rng, history, slice(len(history) - history.sitting, len(history)))
    return Account(name, history, None)


def _draw_victim(rng: np.random.Generator, name: str) -> Account:
    picked_for_age = rng.random() < 0.6
    age = float(np.clip(np.floor(rng.normal(71.0, 8.0)), 18.0, 95.0)) if picked_for_age else _draw_age(rng)
    history = draw_history(rng, age)
    _live(rng, history, _past(rng, history))
    takeover = _take_over(rng, history, ("client_age",) if picked_for_age else ())
    return Account(name, history, takeover)


def _draw_age(rng: np.random.Generator) -> float:
    return float(np.clip(np.floor(rng.normal(45.0, 14.0)), 18.0, 95.0))


def _past(rng: np.random.Generator, history: History) -> slice:
    """Draws a range of events before the last session."""
    size = min(int(rng.integers(3, 9)), len(history) - history.sitting)
    start = int(rng.integers(0, len(history) - history.sitting - size + 1))
    return slice(start, start + size)


def _live(rng: np.random.Generator, history: History, where: slice) -> None:
    """Adds honest events that look like a theft. Each kind is added at random, so several may be added together."""
    rest = slice(where.start + 2, where.stop)
    moves = rng.random() < 0.1
    if moves:
        place = _draw_place(rng, abroad=0.12, median_km=80.0)
        _enter(history, where.start, EventType.ENROLLMENT, place)
        _enter(history, where.start + 1, EventType.LOGIN, place)
        history.write(rest, device=Device.ANOTHER_ENROLLED)
    if rng.random() < 0.05:
        _enter(history, where.start, EventType.ENROLLMENT, _draw_place(rng, abroad=0.6, median_km=150.0))
    if rng.random() < 0.05:
        _enter(history, where.start + 1, EventType.LOGIN, _draw_place(rng, abroad=0.6, median_km=150.0))
    if rng.random() < (0.8 if moves else 0.3):
        history.write(rest, event_type=EventType.TRANSACTION)  # errands
    large = rng.random() < (0.6 if moves else 0.12)
    _spend(rng, history, where, PURCHASE if large else EVERYDAY)
    if rng.random() < 0.06:
        history.write(where, **_draw_place(rng, abroad=0.6, median_km=150.0))  # a journey
    if rng.random() < 0.08:
        history.write(where, network=Network.HOSTING_PROVIDER)  # a VPN


def _enter(history: History, index: int, kind: EventType, place: dict[str, Column]) -> None:
    """Changes an event to one from a new device and place."""
    history.write(slice(index, index + 1), event_type=kind, device=Device.NEW, **place)


def _draw_place(rng: np.random.Generator, abroad: float, median_km: float) -> dict[str, Column]:
    """Draws a place that is not the customer's: abroad with the given probability, else at some distance in the same
    country.
    """
    odds = {Country.HOME: 1.0 - abroad, Country.NEIGHBOURING: 0.6 * abroad, Country.OTHER: 0.4 * abroad}
    country = draw_members(rng, 1, odds)
    far = rng.lognormal(np.log(median_km), 0.8, 1)
    distance = np.where(country == Country.HOME, far, draw_distance(rng, country))
    return {"country": country, "distance": distance}


def _spend(rng: np.random.Generator, history: History, where: slice, law: Spending) -> None:
    kind = history.columns["event_type"][where].astype(np.int64)
    history.write(where, **draw_spending(rng, kind, law))


def _take_over(rng: np.random.Generator, history: History, picked: tuple[str, ...]) -> Takeover:
    """Rewrites the last session as a theft. `picked` names the features by which the victim was selected."""
    where = slice(len(history) - history.sitting, len(history))
    genuine = {name: column[where].copy() for name, column in history.columns.items()}
    planted = ["event_type", "transaction_type", "device", "distance", "amount", *picked]
    place = _draw_place(rng, abroad=0.3, median_km=150.0)
    if place["country"] != Country.HOME:
        planted.append("country")
    _enter(history, where.start, EventType.ENROLLMENT, place)
    _enter(history, where.start + 1, EventType.LOGIN, place)
    spending = slice(where.start + 2, where.stop)
    history.write(spending, event_type=EventType.TRANSACTION, device=Device.ANOTHER_ENROLLED)
    _spend(rng, history, where, THEFT)
    if rng.random() < 0.6:
        history.write(where, network=Network.HOSTING_PROVIDER)
        planted.append("network")
    return Takeover(_interrupt(rng, history, genuine), tuple(planted))


def _interrupt(rng: np.random.Generator, history: History, genuine: dict[str, Column]) -> tuple[int, ...]:
    """Draws t of the planted events, oldest first. Sometimes there is an event of the customer between them."""
    events = list(range(1 - history.sitting, 1))
    if history.sitting > 3 and rng.random() < 0.2:
        place = int(rng.integers(2, history.sitting - 1))
        index = len(history) - history.sitting + place
        history.write(slice(index, index + 1), **{name: column[place] for name, column in genuine.items()})
        del events[place]
    return tuple(events)
