"""The file of a store: it survives, is guarded, and is never mistaken for another one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from adapters.store.record_samples import delete, listed, record, stored
from adapters.store.sqlite.files import database, execute, opened
from adapters.store.store_samples import Heard
from sequela.adapters.store.ports import StoreDown
from sequela.adapters.store.sqlite import store_file
from sequela.adapters.store.sqlite.schema import SCHEMA_VERSION
from sequela.adapters.store.sqlite.store import file_store
from sequela.adapters.store.sqlite.store_file import MAX_SPOILT_FILES, StoreUnusable, locking_mode
from sequela.adapters.store.sqlite.store_lock import StoreInUse
from sequela.explain.explanation_query import CallerSelector
from sequela.explain.telemetry import EntrySkipped, StoreState
from structlog.testing import capture_logs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder that does not exist yet."""
    return tmp_path / "state" / "sequela" / "store.db"


def test_a_folder(tmp_path: Path) -> None:
    """The message says so, and no lock file is made beside it."""
    folder = tmp_path / "data"
    folder.mkdir()
    with pytest.raises(StoreUnusable, match=r"data \(--store\) is a folder; name a file in it, such as"):
        file_store(folder)
    assert [each.name for each in tmp_path.iterdir()] == ["data"]
    assert list(folder.iterdir()) == []


def test_everything_survives_a_restart(path: Path) -> None:
    """Records with bodies and keys, values, sets, and what was deleted."""
    made, late = record(1), record(2, caller_id="a")
    with opened(path) as store:
        store.records.add(made, b"body", "key")
        store.values.put("value", b"x")
        store.index.add("set", "entry")
        delete(store.records, CallerSelector("a"))
    with opened(path) as store:
        assert store.records.get("explanations/e1") == store.records.answer("key") == stored(made, b"body")
        assert store.values.get("value") == b"x"
        assert store.index.page("set", "", 9) == ("entry",)
        store.records.add(late, b"", None)
        assert listed(store.records) == ["e1"]


def test_only_its_owner_may_read_the_folder(path: Path) -> None:
    """Which the store creates."""
    with opened(path):
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nobody_else_opens_the_file_of_a_version_with_the_bug(path: Path) -> None:
    """That of the write-ahead log, which takes two connections."""
    affected = [(3, 40, 1), (3, 44, 5), (3, 46, 0), (3, 50, 6), (3, 51, 2)]
    sound = [(3, 44, 6), (3, 44, 9), (3, 50, 7), (3, 51, 3), (3, 52, 0), (4, 0, 0)]
    assert {locking_mode(version) for version in affected} == {"EXCLUSIVE"}
    assert {locking_mode(version) for version in sound} == {"NORMAL"}
    with opened(path) as store:
        store.records.add(record(1), b"", None)
        if locking_mode(sqlite3.sqlite_version_info) == "EXCLUSIVE":
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                execute(path, "SELECT count(*) FROM record")
        else:
            assert execute(path, "SELECT count(*) FROM record") == [(1,)]
    assert execute(path, "PRAGMA journal_mode") == [("wal",)]


def test_a_second_server_is_told_whose_file_it_is(path: Path) -> None:
    """With the path, the process and the way out; afterwards the file is free."""
    with opened(path), pytest.raises(StoreInUse) as caught:
        file_store(path)
    assert all(word in str(caught.value) for word in (str(path), f"process {os.getpid()}", "--store"))
    with opened(path):
        pass


def test_a_link_leads_to_the_same_lock(path: Path) -> None:
    """To the file, or to its folder."""
    with opened(path):
        link, folder = path.parent.parent / "link.db", path.parent.parent / "folder"
        link.symlink_to(path)
        folder.symlink_to(path.parent)
        for other in (link, folder / path.name):
            with pytest.raises(StoreInUse, match="process"):
                file_store(other)
    with opened(link), pytest.raises(StoreInUse):
        file_store(path)


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """With the setting and the ways out."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    places = [Path("/proc/s.db"), tmp_path / "file" / "s.db", tmp_path, tmp_path / "circle" / "s.db"]
    for place in places:
        with pytest.raises(StoreUnusable) as caught:
            file_store(place)
        assert all(
            word in str(caught.value) for word in (f"the store {place}", "--store memory:", "another path")
        ), place


@pytest.mark.slow
def test_a_process_that_was_killed_leaves_no_lock(path: Path) -> None:
    """Though its number stays in the lock's file."""
    code = (
        "import sys, time; from pathlib import Path; from sequela.adapters.store.sqlite.store import file_store\n"
        "store = file_store(Path(sys.argv[1])); print('open', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env=environment
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreInUse, match=f"process {other.pid}"):
            file_store(path)
        other.kill()
        other.wait()
    with opened(path):
        pass


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    """The message says what to do."""
    with opened(path) as store:
        store.records.add(record(1), b"", None)
    execute(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    content = path.read_bytes()
    with pytest.raises(StoreUnusable, match=r"newer release \(format 2; .* up to 1\); upgrade"):
        file_store(path)
    assert path.read_bytes() == content
    execute(path, f"PRAGMA user_version = {SCHEMA_VERSION}")
    with opened(path) as store:
        assert listed(store.records) == ["e1"]


def test_the_file_of_another_program_is_left_alone(path: Path) -> None:
    """A database, or anything else."""
    path.parent.mkdir(parents=True)
    execute(path, "CREATE TABLE theirs (x)", "PRAGMA application_id = 7")
    for content in (path.read_bytes(), b"precious words", b"\0" * 9000):
        path.write_bytes(content)
        path.with_name("store.db.lock").unlink(missing_ok=True)
        with pytest.raises(StoreUnusable, match="choose another path for --store"):
            file_store(path)
        assert path.read_bytes() == content


def _spoil_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(os.urandom(path.stat().st_size // 3))


def _spoil_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("spoil", [_spoil_middle, _spoil_head, _cut])
def test_a_spoilt_file_is_moved_aside(path: Path, spoil: object) -> None:
    """The log says where; the server starts with an empty store; only a few such files are kept."""
    contents = []
    for _ in range(MAX_SPOILT_FILES + 2):
        with opened(path) as store:
            for number in range(10):
                store.records.add(record(number, body=os.urandom(9)), os.urandom(40_000), None)
        spoil(path)  # type: ignore[operator]
        contents.append(path.read_bytes())
        with capture_logs() as logged, opened(path) as store:
            assert listed(store.records) == []
            store.records.add(record(1), b"", None)
            assert listed(store.records) == ["e1"]
        (line,) = (line for line in logged if line["log_level"] == "error")
        assert line["event"] == "store damaged, a new one begun"
        assert Path(line["moved_to"]).read_bytes() == contents[-1]
        execute(path, "DELETE FROM record")
    kept = sorted(
        file for file in path.parent.glob("store.db.spoilt-*") if not file.name.endswith(("wal", "shm"))
    )
    assert [file.read_bytes() for file in kept] == contents[-MAX_SPOILT_FILES:]


def test_a_folder_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    """With the path in the error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable, match=r"file: .*--store memory:"):
        file_store(tmp_path / "file" / "store.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreUnusable, match=r"folder\.db.*--store memory:"):
        file_store(tmp_path / "folder.db")


def test_a_copy_of_a_stopped_server_is_a_backup(path: Path) -> None:
    """Also a copy by SQLite itself, as docs/operations.md says."""
    with opened(path) as store:
        store.records.add(record(1), b"body", None)
    assert not path.with_name("store.db-wal").exists()
    execute(path, f"VACUUM INTO '{path.with_name('copy.db')}'")
    shutil.copy(path, path.with_name("plain.db"))
    for copy in ("copy.db", "plain.db"):
        shutil.move(path.with_name(copy), path)
        with opened(path) as store:
            assert listed(store.records) == ["e1"]


def test_a_record_of_another_version_is_skipped_and_counted(path: Path) -> None:
    """It does not fail the list that it is in, and deletions remove it."""
    heard = Heard()
    with opened(path) as store:
        for number in range(5):
            store.records.add(record(number, caller_id="a"), b"", f"key {number}")
    # The fourth byte of an envelope is the version, the first two are the magic number.
    newer = "CAST(substr(data, 1, 3) || x'63' || substr(data, 5) AS BLOB)"
    execute(
        path,
        f"UPDATE record SET data = {newer} WHERE name LIKE '%e1'",
        "UPDATE record SET data = x'00ff' WHERE name LIKE '%e3'",
    )
    with opened(path, heard) as store, capture_logs() as logged:
        assert listed(store.records) == ["e4", "e2", "e0"]
        assert store.records.get("explanations/e1") is store.records.answer("key 3") is None
        reasons = [each.reason for each in heard.of(EntrySkipped)]  # type: ignore[attr-defined]
        assert reasons == ["foreign", "version", "version", "foreign"]
        assert [line["event"] for line in logged] == ["stored entry skipped"]  # once a minute
        assert delete(store.records, CallerSelector("a")) == 5
    assert execute(path, "SELECT count(*) FROM record") == [(0,)]


def test_a_full_disk_fails_writes_and_then_heals(path: Path) -> None:
    """SQLite's own error for it. Reads go on, the observer hears of it once, and nothing half is stored."""
    heard = Heard()
    with opened(path, heard) as store:
        store.records.add(record(0), b"body", None)
        connection = database(store)._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        for limit in (f"PRAGMA max_page_count = {pages}", "PRAGMA query_only = ON"):
            connection.execute(limit)
            for _ in range(3):
                with pytest.raises(StoreDown, match="cannot be read or written"):
                    store.records.add(record(1, body=b"large"), bytes(100_000), "key")
            assert "e1" not in listed(store.records)
            connection.execute("PRAGMA max_page_count = 1000000")
            connection.execute("PRAGMA query_only = OFF")
            store.records.add(record(2), b"body", "key")
        assert listed(store.records) == ["e2", "e0"]
        states = [(each.up, each.detail) for each in heard.of(StoreState)]  # type: ignore[attr-defined]
        assert [up for up, _ in states] == [True, False, True, False, True]
        assert "full" in states[1][1]
        assert "readonly" in states[3][1]
        bodies = connection.execute("SELECT count(*) FROM body").fetchone()
    assert bodies == (1,)


@pytest.mark.slow
def test_the_check_at_the_start_ends_in_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is used though it was not checked to its end, and the log says so."""
    with opened(path) as store:
        for number in range(20):
            store.records.add(record(number, body=os.urandom(9)), os.urandom(200_000), None)
    monkeypatch.setattr(store_file, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(store_file, "_PROGRESS_STEPS", 100)
    start = time.monotonic()
    with capture_logs() as logged, opened(path) as store:
        assert time.monotonic() - start < 20
        assert len(listed(store.records)) == 20
    assert [line["event"] for line in logged] == ["store check not complete"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permissions of this kind")
def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Also in a folder that others may read: it holds what callers sent."""
    tmp_path.chmod(0o755)
    with opened(tmp_path / "store.db") as store:
        store.values.put("value", b"x")
        modes = {each.name: each.stat().st_mode & 0o077 for each in tmp_path.glob("store.db*")}
    assert set(modes) >= {"store.db"}
    assert modes == dict.fromkeys(modes, 0)
    (tmp_path / "store.db").write_bytes(b"damaged" * 1000)
    (tmp_path / "store.db").chmod(0o644)
    with opened(tmp_path / "store.db"):
        (moved,) = tmp_path.glob("store.db.spoilt-*")
        assert moved.stat().st_mode & 0o077 == 0
