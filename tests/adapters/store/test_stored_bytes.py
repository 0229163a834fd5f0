"""What is stored comes back the same, bit for bit; what is damaged does not come back."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import pickle
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from adapters.store.store_samples import background, explanation, kept_sequence, record_of
from hypothesis import given, settings
from hypothesis import strategies as st
from sequela.adapters.store.envelope import BACKGROUND, BODY, RECORD, SkipReason, Unreadable, seal, unseal
from sequela.adapters.store.ports import StoredRecord
from sequela.adapters.store.serialization import (
    decode_background,
    decode_body,
    decode_record,
    encode_background,
    encode_body,
    encode_record,
)
from sequela.adapters.store.zstandard import ZstdError, compress, decompress, dictionary
from sequela.contract.explanations import answer_bytes, content_bytes
from sequela.contract.explanations import explanation as encoded
from sequela.explain.explanation import Cost, EventValues, Explanation
from sequela.explain.kept_explanation import EncodedExplanation, KeptSequence
from sequela_proto.v1 import sequela_pb2 as pb
from sweeps import examples

WHEN = datetime(2027, 1, 1, tzinfo=UTC)


def through(made: Explanation) -> Explanation:
    """An explanation as it is read back."""
    record, body = decode_record(encode_record(record_of(made))), encode_body(made, kept_sequence())
    return decode_body(StoredRecord(record, body.data)).explanation


def test_an_explanation_comes_back_equal() -> None:
    """Every field, with its type: enums, tuples, times with microseconds, the largest seed, infinity, minus zero."""
    for made in (
        explanation(1),
        explanation(2, players=200, labels={"k": "v\u2028\U0001f600"}, cut_short=True),
    ):
        back = through(made)
        assert back == made
        assert repr(back).replace("TzInfo(0)", "datetime.timezone.utc") == repr(made).replace(
            "TzInfo(0)", "datetime.timezone.utc"
        )
        assert math.copysign(1, back.targets[0].score) == -1


def test_a_record_comes_back_equal() -> None:
    """Every field, with its type."""
    labels = {"k": "v\u2028"}
    made = record_of(explanation(1, caller_id="\x00", labels=labels, requested_by="jwt:anna"), "f" * 64)
    assert decode_record(encode_record(made)) == made


def test_records_of_older_releases_name_no_caller() -> None:
    """They do not have the field. The body has nothing of the caller, so that equal content is stored once."""
    made = record_of(explanation(1, requested_by="anna"), "f" * 64)
    told = json.loads(unseal(RECORD, encode_record(made)))
    assert told["summary"].pop("requested_by") == "anna"
    older = dataclasses.replace(made.summary, requested_by="")
    assert decode_record(seal(RECORD, json.dumps(told).encode())).summary == older
    bodies = {encode_body(explanation(1, requested_by=name), None).digest for name in ("", "anna", "bert")}
    assert len(bodies) == 1


def test_a_body_of_the_first_version_is_read() -> None:
    """The file was written by a release that stored explanations as JSON. Nothing of it is lost."""
    made, sequence = dataclasses.replace(explanation(1), method_version="3"), kept_sequence()
    old = Path(__file__).with_name("body_of_version_1").read_bytes()
    back = decode_body(StoredRecord(record_of(made), old))
    assert back.explanation == made
    assert_same(back.sequence, sequence)


@pytest.mark.parametrize("events", [0, 1, 4])
def test_a_sequence_comes_back_equal(events: int) -> None:
    """Its arrays with their types and bits, its columns, and the notes on its events.

    Notes that the explanation repeats are stored once, and come back with the sequence all the same.
    """
    sequence = kept_sequence(events)
    repeated = tuple(EventValues(n - events, (), info) for n, info in enumerate(sequence.events))
    for made in (explanation(1), dataclasses.replace(explanation(1), event_values=repeated)):
        body = encode_body(made, sequence)
        back = decode_body(StoredRecord(record_of(made), body.data))
        assert back.explanation == made
        assert_same(back.sequence, sequence)
    assert decode_body(StoredRecord(record_of(made), encode_body(made, None).data)).sequence is None


def test_the_stored_content_is_what_is_sent() -> None:
    """The bytes of an answer are those in the store, followed by what belongs to the request."""
    made = explanation(1, caller_id="alert 4711", labels={"team": "ato-team"})
    content = content_bytes(made)
    assert content in unseal(BODY, encode_body(made, kept_sequence(), content).data)
    sent = answer_bytes(EncodedExplanation(made, content))
    assert sent.startswith(content)
    assert pb.Explanation.FromString(sent) == encoded(made)
    assert answer_bytes(EncodedExplanation(made)) == sent


def assert_same(found: KeptSequence | None, wanted: KeptSequence) -> None:
    """Two sequences are equal bit for bit."""
    assert found is not None
    assert found.events == wanted.events
    for one, other in zip(found.inputs, wanted.inputs, strict=True):
        assert (one.name, one.columns) == (other.name, other.columns)
        assert (one.array.dtype, one.array.shape) == (other.array.dtype, other.array.shape)
        assert one.array.tobytes() == other.array.tobytes()


def test_a_body_says_nothing_of_the_request() -> None:
    """Neither its bytes nor its digest depend on who asked."""
    one = explanation(1, caller_id="alert 4711", labels={"team": "ato-team"})
    other = dataclasses.replace(
        explanation(1), name="explanations/x", create_time=WHEN, model="models/x/versions/9", cost=Cost()
    )
    assert encode_body(one, kept_sequence()) == encode_body(other, kept_sequence())
    content = unseal(BODY, encode_body(one, kept_sequence()).data)
    assert not any(text in content for text in (b"4711", b"ato-team", b"/e1", b"models/m"))
    assert encode_body(one, None).digest != encode_body(one, kept_sequence()).digest
    assert encode_body(one, kept_sequence(3)).digest != encode_body(one, kept_sequence()).digest


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_floats_come_back_bit_for_bit(numbers: list[float]) -> None:
    """Subnormal, huge, minus zero, infinite; a NaN stays a NaN."""
    made = dataclasses.replace(
        explanation(), pruning=dataclasses.replace(explanation().pruning, tolerance=tuple(numbers))
    )
    back = through(made)
    for put, got in zip(numbers, back.pruning.tolerance, strict=True):
        assert struct.pack("<d", got) == struct.pack("<d", put) or (math.isnan(got) and math.isnan(put))


@pytest.mark.parametrize("rows", [1, 3, 2000])
def test_a_background_comes_back_equal(rows: int) -> None:
    """Names, element types, shapes and bits, small and compressed; the arrays can't be written to."""
    made = background(rows=rows)
    back = decode_background(encode_background(made))
    assert back.digest == made.digest
    assert list(back.rows) == list(made.rows)
    assert back.static["small"].dtype == np.int32
    assert not back.rows["x"].flags.writeable


def test_a_background_in_any_memory_order_is_stored_alike() -> None:
    """Big-endian, transposed and reversed arrays hold the same values."""
    made = background(rows=5)
    turned = dataclasses.replace(
        made,
        rows={
            "x": np.asfortranarray(made.rows["x"]),
            "ids": made.rows["ids"].astype(">i8"),
            "flags": made.rows["flags"][::-1][::-1],
        },
    )
    assert decode_background(encode_background(turned)).digest == made.digest


FOREIGN = [
    b"",
    b"SQ1",
    b"SQb\x01",
    b"{}",
    pickle.dumps({"a": 1}),
    b"\x80\x04",
    seal(BACKGROUND, b"another kind"),
    seal(RECORD, b"another kind"),
    zlib.compress(b"x" * 99),
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=range(len(FOREIGN)))
def test_foreign_bytes_are_recognised(foreign: bytes) -> None:
    """Whatever somebody put there; a pickle is not even looked into."""
    assert reason(lambda: decode_body(StoredRecord(record_of(explanation()), foreign))) is SkipReason.FOREIGN
    if not foreign.startswith(b"SQr"):
        assert reason(lambda: decode_record(foreign)) is SkipReason.FOREIGN
    if not foreign.startswith(b"SQg"):
        assert reason(lambda: decode_background(foreign)) is SkipReason.FOREIGN


@pytest.mark.parametrize("content", [b"", b"{}", b"[[1]]", b"\xff" * 99, b"\x02\0\0\0{}", b"\xff" * 2000])
def test_content_of_another_form_is_damage(content: bytes) -> None:
    """Though the envelope is right."""
    body = StoredRecord(record_of(explanation()), seal(BODY, content))
    assert reason(lambda: decode_body(body)) is SkipReason.DAMAGED
    assert reason(lambda: decode_record(seal(RECORD, content))) is SkipReason.DAMAGED
    assert reason(lambda: decode_background(seal(BACKGROUND, content))) is SkipReason.DAMAGED


def test_a_version_that_is_not_known_is_said() -> None:
    """Of every kind."""
    for kind, decode in ((RECORD, decode_record), (BACKGROUND, decode_background)):
        newer = dataclasses.replace(kind, version=kind.version + 1)
        assert reason(functools.partial(decode, seal(newer, b"whatever it has"))) is SkipReason.VERSION


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), large=st.booleans())
def test_a_flipped_bit_is_noticed(place: int, bit: int, large: bool) -> None:
    """Anywhere, compressed or not."""
    data = bytearray(encode_background(background(rows=100 if large else 1)))
    data[place % len(data)] ^= 1 << bit
    assert reason(lambda: decode_background(bytes(data))) in SkipReason


@settings(max_examples=50, deadline=None)
@given(length=st.integers(0, 2000))
def test_a_truncated_value_is_noticed(length: int) -> None:
    """Wherever it ends."""
    data = encode_body(explanation(), kept_sequence()).data
    cut = StoredRecord(record_of(explanation()), data[: min(length, len(data) - 1)])
    assert reason(lambda: decode_body(cut)) in SkipReason


def test_a_header_that_lies_is_damage() -> None:
    """Element types we never write, parts that do not exist, shapes larger than the data or negative."""
    for head in (
        '[{"part":"rows","name":"x","form":{"dtype":"|O","shape":[1]}}]',
        '[{"part":"other","name":"x","form":{"dtype":"<f4","shape":[1]}}]',
        '[{"part":"rows","name":"x","form":{"dtype":"<f4","shape":[99]}}]',
        '[{"part":"rows","name":"x","form":{"dtype":"<f4","shape":[-1]}}]',
        '[{"part":"rows","name":"x","form":{"dtype":"<f4","shape":[4294967296,4294967296]}}]',
        "7",
        "[7]",
    ):
        sealed = seal(BACKGROUND, struct.pack("<I", len(head)) + head.encode() + bytes(4))
        assert reason(functools.partial(decode_background, sealed)) is SkipReason.DAMAGED


def test_the_dictionary_never_changes() -> None:
    """What was compressed with it could not be read any more."""
    digest = hashlib.sha256(dictionary().dict_content).hexdigest()
    assert digest == "ae46132ccb14acd700e3d9d986922126abe47986bba68ca926826744ecc96274"


def test_long_content_is_compressed() -> None:
    """The content comes back either way. A bomb does not unfold."""
    for kind in (BODY, BACKGROUND):
        for content in (b"x" * 10, b"x" * 100_000):
            assert unseal(kind, seal(kind, content)) == content
        assert len(seal(kind, b"x" * 100_000)) < 1000
    with pytest.raises(ZstdError, match="at most 99 bytes"):
        decompress(compress(bytes(100)), 99)


def reason(decode: Callable[[], object]) -> SkipReason:
    """Why bytes cannot be read."""
    with pytest.raises(Unreadable) as caught:
        decode()
    return caught.value.reason
