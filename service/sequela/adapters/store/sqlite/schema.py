"""The tables of the file, and how times and keys are written in them.

    value            values by key (uploads, backgrounds)
    entry            ordered sets of strings
    body             contents of explanations, each stored once
    record           explanations; `data` is the whole record, the other columns are for filters
    label            the labels of records, in the order of lists
    tombstone        what was deleted and when, as a digest that does not tell whose explanations they were
    pending_deletion deletions whose records are not all removed yet

Times are microseconds since 1970, in UTC. Lists read `made DESC, name`, so the indexes have that order. They contain
what filters and expiry need besides, so that rows that do not match are never read.
"""

from __future__ import annotations

import hashlib
import math

from sequela.adapters.store.timestamps import now

APPLICATION_ID = 0x53514C41
"""`SQLA` in SQLite's header: whose file it is."""

SCHEMA_VERSION = 1
"""SQLite's `user_version` of a file. Raise it when the tables change."""

TABLES = """
CREATE TABLE value (key TEXT PRIMARY KEY, expires INTEGER, data BLOB NOT NULL);
CREATE INDEX value_expires ON value (expires) WHERE expires IS NOT NULL;
CREATE TABLE entry (name TEXT, entry TEXT, PRIMARY KEY (name, entry)) WITHOUT ROWID;
CREATE TABLE body (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL);
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    made INTEGER NOT NULL,
    alert TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    score REAL,
    accepted INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    answer BLOB,
    body INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX record_made ON record (made DESC, name, score, expires);
CREATE INDEX record_alert ON record (alert, made DESC, name) WHERE alert <> '';
CREATE INDEX record_model ON record (model, made DESC, name, version, score, expires);
CREATE INDEX record_answer ON record (answer) WHERE answer IS NOT NULL;
CREATE INDEX record_expires ON record (expires);
CREATE INDEX record_body ON record (body);
CREATE TABLE label (
    key TEXT, value TEXT, made INTEGER, name TEXT, record INTEGER NOT NULL,
    PRIMARY KEY (key, value, made DESC, name)
) WITHOUT ROWID;
CREATE INDEX label_record ON label (record);
CREATE TABLE tombstone (selector BLOB PRIMARY KEY, made INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pending_deletion (kind TEXT, key TEXT, value TEXT, last INTEGER NOT NULL, PRIMARY KEY (kind, key, value));
"""

_KEY_BYTES = 16
"""128 bits: two different keys practically never have the same digest."""


def expiry(ttl_seconds: float | None) -> int | None:
    """Returns when something expires that is stored now; None if it never does."""
    return None if ttl_seconds is None or math.isinf(ttl_seconds) else now() + round(ttl_seconds * 1e6)


def key_digest(text: str) -> bytes:
    """Returns a short key for a text of any length."""
    return hashlib.sha256(repr((text,)).encode(errors="surrogatepass")).digest()[:_KEY_BYTES]
