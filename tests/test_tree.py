"""What may be committed."""

from __future__ import annotations

import pytest

from scripts.check_tree import MAX_FIXTURE, MAX_MODULE, Tracked, breaches, tracked


@pytest.mark.parametrize("place", ["home/ann/code", "tmp/out", "opt/wheels", "Users/ann"])
def test_a_path_of_one_machine_is_named(place: str) -> None:
    """With its line."""
    text = f"first\nmodel = '/{place}/model.onnx'\n"
    assert "a.py:2" in next(breaches(Tracked("a.py", text.encode())))


def test_other_paths_are_not() -> None:
    """Those of an image, of the standard, or inside the tree."""
    text = b"/proc/cpuinfo, tests/tmp/a, https://semver.org/tmp/x, ~/.cache/x"
    assert list(breaches(Tracked("a.md", text))) == []


def test_sizes_have_a_limit() -> None:
    """Lines of a module, bytes of a fixture; one less is fine."""
    assert len(list(breaches(Tracked("a.py", b"\n" * (MAX_MODULE + 1))))) == 1
    assert list(breaches(Tracked("a.py", b"\n" * MAX_MODULE))) == []
    fixture = "tests/fixtures/models/a/1/model.onnx"
    assert len(list(breaches(Tracked(fixture, b"\0" * (MAX_FIXTURE + 1))))) == 1
    assert list(breaches(Tracked(fixture, b"\0" * MAX_FIXTURE))) == []


def test_the_tree_is_listed() -> None:
    """A list that came out empty would let everything pass."""
    assert {"pyproject.toml", "tests/test_tree.py"} <= {file.name for file in tracked()}
