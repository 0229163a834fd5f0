"""The study of what guarding costs: its files are what a server reads, and its table compares with the first row."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from sequela.access.token_file import TokenFile
from sequela.api.tls import TlsFiles

from benchmarks.access import SETTINGS, TOKEN, AccessRow, access_table, write_credentials


def test_the_files(tmp_path: Path) -> None:
    """Every path that a setting names is written, but for those that the server makes."""
    write_credentials(tmp_path)
    assert TokenFile.parse((tmp_path / "tokens.txt").read_text()).caller(TOKEN).name == "benchmark"
    TlsFiles(tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "ca.pem").read()
    named = {each for row in SETTINGS for each in (*row.server, *row.client.values()) if "{folder}" in each}
    made = {"audit.log", "store.db"}
    for each in named:
        path = Path(each.removeprefix("sqlite:").format(folder=tmp_path))
        assert path.exists() != (path.name in made)


def test_the_table() -> None:
    """Medians, and differences to the first row."""
    rows = [
        AccessRow("plain", (10.0, 20.0, 30.0), (0.1, 0.1, 0.1), (0.001, 0.002, 0.003), 0),
        AccessRow("TLS", (19.0, 18.0, 17.0), (0.1, 0.1, 0.1), (0.001, 0.002, 0.003), 2),
    ]
    console = Console(width=130)
    with console.capture() as shown:
        console.print(access_table(rows, 2))
    for each in ("20.0", "10.0-30.0", "+0.0%", "18.0", "17.0-19.0", "-10.0%"):
        assert each in shown.get()
