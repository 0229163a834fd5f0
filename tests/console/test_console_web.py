"""scripts/console_web.py: it finds a stale bundle, an open lock file, and a type checker that sees nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from scripts import console_web
from scripts.console_web import Problem

END = "1 COMPLETED 5 FILES 1 ERRORS 0 WARNINGS 1 FILES_WITH_PROBLEMS"


def test_bundles_are_compared_byte_for_byte(tmp_path: Path) -> None:
    committed, built = tmp_path / "committed", tmp_path / "built"
    for folder in (committed, built):
        (folder / "assets").mkdir(parents=True)
        (folder / "index.html").write_text("the same")
    assert console_web.differences(committed, built) == []
    (committed / "assets" / "old.js").write_text("")
    (built / "assets" / "new.js").write_text("")
    (built / "index.html").write_text("the same\n")
    assert console_web.differences(committed, built) == [
        "assets/new.js is missing",
        "assets/old.js is no longer built",
        "index.html differs",
    ]


def test_the_lock_file_has_digests_and_no_hosts() -> None:
    console_web.check_lock()
    packages = {
        "": {},
        "node_modules/a": {"integrity": "sha1-x"},
        "node_modules/b": {"integrity": "sha512-x", "resolved": "https://mirror.example/b.tgz"},
    }
    assert list(console_web.unlocked(packages)) == [
        "node_modules/a has no sha512 digest",
        "node_modules/b names the host it came from",
    ]


def error(file: str) -> str:
    start = {"line": 3, "character": 0}
    return "1 " + json.dumps({"type": "ERROR", "filename": file, "start": start, "message": "is wrong"})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["src/WrongProperty.svelte", "src/wrong_number.ts"], None),
        (["src/WrongProperty.svelte"], "did not find the mistakes made on purpose in src/wrong_number.ts"),
        ([], "did not find the mistakes made on purpose"),
        (
            ["src/WrongProperty.svelte", "src/wrong_number.ts", "src/main.ts"],
            "clients/console/web/src/main.ts:4: is wrong",
        ),
    ],
)
def test_the_type_checker_must_find_mistakes(
    found: list[str], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mistakes are in src while it runs, and gone afterwards, whatever it finds."""
    answer_with(monkeypatch, "\n".join([*map(error, found), END]))
    if said is None:
        console_web.check_types()
    else:
        with pytest.raises(Problem, match=said):
            console_web.check_types()
    assert not (console_web.WEB / "src" / "wrong_number.ts").exists()


def test_a_type_checker_that_breaks_off_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, error("src/wrong_number.ts"))
    with pytest.raises(Problem, match="did not finish"):
        console_web.check_types()


def answer_with(monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """Has svelte-check print this; the mistakes made on purpose must be there meanwhile."""

    class Done:
        stdout, stderr, returncode = output, "", 1

    def answer(*_: str) -> Done:
        assert (console_web.WEB / "src" / "WrongProperty.svelte").exists()
        return Done()

    monkeypatch.setattr(console_web, "npm", answer)


@pytest.mark.slow
@pytest.mark.parametrize("script", console_web.BUNDLES)
def test_the_bundle_does_not_depend_on_the_machine(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built in another folder, with another time zone and language, it is the same; and it names no folder."""
    console_web.install()
    first, second = tmp_path / "first", tmp_path / "second"
    console_web.build(script, first)
    elsewhere = tmp_path / "deep" / "er" / "clients" / "console" / "web"
    shutil.copytree(console_web.WEB, elsewhere, symlinks=True, copy_function=os.link)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    build_in(elsewhere, script, second)
    assert console_web.differences(first, second) == []
    for content in console_web.contents(first).values():
        assert str(console_web.ROOT).encode() not in content


def build_in(web: Path, script: str, output: Path) -> None:
    done = console_web.npm(*("run", "-s", script, "--", "--outDir", str(output), "--emptyOutDir"), folder=web)
    assert done.returncode == 0, done.stderr
