"""Stores, describes, lists and deletes models and backgrounds, independent of any transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sequela.api.background_upload import BackgroundHeader, BackgroundUpload
from sequela.api.executors import Executor, Executors
from sequela.api.model_upload import ModelUpload
from sequela.api.pages import PageRequest
from sequela.concurrency.deadline import Deadline
from sequela.explain.background import StoredBackground
from sequela.explain.limits import Limits
from sequela.explain.ports import Backgrounds, ModelRecord, Models, Page
from sequela.explain.request import EndpointModel, GivenBackground, GivenSequence, ModelChoice, NamedModel

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """The operations on models and backgrounds. Each raises as the ports and `Executor.run` do.

    The arguments `read` and `encode` are called in the executor's thread, as in `DataPlane`.
    """

    models: Models
    backgrounds: Backgrounds
    executors: Executors
    limits: Limits

    async def register_model(
        self, upload: ModelUpload, encode: Callable[[ModelRecord], T], deadline: Deadline
    ) -> T:
        """Stores an uploaded model. It runs in the executor for uploads, because loading a model runs it."""

        def work() -> T:
            return encode(self.models.register(upload.name, upload.onnx(), upload.schema_json, deadline))

        return await self.executors.uploads.run(work, deadline)

    async def get_model(self, name: str, encode: Callable[[ModelRecord], T], deadline: Deadline) -> T:
        """Describes a model."""
        executor = self._pick_lookup(NamedModel(name))
        return await executor.run(lambda: encode(self.models.get(name, deadline)), deadline)

    async def list_models(
        self, page: PageRequest, encode: Callable[[Page[ModelRecord]], T], deadline: Deadline
    ) -> T:
        """Lists models by name."""
        return await self._look_up(lambda: encode(self.models.list(page.size, page.token)), deadline)

    async def delete_model(self, name: str, deadline: Deadline) -> None:
        """Deletes an uploaded model."""
        await self._look_up(lambda: self.models.delete(name), deadline)

    async def begin_background(self, header: BackgroundHeader, deadline: Deadline) -> BackgroundUpload:
        """Starts the upload of a background, whose values or sequences follow."""
        # The constructor finds the model, which may have to be loaded.
        begin = partial(BackgroundUpload, header, self.models, self.limits, deadline)
        return await self._pick_lookup(header.model).run(begin, deadline)

    async def add_background_values(
        self, upload: BackgroundUpload, read: Callable[[], GivenBackground], deadline: Deadline
    ) -> None:
        """Receives the values of a background."""
        await self._look_up(lambda: upload.add_values(read), deadline)

    async def add_background_sequence(
        self, upload: BackgroundUpload, read: Callable[[], GivenSequence], deadline: Deadline
    ) -> None:
        """Adds a sequence to the average of a background."""
        await self._look_up(lambda: upload.add_sequence(read), deadline)

    async def create_background(
        self, upload: BackgroundUpload, encode: Callable[[StoredBackground], T], deadline: Deadline
    ) -> T:
        """Stores a background that has been uploaded."""
        return await self._look_up(lambda: encode(self.backgrounds.create(upload.finish())), deadline)

    async def get_background(
        self, name: str, encode: Callable[[StoredBackground], T], deadline: Deadline
    ) -> T:
        """Returns a background with its values."""
        return await self._look_up(lambda: encode(self.backgrounds.get(name)), deadline)

    async def list_backgrounds(
        self, model: str, page: PageRequest, encode: Callable[[Page[StoredBackground]], T], deadline: Deadline
    ) -> T:
        """Lists the backgrounds of a model (`models/m`) or, if the name is empty, of all models. Sorted by name."""
        return await self._look_up(
            lambda: encode(self.backgrounds.list(model, page.size, page.token)), deadline
        )

    async def delete_background(self, name: str, deadline: Deadline) -> None:
        """Deletes a background."""
        await self._look_up(lambda: self.backgrounds.delete(name), deadline)

    def _pick_lookup(self, model: ModelChoice) -> Executor:
        """Returns the executor for looking up a model's properties. A model from a caller may have to be loaded."""
        if isinstance(model, EndpointModel) or self.models.configured(model):
            return self.executors.lookup
        return self.executors.uploads

    async def _look_up(self, work: Callable[[], T], deadline: Deadline) -> T:
        return await self.executors.lookup.run(work, deadline)
