"""A server of an imagined next release, which writes bodies of explanations in a new version and reads earlier ones.

Tests run it as a program, with the arguments of `sequela`.
"""

from __future__ import annotations

import dataclasses
import sys

from sequela.adapters.store import body_form, serialization
from sequela.adapters.store.envelope import BODY
from sequela.main import main

NEW_BYTE = b"\xff"  # no body of this release begins with it


def write_new_bodies() -> None:
    """Lets this process write bodies of the next version."""

    def pack(*given: object) -> bytes:
        return NEW_BYTE + body_form.pack_body(*given)  # type: ignore[arg-type]

    def unpack(body: bytes) -> object:
        return body_form.unpack_body(body.removeprefix(NEW_BYTE))

    serialization.BODY = dataclasses.replace(BODY, version=BODY.version + 1)
    serialization.pack_body, serialization.unpack_body = pack, unpack  # type: ignore[assignment]


if __name__ == "__main__":
    write_new_bodies()
    sys.exit(main())
