"""One function for each method of the clients: what to do, as a flow or a list, for a client to carry out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import flows, requests, resources, responses
from sequela_client.calls import Listing
from sequela_client.content_digests import ContentDigests
from sequela_client.errors import CallerError
from sequela_client.explanation import Explanation
from sequela_client.flows import Flow
from sequela_client.inputs import BackgroundLike, BackgroundValues, SequenceLike, Values
from sequela_client.models import ModelFile, ModelLike, choose
from sequela_client.options import Options, options_message
from sequela_client.requests import Average, BackgroundShape
from sequela_client.resources import Background, ExplanationSummary, Model, Scores
from sequela_client.streams import AnyIterable, ExplanationStream, MessageStream


def explain(
    sent: ContentDigests,
    sequence: SequenceLike,
    model: ModelLike,
    background: BackgroundLike,
    options: Options,
    caller_id: str | None,
    labels: Mapping[str, str] | None,
) -> Flow[Explanation]:
    """Explains one sequence."""
    request = requests.explain(sequence, options_message(options), caller_id, labels)
    return flows.explain(sent, model, requests.background_reference(background), request)


def explain_many(
    sent: ContentDigests,
    model: ModelLike,
    background: BackgroundLike,
    options: Options,
    timeout: float | None,
) -> Flow[ExplanationStream]:
    """Prepares a stream of questions."""
    message, reference = options_message(options), requests.background_reference(background)
    known = yield from flows.known_model(sent, model)
    return ExplanationStream(known, reference, message, timeout)


def score(
    sent: ContentDigests,
    sequences: SequenceLike | Iterable[SequenceLike],
    model: ModelLike,
    targets: Iterable[str | int] | str | int | None,
    output_event: int | None,
) -> Flow[Scores]:
    """Scores sequences."""
    request = requests.score(sequences, targets, output_event)

    def ask(reference: pb.ModelReference) -> Flow[Scores]:
        request.model.CopyFrom(reference)
        return flows.call("explanations.Score", request, resources.scores)

    return flows.with_model(sent, model, ask)


def get_explanation(name: str) -> Flow[Explanation]:
    """An explanation made before."""
    request = pb.GetExplanationRequest(name=requests.text("name", name))
    return flows.call(
        "explanations.GetExplanation", request, lambda answer: responses.explanation(answer.explanation)
    )


def list_explanations(
    caller_id: str,
    model: str,
    labels: Mapping[str, str] | None,
    start: datetime | None,
    end: datetime | None,
    page_size: int,
) -> Listing[ExplanationSummary]:
    """Explanations, newest first."""
    request = requests.list_explanations(caller_id, model, labels, start, end, page_size)
    return Listing("explanations.ListExplanations", request, "explanations", resources.summary)


def register_model(path: ModelLike, name: str) -> Flow[Model]:
    """Uploads a model file."""
    chosen = choose(path)
    if not isinstance(chosen, ModelFile):
        raise CallerError(f"{path!r} is not the path of an ONNX file", reason="NOT_A_PATH")
    upload = chosen.read().upload(requests.text("name", name))
    return flows.call("models.RegisterModel", upload, lambda answer: resources.model(answer.model))


def get_model(name: str) -> Flow[Model]:
    """Describes a model."""
    request = pb.GetModelRequest(name=requests.text("name", name))
    return flows.call("models.GetModel", request, lambda answer: resources.model(answer.model))


def list_models(page_size: int) -> Listing[Model]:
    """Models by name."""
    return Listing(
        "models.ListModels",
        pb.ListModelsRequest(page_size=requests.whole("page_size", page_size)),
        "models",
        resources.model,
    )


def delete_model(name: str) -> Flow[None]:
    """Deletes an uploaded model."""
    return flows.call(
        "models.DeleteModel", pb.DeleteModelRequest(name=requests.text("name", name)), lambda _: None
    )


def create_background(
    sent: ContentDigests, name: str, values: BackgroundValues | Values, model: ModelLike
) -> Flow[Background]:
    """Keeps background values under a name."""
    message = pb.CreateBackgroundRequest(values=requests.background_values(values))
    header = yield from flows.background_header(sent, model, requests.background_header(name))
    return (yield from flows.call("backgrounds.CreateBackground", [header, message], _background))


def average_background(
    sent: ContentDigests,
    name: str,
    sequences: AnyIterable[SequenceLike],
    model: ModelLike,
    average: Average,
    shape: BackgroundShape,
) -> Flow[Background]:
    """Averages sequences into a background, and keeps it under a name."""
    unnamed = requests.background_header(name, average, shape)
    header = yield from flows.background_header(sent, model, unnamed)
    feed = MessageStream(sequences, requests.averaged, head=[header])
    return (yield from flows.call("backgrounds.CreateBackground", feed, _background))


def get_background(name: str) -> Flow[Background]:
    """A background with its values."""
    return flows.call(
        "backgrounds.GetBackground", pb.GetBackgroundRequest(name=requests.text("name", name)), _background
    )


def list_backgrounds(model: str, page_size: int) -> Listing[Background]:
    """Backgrounds by name."""
    request = pb.ListBackgroundsRequest(
        page_size=requests.whole("page_size", page_size), model=requests.text("model", model)
    )
    return Listing("backgrounds.ListBackgrounds", request, "backgrounds", resources.background)


def delete_background(name: str) -> Flow[None]:
    """Deletes a background."""
    request = pb.DeleteBackgroundRequest(name=requests.text("name", name))
    return flows.call("backgrounds.DeleteBackground", request, lambda _: None)


def _background(answer: Any) -> Background:
    return resources.background(answer.background)
