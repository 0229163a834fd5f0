"""Bars in the terminal: side, length, colour, plain characters."""

import io

from rich.console import Console
from sequela_client.cli.bars import LOWERS, RAISES, Bars


def test_sides_and_lengths() -> None:
    """Right raises, left lowers; the largest fills its side, all are as wide, and nothing is nothing."""
    bars = Bars(half=10, largest=2.0)
    assert bars.draw(2.0).plain == " " * 10 + "│" + "█" * 10
    assert bars.draw(-1.0).plain == " " * 5 + "█" * 5 + "│" + " " * 10
    assert bars.draw(0.0).plain == " " * 10 + "│" + " " * 10
    assert bars.draw(0.021).plain.count("█") == 1
    assert bars.draw(1e-9).plain.count("█") == 0


def test_colours_differ_by_side() -> None:
    """Each side has its colour, of a pair that colour-blind people tell apart."""
    bars = Bars(half=4, largest=1.0)
    assert RAISES in {str(span.style) for span in bars.draw(1.0).spans}
    assert LOWERS in {str(span.style) for span in bars.draw(-1.0).spans}


def test_only_a_terminal_is_coloured() -> None:
    """Escape codes go to terminals only."""
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
        console.print(Bars(4, 1.0).draw(1.0))
        assert isinstance(console.file, io.StringIO)
        assert ("\x1b" in console.file.getvalue()) is terminal


def test_plain_characters_where_there_are_no_blocks() -> None:
    """An encoding without blocks gets plain characters; a narrow terminal gets no bars."""
    plain = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=100)
    assert Bars.fitting(plain, [1.0]).draw(1.0).plain.strip() == "|" + "#" * 11
    assert Bars.fitting(Console(width=40), [1.0]).draw(1.0).plain == ""
