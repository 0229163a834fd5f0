"""What scripts/structure.py counts, on a tree made up for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.structure import FORBIDDEN, ROOT, is_participle, longest, measures, misleading, read

QUEUE = '''"""A module: not counted as code."""

import os  # noqa: F401


class Line:
    """Three words here."""

    # One comment.
    def push(self, item: int, *rest: int, last: bool = False) -> int:
        """Two words."""
        if last:  # and another
            return item
        return 0

    @staticmethod
    def _pop(a: int) -> int:
        return a
'''
PORT = '''"""A port."""


class Store(Protocol):
    """It."""

    a: int

    def b(self): ...
    async def c(self): ...
    def d(self): ...
    def e(self): ...
    def f(self): ...
    def g(self): ...
    def _h(self): ...
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Packages of a service and a client, and a test."""
    for name, text in {
        "service/shop/queue.py": QUEUE,
        "service/shop/till/__init__.py": '"""Only a docstring."""\n',
        "service/shop/till/opening.py": PORT,
        "service/shop/till/deep/line.py": "class Line:\n    x = 1\n",
        "clients/python/buyer/line.py": "class Line:\n    x = 1\n",
        "clients/python/buyer/cart.py": "def add() -> None: ...\n",
        "tests/test_shop.py": "class Line:\n    x = 1\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_sizes_are_counted(tree: Path) -> None:
    """Of the module above: 9 lines of code, 2 with a comment that is none of a linter's."""
    (queue,) = [m for m in read(tree) if m.name == "shop.queue"]
    assert (queue.lines, queue.code_lines, queue.comment_lines) == (18, 9, 2)
    push, pop = queue.functions.values()
    assert (push.name, push.public, push.lines, push.parameters) == ("Line.push", True, 4, 3)
    assert (pop.name, pop.public, pop.lines, pop.parameters) == ("Line._pop", False, 2, 1)
    counted = measures([queue])
    assert counted["docstring_words"] == {"median": 3, "p90": 3, "max": 3}
    assert (counted["documented_percent"], counted["comment_percent"]) == (100.0, 22.2)


def test_packages_are_told_apart(tree: Path) -> None:
    """By the two outermost names; what holds no code is no module, tests are no product."""
    modules = list(read(tree))
    assert {m.package for m in modules} == {"shop", "shop.till", "buyer"}
    assert (measures(modules)["modules"], measures(modules)["functions"]) == (5, 10)
    assert longest(modules)["longest_modules"][0] == "shop.queue 18"


def test_misleading_names_are_found(tree: Path) -> None:
    """A class of the client may be called as one of the service is."""
    assert misleading(list(read(tree))) == {
        "shadow_the_standard_library": ["shop.queue"],
        "participle_modules": ["shop.till.opening"],
        "participle_classes": [],
        "repeated_classes": ["Line: shop.queue, shop.till.deep.line"],
        "large_ports": ["shop.till.opening:Store 7"],
        "one_function": ["buyer.cart"],
    }


def test_the_last_word_makes_a_participle() -> None:
    """Unless it is a noun of the trade."""
    for name in ("reading", "from_asking", "_Followed", "HTTPServing"):
        assert is_participle(name), name
    for name in ("named_models", "pruning", "NamedPadding", "kept", "_"):
        assert not is_participle(name), name


@pytest.mark.slow
def test_no_name_of_the_product_misleads() -> None:
    """What `make lint` checks with `--check`."""
    found = misleading(list(read(ROOT)))
    assert [name for rule in FORBIDDEN for name in found[rule]] == []
