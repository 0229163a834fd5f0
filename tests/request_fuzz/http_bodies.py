"""Changes of JSON by its structure, of its encoding, and of its bytes."""

from __future__ import annotations

import json
import random
from typing import Any

from request_fuzz.values import COUNTS, SPLICES, TEXTS, splice

ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig", "utf-7")
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, -(2**63) - 1, 2**64, 2**70, 10**400, 1e308, -0.0),
    *(float("nan"), float("inf"), "\ud800", "a\udfff", [], {}, [[]], [[[]]], [None], {"": None}),
    *TEXTS,
)
DEEP = (b"[" * 100_000, b'{"a":' * 30_000, b"[" * 2_000 + b"]" * 2_000)
KEYS = ("", "\ud800", "x" * 300, "instances", "inputs", "parameters", "\x00", "__proto__")
MAX_ELEMENTS = 20_000


def body(valid: Any, rng: random.Random) -> bytes:
    """Returns a body: a valid one, changed in its structure, its text, its encoding or its bytes."""
    if valid is None:
        return b"" if rng.random() < 0.7 else rng.choice((b"{}", b"x" * 1_000, *DEEP))
    if rng.random() < 0.02:
        return rng.choice(DEEP)
    content = valid
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        content = _changed(content, rng)
    text = json.dumps(content, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.1:
        text = _keys_twice(text, rng)
    encoding = rng.choice(ENCODINGS) if rng.random() < 0.12 else "utf-8"
    return _damaged(text.encode(encoding, "surrogatepass" if encoding != "utf-7" else "replace"), rng)


def _damaged(content: bytes, rng: random.Random) -> bytes:
    what = rng.random()
    if what < 0.08:
        return content[: rng.randrange(len(content) + 1)]
    if what < 0.13:
        return content + rng.choice((content, b"{}", b"\x00", b" " * 5_000))
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        content = splice(content, rng.choice(SPLICES), rng)
    return content


def _keys_twice(text: str, rng: random.Random) -> str:
    """Says some key twice, as JSON allows."""
    return text.replace('{"', '{"' + rng.choice(("inputs", "instances", "name", "seed")) + '": 1, "', 1)


def _changed(content: Any, rng: random.Random) -> Any:
    """Returns the same JSON with one value, key or element replaced, left out or repeated."""
    if isinstance(content, dict) and content and rng.random() < 0.9:
        return _changed_object(content, rng)
    if isinstance(content, list) and content and rng.random() < 0.9:
        return _changed_array(content, rng)
    return rng.choice(STRANGE)


def _changed_object(content: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    key, what = rng.choice(list(content)), rng.random()
    if what < 0.12:
        return {**content, rng.choice(KEYS): rng.choice(STRANGE)}
    if what < 0.22:
        return {name: value for name, value in content.items() if name != key}
    if what < 0.25:
        return {**content, **{f"{key}{number}": content[key] for number in range(rng.choice((3, 70)))}}
    return {**content, key: _changed(content[key], rng)}


def _changed_array(content: list[Any], rng: random.Random) -> list[Any]:
    place, what = rng.randrange(len(content)), rng.random()
    if what < 0.1:
        return content[:place] + content[place + 1 :]
    if what < 0.25:
        elements = max(len(str(content[place])) // 4, 1)
        return content + [content[place]] * min(rng.choice(COUNTS), MAX_ELEMENTS // elements)
    return [*content[:place], _changed(content[place], rng), *content[place + 1 :]]
