"""What an engine asks the server during a task: for what is stored, and whether it may work on an answer."""

from __future__ import annotations

from enum import Enum

from sequela.adapters.store.ports import StoredRecord
from sequela.adapters.store.serialization import pack_record, unpack_record
from sequela.errors import SequelaError
from sequela.model_engines.error_form import ErrorForm
from sequela.model_engines.frames import FormInvalid, join_parts, split_parts


class Question(Enum):
    """The kinds of questions. Each has one text as its argument."""

    LEAD = b"l"  # a content key: may this engine work on it, and is there an answer already?
    RECORD = b"r"  # the name of an explanation
    BACKGROUND = b"b"  # the full name of a background
    BACKGROUND_DIGEST = b"d"


class Reply(Enum):
    """The kinds of replies."""

    FOUND = b"f"
    NOTHING = b"n"
    BUSY = b"u"
    ERROR = b"e"


def pack_question(kind: Question, argument: str) -> bytes:
    """Returns a question as bytes."""
    return kind.value + argument.encode()


def read_question(content: bytes) -> tuple[Question, str]:
    """Returns the kind and the argument. Raises FormInvalid."""
    try:
        return Question(content[:1]), content[1:].decode()
    except ValueError as error:
        raise FormInvalid(str(error)) from None


def error_reply(error: SequelaError) -> bytes:
    """Returns the reply for an error."""
    return Reply.ERROR.value + ErrorForm.of(error).model_dump_json().encode()


def read_reply(content: bytes) -> tuple[Reply, bytes]:
    """Returns the kind and the content of a reply. Raises the error that it reports."""
    kind, body = Reply(content[:1]), content[1:]
    if kind is Reply.ERROR:
        raise ErrorForm.model_validate_json(body).error()
    return kind, body


def record_reply(stored: StoredRecord | None) -> bytes:
    """Returns the reply with a stored explanation."""
    if stored is None:
        return Reply.NOTHING.value
    return Reply.FOUND.value + join_parts(pack_record(stored.record), stored.body)


def read_record(kind: Reply, body: bytes) -> StoredRecord | None:
    """Returns the stored explanation of a reply."""
    if kind is not Reply.FOUND:
        return None
    record, content = split_parts(body)
    return StoredRecord(unpack_record(record), content)
