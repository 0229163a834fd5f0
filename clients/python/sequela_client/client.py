"""The blocking client."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Self, Unpack

import grpc

from sequela_client import operations
from sequela_client.bearer_token import Metadata
from sequela_client.blocking_calls import BlockingClient
from sequela_client.callers import Caller
from sequela_client.explanation import Explanation
from sequela_client.explanation_stream import ExplanationStream
from sequela_client.inputs import BackgroundLike, BackgroundValues, SequenceLike, Values
from sequela_client.local_server import START_SECONDS, Setting, setting_arguments, start_server
from sequela_client.models import ModelLike
from sequela_client.options import Options, documented
from sequela_client.priority import Priority
from sequela_client.requests import Average, BackgroundShape
from sequela_client.resources import Background, ExplanationSummary, Model, Outcome, Scores
from sequela_client.resumptions import Resumptions
from sequela_client.sequence_reader import SequenceReader
from sequela_client.trace_context import with_trace


class Sequela(BlockingClient):
    """A blocking client of one server. It is safe to use from several threads.

        with Sequela("localhost:50051") as sequela:
            e = sequela.explain(sequence, model="model.onnx", background=average_event)

    These arguments mean the same in every method:

    - model: the path of an ONNX file (a str that ends in .onnx or has a separator, or a Path), the name of a model that
      the server has, or an `Endpoint` or its URI, such as `grpc://host:port/name`. A schema.json beside the file is
      sent with it. A file is uploaded once, and named by its digest from then on.
    - sequence: one array (l, d) for a model with one input, arrays by input name, a table with named columns (a
      DataFrame), or a `Sequence`. The oldest event comes first.
    - timeout: how long the method may take, in seconds. None stands for the timeout of the client.

    Every method raises `SequelaError`; its subclasses say who has to act.
    """

    @classmethod
    def local(
        cls,
        *,
        model_repository: str | os.PathLike[str] | None = None,
        workers: int | None = None,
        timeout: float | None = 60.0,
        start_timeout: float = START_SECONDS,
        **settings: Setting,
    ) -> Self:
        """Starts a server for this session, on this machine, and returns a client of it. It needs the extra `service`.

            with Sequela.local() as sequela:
                e = sequela.explain(sequence, model="model.onnx")

        The server stops when the client is closed or forgotten, and at the latest when this process ends.

        Args:
            model_repository: a folder of models that the server offers by name. Models from files need none.
            workers: how many threads run models; None: one for each core.
            timeout: seconds for a call that is given no timeout of its own; None: no limit.
            start_timeout: how long the start of the server may take, in seconds.
            settings: further settings of the server by name, such as `max_events=100`; docs/settings.md lists them.

        Raises:
            CallerError: the service is not installed.
            OperatorError: the server did not start; the message says why.
            DeadlineExceeded: the server was not ready in time.
        """
        arguments = setting_arguments({"model_repository": model_repository, "workers": workers, **settings})
        server = start_server(arguments, start_timeout)
        client = cls(server.address, timeout=timeout)
        client._own(server)
        return client

    @documented
    def explain(
        self,
        sequence: SequenceLike,
        *,
        model: ModelLike,
        background: BackgroundLike = None,
        caller_id: str | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        priority: Priority | None = None,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Explanation:
        """Explains the score of one sequence.

        Args:
            sequence: the sequence (l, d), oldest event first.
            model: the model that scores it.
            background: the values that stand for "nothing known": an average event (d), one row for each position
                (k, d), arrays by input name, `BackgroundValues`, or the name of a stored background. None stands for
                the model's default.
            caller_id: your id for the sequence, by which explanations can be listed. None stands for the `id` of a
                `Sequence`.
            labels: labels to store with the explanation, in addition to those of a `Sequence`.
            dry_run: whether to only try something out: the explanation is then computed even if the server has it
                already, and it is neither stored nor listed. Its `name` is empty.
            priority: the order of requests while the server is busy: "interactive" if somebody waits for the answer,
                "bulk" if the request may wait for those. Default: "interactive".
            timeout: how long the explanation may take, in seconds. After that the best answer so far is returned, with
                `cut_short` set.
        """
        operation = operations.explain(
            self._digests, sequence, model, background, options, caller_id, labels, dry_run, priority
        )
        return self._run(operation, timeout)

    @documented
    def explain_many(
        self,
        sequences: Iterable[SequenceLike],
        *,
        model: ModelLike,
        background: BackgroundLike = None,
        dry_run: bool = False,
        priority: Priority | None = None,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Iterator[Outcome]:
        """Explains many sequences over one stream, and yields an outcome for each of them, in their order.

        If a sequence fails, its outcome has an error, and the others are still explained. One that the server refuses
        because it is busy is sent again, as by `explain`. If the stream breaks, because the server ends old connections
        or is replaced, it is opened again for the sequences that have no answer.

        Args:
            sequences: the sequences. They are read in another thread, as the stream needs them.
            model: the model that scores them.
            background: as in `explain`, for all of them.
            dry_run: as in `explain`.
            priority: as in `explain`, for all of them. Default: "bulk".
            timeout: seconds for each sequence.
        """
        operation = operations.explain_many(
            self._digests, model, background, options, self._seconds(timeout), dry_run, priority
        )
        state = self._run(operation, timeout)
        reader, resumptions = SequenceReader(sequences, state), Resumptions()
        while True:
            metadata = self._metadata()
            try:
                yield from self._explain_pending(state, reader, with_trace(metadata))
                return
            except grpc.RpcError as error:
                failure = reader.failure or self._failure(error, None)
            pause = self._pause(resumptions, failure, state.answered, metadata)
            if pause is None:
                raise failure
            time.sleep(pause)

    def _explain_pending(
        self, state: ExplanationStream, reader: SequenceReader, metadata: Metadata
    ) -> Iterator[Outcome]:
        """Opens a stream for the sequences that have no answer."""
        self._check_open()
        with self._connections.use() as connection:
            first = state.answered
            stream = connection.explanations.ExplainStream(reader.messages(first), metadata=metadata)
            try:
                for response in stream:
                    answer = self._accepted(state, first, response)
                    yield from state.outcomes(first, answer)
                yield from state.rest()
            finally:
                # A caller may stop iterating early; the server must then not continue with the rest.
                stream.cancel()

    def score(
        self,
        sequences: SequenceLike | Iterable[SequenceLike],
        *,
        model: ModelLike,
        targets: Iterable[str | int] | str | int | None = None,
        output_event: int | None = None,
        timeout: float | None = None,
    ) -> Scores:
        """Scores one sequence, or a list of sequences, without explaining them.

        Args:
            sequences: one sequence, or an iterable of them.
            model: the model that scores them.
            targets: output names or column numbers. None stands for all outputs, in the model's order.
            output_event: the event t <= 0 whose output is returned, for a model with an output for every event.
            timeout: seconds.

        Returns:
            The scores (k, targets), one row for each sequence, before any link.
        """
        operation = operations.score(self._digests, sequences, model, targets, output_event)
        return self._run(operation, timeout)

    def get_explanation(
        self, name: str, *, sequence: bool = True, timeout: float | None = None
    ) -> Explanation:
        """Reads a stored explanation by its name, `explanations/e`.

        Its `sequence_state` says whether the server kept the sequence; if so, it is in `sequence`, unless this is asked
        for with `sequence=False`.
        """
        return self._run(operations.get_explanation(name, sequence), timeout)

    def list_explanations(
        self,
        *,
        caller_id: str = "",
        model: str = "",
        labels: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        min_score: float | None = None,
        max_score: float | None = None,
        page_size: int = 50,
        timeout: float | None = None,
    ) -> Iterator[ExplanationSummary]:
        """Lists stored explanations, newest first.

        Args:
            caller_id: only explanations with this caller id.
            model: only explanations of this model.
            labels: only explanations that have all of these labels.
            start: only explanations that were made at this time or later.
            end: only explanations that were made before this time.
            min_score: only explanations whose first target has at least this score, as the model returned it.
            max_score: only explanations whose first target has at most this score, as the model returned it.
            page_size: how many are fetched in one call; further pages are fetched when they are needed.
            timeout: seconds for each page.
        """
        listing = operations.list_explanations(
            caller_id, model, labels, start, end, min_score, max_score, page_size
        )
        return self._all(listing, timeout)

    def delete_explanations(
        self,
        *,
        name: str | None = None,
        caller_id: str | None = None,
        label: tuple[str, str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Deletes stored explanations with the sequences that were kept with them. Exactly one argument selects them.

        Args:
            name: the explanation of this name, `explanations/e`.
            caller_id: all explanations with this caller id, such as those of one alert.
            label: all explanations with this label, as a pair (key, value).
            timeout: seconds.

        Returns:
            How many were deleted. It is not an error if there are none. No replica returns them after 60 seconds.
        """
        return self._run(operations.delete_explanations(name, caller_id, label), timeout)

    def register_model(self, path: ModelLike, *, name: str = "", timeout: float | None = None) -> Model:
        """Uploads a model file under a name, `m` or `m/v`. Without a name, the digest of the model is its name."""
        return self._run(operations.register_model(path, name), timeout)

    def get_model(self, name: str, *, timeout: float | None = None) -> Model:
        """Describes a model."""
        return self._run(operations.get_model(name), timeout)

    def models(self, *, page_size: int = 50, timeout: float | None = None) -> Iterator[Model]:
        """Lists all models, ordered by name."""
        return self._all(operations.list_models(page_size), timeout)

    def delete_model(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes a model that was uploaded."""
        self._run(operations.delete_model(name), timeout)

    def create_background(
        self, name: str, values: BackgroundValues | Values, *, model: ModelLike, timeout: float | None = None
    ) -> Background:
        """Stores a background of a model under a name. A name can be used once.

        Args:
            name: the background's name, or `models/m/backgrounds/b`.
            values: an average event (d), or one row for each position (k, d), whose last row is t = 0.
            model: the model that it belongs to.
            timeout: seconds.
        """
        return self._run(operations.create_background(self._digests, name, values, model), timeout)

    def average_background(
        self,
        name: str,
        sequences: Iterable[SequenceLike],
        *,
        model: ModelLike,
        average: Average = "mean",
        shape: BackgroundShape = "event",
        timeout: float | None = None,
    ) -> Background:
        """Averages sequences into a background, and stores it under a name. The sequences are streamed to the server.

        Args:
            name: the background's name, or `models/m/backgrounds/b`.
            sequences: ordinary sequences, such as the histories of accounts without fraud.
            model: the model that it belongs to.
            average: "mean" or "median".
            shape: "event" makes one average event (d); "sequence" one for each position (k, d).
            timeout: seconds.
        """
        operation = operations.average_background(self._digests, name, sequences, model, average, shape)
        return self._run(operation, timeout)

    def get_background(self, name: str, *, timeout: float | None = None) -> Background:
        """Reads a background by its name, `models/m/backgrounds/b`, with its values."""
        return self._run(operations.get_background(name), timeout)

    def backgrounds(
        self, *, model: str = "", page_size: int = 50, timeout: float | None = None
    ) -> Iterator[Background]:
        """Lists the backgrounds of a model (`m` or `models/m`), or of all models, by name and without their values."""
        return self._all(operations.list_backgrounds(model, page_size), timeout)

    def delete_background(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes a background."""
        self._run(operations.delete_background(name), timeout)

    def get_caller(self, *, timeout: float | None = None) -> Caller:
        """Returns how the server identifies this client: its name, its roles, and the method of authentication."""
        return self._run(operations.get_caller(), timeout)
