"""The displayed values of events, attribute by attribute: numbers, or words by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray
from pyarrow import compute
from sequela_client.errors import CallerError

from sequela_console.cohort_files.feature_schema import CohortFeatureInfo

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"


class AttributeValues:
    """The values of all attributes. Numeric ones are held as numbers, all others as words, each word once.

    Args:
        features: the attributes, in the order of the displayed values.
    """

    def __init__(self, features: tuple[CohortFeatureInfo, ...]) -> None:
        self.features = features
        self._words: list[dict[str, int]] = [{} for _ in features]
        self._parts: list[list[NDArray[Any]]] = [[] for _ in features]
        self._joined: list[NDArray[Any]] | None = None

    def add(
        self, batch: Any, place_of_t: Callable[[Numbers, Numbers], Numbers], shown: NDArray[np.bool_]
    ) -> None:
        """Adds the values of the events of a batch that are shown.

        Args:
            batch: rows with the column `event_values`.
            place_of_t: gives the place of an event in an array of rows × steps, from its row and t.
            shown: for each row and step, whether the event is shown.
        """
        column = batch["event_values"]
        lengths = np.asarray(compute.fill_null(compute.list_value_length(column), 0), dtype=np.int64)
        events = column.flatten()
        rows = np.repeat(np.arange(len(column)), lengths)
        places = place_of_t(rows, events.field("t").to_numpy(zero_copy_only=False))
        encoded = self._encoded(events)
        for position in range(len(self.features)):
            self._parts[position].append(self._chosen(position, encoded, places, shown))

    def _encoded(self, events: Any) -> tuple[Any, Numbers]:
        """Returns the different texts of a batch, and their numbers as an array of events × attributes."""
        lists = events.field("values")
        lengths = np.asarray(compute.fill_null(compute.list_value_length(lists), -1))
        if (lengths != len(self.features)).any():
            raise CallerError("the files are damaged: an event has not one displayed value for each feature")
        texts = lists.flatten().dictionary_encode()
        codes = np.asarray(compute.fill_null(texts.indices.cast(arrow.int64()), -1), dtype=np.int64)
        return texts.dictionary, codes.reshape(-1, len(self.features)) if len(self.features) else codes

    def _chosen(
        self, position: int, encoded: tuple[Any, Numbers], places: Numbers, shown: NDArray[np.bool_]
    ) -> NDArray[Any]:
        texts, codes = encoded
        here = codes[:, position]
        values: NDArray[Any]
        if self.features[position].kind == "numeric":
            values = np.append(parsed(texts), np.nan)[here]
            found = np.full(shown.size, np.nan)
        else:
            values = self._numbered(position, texts, here)
            found = np.full(shown.size, -1, np.int64)
        found[places[places >= 0]] = values[places >= 0]
        return found[shown.ravel()]

    def _numbered(self, position: int, texts: Any, here: Numbers) -> Numbers:
        words = self._words[position]
        used = np.unique(here[here >= 0])
        table = np.full(len(texts) + 1, -1, np.int64)
        for code, text in zip(used, texts.take(arrow.array(used)).to_pylist(), strict=True):
            if text:
                table[code] = words.setdefault(text, len(words))
        found: Numbers = table[here]
        return found

    def reorder(self, order: Numbers) -> None:
        """Puts the events into another order, after all of them were added."""
        self._joined = [
            np.concatenate([np.empty(0), *parts])[order] if parts else np.empty(0) for parts in self._parts
        ]
        self._parts.clear()

    def numbers(self, position: int) -> Floats:
        """Returns the values of a numeric attribute; NaN where there is none."""
        assert self._joined is not None
        return self._joined[position]

    def words(self, position: int) -> tuple[list[str], Numbers]:
        """Returns the words of an attribute, and for each event the number of its word; −1 where there is none."""
        assert self._joined is not None
        return list(self._words[position]), self._joined[position].astype(np.int64)


def parsed(texts: Any) -> Floats:
    """Returns displayed texts such as "2,109.27" as numbers; NaN for those that are none."""
    plain = compute.replace_substring(compute.replace_substring(texts, ",", ""), "−", "-")
    plain = compute.if_else(compute.match_substring_regex(plain, _NUMBER), plain, None)
    numbers: Floats = np.asarray(
        compute.fill_null(plain.cast(arrow.float64()), np.nan).to_numpy(zero_copy_only=False)
    )
    return numbers
