"""What `--store` may be."""

from __future__ import annotations

from pathlib import Path

import pytest
from sequela.adapters.store import location
from sequela.adapters.store.location import (
    InFile,
    InMemory,
    InRedis,
    StoreLocation,
    default_path,
    parse_location,
)
from sequela.command_line import read_settings
from sequela.errors import Unavailable


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQUELA_STORE")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (InMemory(), "memory"),
        (InFile(Path("/var/lib/store.db")), "/var/lib/store.db"),
        (InRedis("redis://user:secret@cache.example:6380/2"), "redis://cache.example:6380/2"),
        (InRedis("redis+sentinel://:secret@a:1,b:2/main?password=x"), "redis+sentinel://a:1,b:2/main"),
    ],
)
def test_what_the_log_says_of_it(place: StoreLocation, text: str) -> None:
    """Neither a user nor a password."""
    assert location.location_text(place) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory:", InMemory()),
        ("memory", InMemory()),
        (":memory:", InMemory()),
        ("sqlite::memory:", InMemory()),
        ("store.db", InFile(Path("store.db"))),
        ("/var/lib/store.db", InFile(Path("/var/lib/store.db"))),
        ("sqlite:/var/lib/store.db", InFile(Path("/var/lib/store.db"))),
        ("sqlite:a:b.db", InFile(Path("a:b.db"))),
        ("./redis:6379", InFile(Path("redis:6379"))),
        ("redis", InFile(Path("redis"))),
        ("~/store.db", InFile(Path.home() / "store.db")),
        *(
            (url, InRedis(url))
            for url in (
                "redis://localhost:6379/0",
                "rediss://u:p@h",
                "unix:///run/redis.sock",
                "redis+sentinel://a,b/s",
                "rediss+cluster://a",
                "CLUSTER://a",
            )
        ),
    ],
)
def test_each_form_is_known(text: str, expected: StoreLocation) -> None:
    """By the option and by the variable."""
    assert parse_location(text) == expected
    assert read_settings(["--store", text]).store_location == expected


def test_the_default_is_in_the_folder_for_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the user, or where the environment says."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert read_settings([]).store_location == InFile(tmp_path / "sequela" / "store.db")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path().is_relative_to(tmp_path)


def test_without_a_home_folder_the_store_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than a folder called `~` somewhere. The settings alone can be read all the same."""
    monkeypatch.setattr(location, "user_state_path", lambda *_, **__: Path("~/.local/state/sequela"))
    settings = read_settings([])
    with pytest.raises(Unavailable, match="no home folder; name a file or Redis with --store"):
        _ = settings.store_location
    assert read_settings(["--store", "memory:"]).store_location == InMemory()


def test_the_earlier_name_is_still_read() -> None:
    """If the new one is not set."""
    assert read_settings(["--redis-url", "redis://a"]).store_location == InRedis("redis://a")
    both = read_settings(["--redis-url", "redis://a", "--store", "memory:"])
    assert both.store_location == InMemory()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--store", "http://user:secret@host"], "must be memory:, a path, sqlite:PATH, or a URL of Redis"),
        (["--store", "sqlite:"], "must be memory:, a path, sqlite:PATH, or a URL of Redis"),
        (["--store", "redis:6379"], "must be memory:, a path, sqlite:PATH, or a URL of Redis"),
        (
            ["--store", "valkey://host?password=secret"],
            "must be memory:, a path, sqlite:PATH, or a URL of Redis",
        ),
        (["--store", "rediss:/secret@host"], "must be memory:, a path, sqlite:PATH, or a URL of Redis"),
        (["--redis-url", "store.db"], "must be a URL of Redis; use --store for a file"),
    ],
)
def test_other_forms_are_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each option by its own message."""
    with pytest.raises(SystemExit) as error:
        read_settings(arguments)
    assert error.value.code == 2
    printed = capsys.readouterr().err
    assert "secret" not in printed
    assert f"{arguments[0]} (SEQUELA_{arguments[0][2:].upper().replace('-', '_')}): {said}" in printed
