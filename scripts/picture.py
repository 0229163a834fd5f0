"""Draws docs/demo.svg, the README's picture: what `sequela demo` prints."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 104


def main() -> None:
    """Runs the demo and saves its output as a picture that needs no fonts from elsewhere."""
    command = [str(Path(sys.executable).parent / "sequela"), "demo"]
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    shown = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown))
    picture = console.export_svg(title="sequela demo", unique_id="sequela")
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    picture = picture.replace("Fira Code, monospace", "ui-monospace, monospace")
    (ROOT / "docs" / "demo.svg").write_text(picture)


if __name__ == "__main__":
    main()
