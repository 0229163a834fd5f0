"""Digests of the models and backgrounds that a client has sent, so that it sends each content only once."""

from __future__ import annotations

import hashlib

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.models import FileDigests, ModelFile

# The largest number of remembered digests of backgrounds. If there are more, the oldest is forgotten, and the values
# are sent again when that background is used.
_MAX_BACKGROUNDS = 1024


class ContentDigests:
    """The digests that one server is known to have.

    It is safe to use from several threads; at worst, some content is sent twice.

    Args:
        max_inline_bytes: the largest model that is sent within a request.
    """

    def __init__(self, max_inline_bytes: int) -> None:
        self.max_inline_bytes = max_inline_bytes
        self._files = FileDigests()
        self._inline: set[str] = set()
        self._backgrounds: dict[str, str] = {}

    def reference(self, file: ModelFile) -> pb.ModelReference:
        """Returns a reference to the file's model: its digest, or its bytes if the server refuses uploads."""
        digest = self._files.of(file)
        return file.read().inline if digest in self._inline else pb.ModelReference(digest=digest)

    def send_inline(self, digest: str) -> None:
        """Makes all further requests contain the bytes of this model."""
        self._inline.add(digest)

    def background(self, request: pb.ExplainRequest, values: pb.BackgroundValues) -> str | None:
        """Returns the server's digest of these values if they were sent before with such a request."""
        return self._backgrounds.get(_key(request, values))

    def remember_background(
        self, request: pb.ExplainRequest, values: pb.BackgroundValues, digest: str
    ) -> None:
        """Stores the server's digest of these values.

        The digest depends on more than the values: on the model, whose schema gives them names and types, and, if the
        schema does not name the columns, on the order of the sequence's columns.
        """
        if len(self._backgrounds) >= _MAX_BACKGROUNDS:
            self._backgrounds.pop(next(iter(self._backgrounds)), None)
        self._backgrounds[_key(request, values)] = digest


def column_order(sequence: pb.Sequence) -> tuple[tuple[str, ...], ...]:
    """Returns the name of each input with the names of its columns, in the order in which they were sent."""
    return tuple((item.name, *item.columns) for item in sequence.inputs)


def _key(request: pb.ExplainRequest, values: pb.BackgroundValues) -> str:
    # Protobuf writes maps in any order unless a fixed order is requested.
    digest = hashlib.sha256(request.model.SerializeToString(deterministic=True))
    digest.update(values.SerializeToString(deterministic=True))
    digest.update(repr(column_order(request.sequence)).encode())
    return digest.hexdigest()
