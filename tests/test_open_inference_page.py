"""docs/open_inference.md names every parameter that requests by these protocols take."""

from __future__ import annotations

import re

from documents import ROOT
from sequela.api.inference.parameters import OTHERS
from sequela.explain.options import RULES

PAGE = (ROOT / "docs" / "open_inference.md").read_text()


def test_the_page_names_every_parameter() -> None:
    """The list under "Parameters" has all options and the parameters that are not options, and no other name."""
    listed = PAGE.split("## Parameters")[1].split("Numbers may be sent")[0]
    names = re.findall(r"`([a-z_]+)`", listed)
    assert names == [*dict.fromkeys(names)]
    assert set(names) == {*RULES, *OTHERS}
