"""The reason templates of the schema, in the words of a fraud analyst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = "1"
"""Changes with the texts: every reason states it."""
ENDINGS = {"raises": "points to a takeover", "lowers": "speaks against a takeover"}
SUBJECTS: Mapping[str, str] = {
    "amount": "The amount of {value} at {time}",
    "distance": "The distance of {value} from the usual place at {time}",
    "hours_since_last": "The gap of {value} before {time}",
    "hour_of_day": "The hour of day ({value}) at {time}",
    "client_age": "The client's age of {value}",
    "account_age": "The account's age of {value}",
    "balance": "The balance of {value} at {time}",
    "session_seconds": "The session length of {value} at {time}",
    "products_held": "The number of products held ({value})",
    "event_type": 'The event "{value}" at {time}',
    "transaction_type": 'The transaction type "{value}" at {time}',
    "device": 'A device known as "{value}", used at {time},',
    "network": 'A network of the kind "{value}", used at {time},',
    "country": 'The country "{value}", seen from the customer\'s, at {time}',
    "channel": 'The channel "{value}" at {time}',
    "operating_system": 'The operating system "{value}" at {time}',
    "segment": 'The customer segment "{value}"',
}
"""What a reason is about, for each feature."""
EVENT = "What happened at {time}"


def reason_templates() -> dict[str, Any]:
    """The key `reasons` of the schema: a template for each feature and for whole events, in both directions."""
    of_features = [
        {"feature": feature, "direction": direction, "text": f"{subject} {ending}."}
        for feature, subject in SUBJECTS.items()
        for direction, ending in ENDINGS.items()
    ]
    of_events = [
        {"direction": direction, "text": f"{EVENT} {ending}."} for direction, ending in ENDINGS.items()
    ]
    return {"version": VERSION, "templates": of_features + of_events}
