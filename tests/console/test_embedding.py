"""The panel of one alert in the frame of a case tool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from console.filled_serving import filled_serving
from console.running_console import running_console
from sequela_client.errors import CallerError
from sequela_console.server import ConsoleServer
from sequela_console.sessions import embed_keys
from waiting import PATIENCE, eventually

ORIGIN = "https://cases.example"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with (
        filled_serving() as service,
        running_console(service, tmp_path_factory.mktemp("embed"), embed_origins=(ORIGIN,)) as running,
    ):
        eventually(lambda: len(alerts(running)) == 4)
        yield running


def alerts(console: ConsoleServer) -> list[str]:
    return [each["id"] for each in httpx.get(f"{console.url}/api/alerts", timeout=PATIENCE).json()["alerts"]]


def opened(console: ConsoleServer, alert: str, key: str) -> httpx.Response:
    headers = {"Authorization": f"Embed {key}"}
    return httpx.get(f"{console.url}/api/embed/{alert}", headers=headers, timeout=PATIENCE)


def key_of(console: ConsoleServer, alert: str) -> str:
    link = httpx.post(f"{console.url}/api/alerts/{alert}/embed-link", timeout=PATIENCE).json()["url"]
    address, _, key = link.partition("#")
    assert address == f"{console.url}/embed/alerts/{alert}"
    return str(key)


def test_a_key_opens_its_alert_and_no_other(console: ConsoleServer) -> None:
    one, other = alerts(console)[:2]
    key = key_of(console, one)
    document = opened(console, one, key).json()
    assert document["id"] == one
    assert not document["capabilities"]["explain"]["ok"]
    assert opened(console, other, key).status_code == 401
    content, _, signature = key.partition(".")
    forged = key_of(console, other).partition(".")[0]
    for wrong in ("x", f"{forged}.{signature}", f"{content}.", f"{content}.AAAA", "."):
        found = opened(console, one, wrong)
        assert found.status_code == 401, wrong
        assert found.json()["error"]["reason"] == "EMBED_KEY_REFUSED"
    assert (
        httpx.get(f"{console.url}/api/embed/{one}", timeout=PATIENCE).json()["error"]["reason"]
        == "EMBED_KEY_MISSING"
    )


def test_a_key_expires(console: ConsoleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = alerts(console)[0]
    monkeypatch.setattr(embed_keys, "LIFETIME_SECONDS", -1.0)
    found = opened(console, alert, key_of(console, alert))
    assert found.status_code == 401
    assert "expired" in found.json()["error"]["message"]


def test_only_the_named_sites_may_show_it(console: ConsoleServer) -> None:
    panel = httpx.get(f"{console.url}/embed/alerts/x", timeout=PATIENCE).headers
    assert panel["content-security-policy"].endswith(f"frame-ancestors {ORIGIN}")
    assert "x-frame-options" not in panel
    page = httpx.get(f"{console.url}/alerts", timeout=PATIENCE).headers
    assert page["content-security-policy"].endswith("frame-ancestors 'none'")
    assert page["x-frame-options"] == "DENY"


def test_the_secret_is_kept_and_private(console: ConsoleServer, tmp_path: Path) -> None:
    """A restart does not make links invalid."""
    folder = console.console.settings.state_folder
    assert (folder / "embed.key").stat().st_mode & 0o777 == 0o600
    again = embed_keys.EmbedKeys.from_folder(folder)
    alert = alerts(console)[0]
    assert again.check(key_of(console, alert), alert) == ("", False)
    assert embed_keys.EmbedKeys.from_folder(tmp_path).secret != again.secret


def test_half_a_secret_is_refused(tmp_path: Path) -> None:
    """With an empty one, everybody could make keys."""
    for content in (b"", b"half of it"):
        (tmp_path / "embed.key").write_bytes(content)
        with pytest.raises(CallerError, match=r"embed\.key does not hold the 32 bytes"):
            embed_keys.EmbedKeys.from_folder(tmp_path)
    (tmp_path / "embed.key").unlink()
    assert len(embed_keys.EmbedKeys.from_folder(tmp_path).secret) == 32
    assert [each.name for each in tmp_path.iterdir()] == ["embed.key"]
