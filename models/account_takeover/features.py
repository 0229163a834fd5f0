"""The features of a simulated bank event: names, units, categories, and their encoding as model inputs.

Numeric features are standardised, some after log1p, into a float32 input. Categorical features are ids that the model
embeds. Means and scales are round numbers near those of the simulated data, so no training data is needed to encode.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class EventType(IntEnum):
    """What the customer did."""

    LOGIN = 0
    TRANSACTION = 1
    ENROLLMENT = 2


class TransactionType(IntEnum):
    """The recipient of a transaction; NONE for other events."""

    NONE = 0
    CARD_PAYMENT = 1
    KNOWN_PAYEE = 2
    OWN_ACCOUNT = 3
    NEW_PAYEE = 4


class Device(IntEnum):
    """What the bank knows about the device of this customer."""

    USUAL = 0
    ANOTHER_ENROLLED = 1
    NEW = 2


class Network(IntEnum):
    """The kind of network that the event came from."""

    HOME_BROADBAND = 0
    MOBILE = 1
    CORPORATE = 2
    PUBLIC_WIFI = 3
    HOSTING_PROVIDER = 4


class Country(IntEnum):
    """The country of the network address, relative to the customer's country."""

    HOME = 0
    NEIGHBOURING = 1
    OTHER = 2


class Channel(IntEnum):
    """The channel through which the customer reached the bank."""

    APP = 0
    WEB = 1
    PHONE = 2


class System(IntEnum):
    """The operating system of the device."""

    ANDROID = 0
    IOS = 1
    WINDOWS = 2
    MACOS = 3


class Segment(IntEnum):
    """The kind of contract that the customer has."""

    STANDARD = 0
    PREMIUM = 1
    STUDENT = 2
    BUSINESS = 3


@dataclass(frozen=True, slots=True)
class Numeric:
    """A numeric feature. Its model input is `(raw - mean) / scale`, with log1p(raw) for raw if `log` is true."""

    name: str
    label: str
    unit: str
    mean: float
    scale: float
    log: bool = False
    decimals: int = 0
    description: str = ""

    def schema_entry(self, input_name: str, column: int) -> dict[str, Any]:
        """Returns the entry of schema.json for this feature in a column of an input."""
        return {
            "name": self.name,
            "columns": {input_name: [column]},
            "kind": "numeric",
            "label": self.label,
            "unit": self.unit,
            "description": self.description,
            "display": {
                "mean": self.mean,
                "scale": self.scale,
                "transform": "log1p" if self.log else "none",
                "decimals": self.decimals,
            },
        }


@dataclass(frozen=True, slots=True)
class Categorical:
    """A categorical feature. Its model input is the id of one of `members`."""

    name: str
    label: str
    members: type[IntEnum]
    description: str = ""

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of the categories for people, in the order of the ids."""
        return tuple(member.name.lower().replace("_", " ") for member in self.members)


NUMERIC = (
    Numeric("amount", "Amount", "EUR", 0.8, 1.7, log=True, decimals=2, description="0 where no money moves"),
    Numeric("distance", "Distance from usual place", "km", 2.0, 1.5, log=True, decimals=1),
    Numeric(
        "hours_since_last",
        "Time since last event",
        "h",
        1.9,
        1.9,
        log=True,
        decimals=2,
        description="As it was in the account's history; not recomputed when earlier events are switched",
    ),
    Numeric("hour_of_day", "Hour of day", "h", 14.0, 3.5, decimals=1),
    Numeric("client_age", "Client's age", "years", 49.0, 16.0),
    Numeric("account_age", "Age of account", "years", 7.5, 5.0, decimals=1),
    Numeric("balance", "Balance", "EUR", 9.2, 0.8, log=True, decimals=2),
    Numeric("session_seconds", "Length of session", "s", 5.0, 0.8, log=True),
    Numeric("products_held", "Products held", "", 2.8, 1.1),
)
CATEGORICAL = (
    Categorical("event_type", "Event type", EventType),
    Categorical("transaction_type", "Transaction type", TransactionType, "Where the money went"),
    Categorical("device", "Device", Device, "As the bank knows it for this customer"),
    Categorical("network", "Network", Network, "Who owns the address the event came from"),
    Categorical("country", "Country", Country, "Seen from the customer's"),
    Categorical("channel", "Channel", Channel),
    Categorical("operating_system", "Operating system", System),
    Categorical("segment", "Customer segment", Segment),
)


def standardise(feature: Numeric, raw: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns the model's input for raw values of a numeric feature."""
    value = np.log1p(raw) if feature.log else raw
    return ((value - feature.mean) / feature.scale).astype(np.float32)
