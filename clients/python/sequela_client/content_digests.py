"""What a client learns about its server, so that it sends content only once."""

from __future__ import annotations

import hashlib

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.models import FileDigests, ModelFile

_BACKGROUNDS = 1024
"""Backgrounds remembered; beyond, the oldest is sent again."""


class ContentDigests:
    """Digests of files and backgrounds. Safe for several threads: at worst something is sent twice."""

    def __init__(self, max_inline_bytes: int) -> None:
        self.max_inline_bytes = max_inline_bytes
        self._files = FileDigests()
        self._inline: set[str] = set()
        self._backgrounds: dict[str, str] = {}

    def reference(self, file: ModelFile) -> pb.ModelReference:
        """How to name the file's model to the server: its digest, or its bytes once uploads were refused."""
        digest = self._files.of(file)
        return file.read().inline if digest in self._inline else pb.ModelReference(digest=digest)

    def send_inline(self, digest: str) -> None:
        """The server takes this model only inline."""
        self._inline.add(digest)

    def background(self, request: pb.ExplainRequest, values: pb.BackgroundValues) -> str | None:
        """The server's digest for values that were sent before with such a question."""
        return self._backgrounds.get(_key(request, values))

    def learn(self, request: pb.ExplainRequest, values: pb.BackgroundValues, digest: str) -> None:
        """The server's digest for these values with such a question: the model's schema gives them names and types,
        and where it names no columns, the order of the sequence's columns is theirs too.
        """
        if len(self._backgrounds) >= _BACKGROUNDS:
            self._backgrounds.pop(next(iter(self._backgrounds)), None)
        self._backgrounds[_key(request, values)] = digest


def column_order(sequence: pb.Sequence) -> tuple[tuple[str, ...], ...]:
    """The names of the columns of each input, in the order in which they were sent."""
    return tuple((item.name, *item.columns) for item in sequence.inputs)


def _key(request: pb.ExplainRequest, values: pb.BackgroundValues) -> str:
    digest = hashlib.sha256(request.model.SerializeToString(deterministic=True))
    digest.update(values.SerializeToString(deterministic=True))
    digest.update(repr(column_order(request.sequence)).encode())
    return digest.hexdigest()
