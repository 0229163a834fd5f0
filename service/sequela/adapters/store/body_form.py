"""The content of a stored body: an explanation as it is sent, and the sequence that it explains.

The parts stand one after the other, behind a header with their lengths:

1. The explanation's content, in the bytes of `sequela.v1.Explanation` that are also sent.
2. The sequence, in bytes of `sequela.v1.Sequence`; without the notes on events if the explanation repeats them.
3. Levels that the contract does not have, which only a store holds: all names of levels, and the levels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from enum import IntFlag

from sequela.adapters.store.array_bytes import little_endian
from sequela.adapters.store.envelope import SkipReason, Unreadable
from sequela.contract.explanations import LEVELS
from sequela.contract.stored_parts import (
    level_bytes,
    read_content,
    read_level_bytes,
    read_sequence,
    sequence_bytes,
)
from sequela.explain.explanation import Explanation
from sequela.explain.kept_explanation import KeptSequence
from sequela.explain.request import EventInfo

_HEADER = struct.Struct("<BII")  # flags, and the lengths of the first two parts
_LENGTH = struct.Struct("<I")
_IN_CONTRACT = frozenset(name for name, _ in LEVELS)


class _Flags(IntFlag):
    SEQUENCE = 1  # the sequence was kept
    NOTES_IN_EXPLANATION = 2  # its notes are those of the explanation's event values


def pack_body(encoded: bytes, explanation: Explanation, sequence: KeptSequence | None) -> bytes:
    """Returns the content of a body. `encoded` is the explanation's content, as `contract.explanations` encodes it."""
    flags, packed = _Flags(0), b""
    if sequence is not None:
        flags |= _Flags.SEQUENCE
        if sequence.events and sequence.events == _notes(explanation):
            flags |= _Flags.NOTES_IN_EXPLANATION
            sequence = replace(sequence, events=())
        packed = sequence_bytes(_storable(sequence))
    header = _HEADER.pack(flags, len(encoded), len(packed))
    return b"".join((header, encoded, packed, *_other_levels(explanation)))


def unpack_body(body: bytes) -> tuple[Explanation, KeptSequence | None]:
    """Returns the explanation, without what belongs to its request, and its sequence. Raises Unreadable."""
    try:
        flags, length, sequence_length = _HEADER.unpack_from(body)
        start = _HEADER.size + length
        end = start + sequence_length
        if end > len(body):
            raise ValueError(end)
        explanation = _with_other_levels(read_content(body[_HEADER.size : start]), body[end:])
        sequence = read_sequence(body[start:end]) if flags & _Flags.SEQUENCE else None
    except (ValueError, KeyError, struct.error) as error:
        raise Unreadable(SkipReason.DAMAGED) from error
    if sequence is not None and flags & _Flags.NOTES_IN_EXPLANATION:
        sequence = replace(sequence, events=_notes(explanation))
    return explanation, sequence


def _storable(sequence: KeptSequence) -> KeptSequence:
    inputs = (replace(each, array=little_endian(each.array)) for each in sequence.inputs)
    return replace(sequence, inputs=tuple(inputs))


def _notes(explanation: Explanation) -> tuple[EventInfo, ...]:
    """Returns the notes that the event values repeat: those on all events, or none."""
    return tuple(each.info for each in explanation.event_values if each.info is not None)


def _other_levels(explanation: Explanation) -> Iterator[bytes]:
    """Yields all names of levels, and the levels that the contract does not have; nothing if it has all."""
    others = [level for name, level in explanation.levels.items() if name not in _IN_CONTRACT]
    if not others and _IN_CONTRACT.issuperset(explanation.options.levels):
        return
    names = (explanation.options.levels, explanation.levels)
    for part in (*("\n".join(each).encode() for each in names), *map(level_bytes, others)):
        yield _LENGTH.pack(len(part)) + part


def _with_other_levels(explanation: Explanation, packed: bytes) -> Explanation:
    if not packed:
        return explanation
    asked, answered, *others = _parts(packed)
    names = _names(answered)
    missing = (name for name in names if name not in _IN_CONTRACT)
    levels = {**explanation.levels, **dict(zip(missing, map(read_level_bytes, others), strict=True))}
    options = replace(explanation.options, levels=_names(asked))
    # In the order of the registry, as they were.
    return replace(explanation, levels={name: levels[name] for name in names}, options=options)


def _names(packed: bytes) -> tuple[str, ...]:
    return tuple(packed.decode().split("\n")) if packed else ()


def _parts(packed: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(packed):
        (size,) = _LENGTH.unpack_from(packed, start)
        start += _LENGTH.size + size
        yield packed[start - size : start]
