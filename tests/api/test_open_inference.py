"""The Open Inference Protocol by gRPC: the same explanations as through sequela.v1, as tensors."""

from __future__ import annotations

import json
from typing import Any

import grpc
import numpy as np
import pytest
from api import inference_calls, rpc_calls
from api.inference_calls import BACKGROUND, MODELS, infer_request, ours, sample_rows, stub, tensors, total
from api.made import Gate, LoadingStates
from api.test_executors import depth
from google.protobuf import json_format
from matrix import BY_NAME, Case
from sequela.errors import Unavailable
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded
from waiting import eventually

PAST = (pb.PLAYER_KIND_PRUNED, pb.PLAYER_KIND_HISTORY)
SAME = {"rtol": 0, "atol": 1e-12}
GRU = BY_NAME["gru"]


def infer(server: Serving, case: Case, rows: Any, outputs: Any = (), **more: Any) -> dict[str, Any]:
    request = infer_request(case.name, rows, outputs, background=BACKGROUND, **more)
    return tensors(stub(server).ModelInfer(request))


def explained(server: Serving) -> float:
    """Explanations made so far, whatever became of them."""
    registry = server.wired.metrics.registry
    return sum(
        each.value
        for family in registry.collect()
        for each in family.samples
        if each.name == "sequela_explanations_total"
    )


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("name", ["multi_input", "classes"])
def test_the_tensors_hold_what_sequela_v1_answers(serving: Serving, name: str, raw: bool) -> None:
    """Scores, attributions by event and by feature, the pruned block and the statics: equal to 1e-12, row by row."""
    case, rows = BY_NAME[name], sample_rows(BY_NAME[name], 3)
    found = infer(serving, case, rows, raw=raw)
    for row, values in enumerate(rows):
        wanted = ours(serving, case, values)
        np.testing.assert_allclose(found["score"][row], [t.score for t in wanted.targets], **SAME)
        np.testing.assert_allclose(found["raw_score"][row], [t.raw_score for t in wanted.targets], **SAME)
        np.testing.assert_allclose(found["base_value"][row], [t.base_value for t in wanted.targets], **SAME)
        events = np.zeros((6, len(case.targets)))
        for event, attribution in inference_calls.by_event(wanted).items():
            events[5 + event] = attribution
        np.testing.assert_allclose(found["event_attributions"][row], events, **SAME)
        np.testing.assert_allclose(
            found["feature_attributions"][row], inference_calls.by_feature(wanted), **SAME
        )
        assert found["pruned_events"][row] == wanted.pruning.pruned_events
        np.testing.assert_allclose(
            found["pruned_attribution"][row] + np.zeros(len(case.targets)),
            total(wanted.event_level, *PAST) + np.zeros(len(case.targets)),
            **SAME,
        )
        assert found["explanation_name"][row].decode().startswith("explanations/")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("history", [False, True], ids=["whole", "refined"])
def test_the_tensors_add_up(serving: Serving, name: str, history: bool) -> None:
    """Of both levels: what the events, the past and the statics were given is score - base value, in every row."""
    case = BY_NAME[name]
    found = infer(serving, case, with_sizes(case, 2, 9), refine_history=history, pruning_tolerance=0.05)
    gain = found["score"] - found["base_value"]
    events = (
        found["event_attributions"].sum(axis=1) + found["pruned_attribution"] + found["static_attribution"]
    )
    features = found["feature_attributions"].sum(axis=1) + found["feature_pruned_attribution"]
    np.testing.assert_allclose(events, gain, rtol=0, atol=1e-9)
    np.testing.assert_allclose(features, gain, rtol=0, atol=1e-9)


def with_sizes(case: Case, count: int, length: int) -> list[Any]:
    """Rows padded by two steps at the end, where the model takes a mask or a length."""
    extra = {i.name: i for i in case.inputs if i.role in ("mask", "length")}
    rows = [dict(row) for row in sample_rows(case, count, length)]
    for row in rows:
        for name, item in extra.items():
            mask = np.r_[np.ones(length - 2), np.zeros(2)]
            row[name] = (mask if item.role == "mask" else np.array(length - 2)).astype(item.dtype)
    return rows


@pytest.mark.parametrize("name", ["masked", "lengths"])
def test_attributions_stand_at_the_steps_that_were_sent(serving: Serving, name: str) -> None:
    """Padding gets 0, and every real event its own place: step s of the answer is step s of the request."""
    case = BY_NAME[name]
    rows = with_sizes(case, 1, 7)
    found = infer(serving, case, rows, ["event_attributions"], pruning_tolerance=0.0)["event_attributions"]
    wanted = inference_calls.by_event(ours(serving, case, rows[0], pruning_tolerance=0))
    assert sorted(wanted) == [-4, -3, -2, -1, 0]
    np.testing.assert_allclose(found[0, :5], [wanted[event] for event in sorted(wanted)], **SAME)
    assert not found[0, 5:].any()


def test_scores_alone_explain_nothing(serving: Serving) -> None:
    """`score` and `raw_score` need no background, make no explanation, and may have more rows."""
    before = explained(serving)
    rows = sample_rows(GRU, 12)
    found = tensors(stub(serving).ModelInfer(infer_request("gru", rows, ["score", "raw_score"])))
    request = pb.ScoreRequest(
        model=pb.ModelReference(name="gru"),
        sequences=[pb.Sequence(inputs=inference_calls.our_inputs(row)) for row in rows],
    )
    wanted = [list(each.values) for each in serving.explanations.Score(request).scores]
    np.testing.assert_allclose(found["score"], wanted, **SAME)
    np.testing.assert_allclose(found["raw_score"], wanted, **SAME)
    assert explained(serving) == before


def test_a_score_is_on_the_link_asked_for(serving: Serving) -> None:
    """With the logit, `score` alone and `score` of an explanation are the same log-odds; `raw_score` is not."""
    rows = sample_rows(GRU, 2)
    alone = infer(serving, GRU, rows, ["score", "raw_score"], link="logit")
    beside = infer(serving, GRU, rows, ["score", "base_value"], link="logit")
    np.testing.assert_allclose(
        alone["score"], np.log(alone["raw_score"] / (1 - alone["raw_score"])), rtol=1e-9
    )
    np.testing.assert_allclose(alone["score"], beside["score"], rtol=1e-9)


def test_no_level_is_played_that_no_output_shows(serving: Serving) -> None:
    """Features alone leave out events and cells; the base value alone leaves out all three."""
    rows = sample_rows(GRU, 1)
    for outputs, levels in ((["feature_attributions"], {"feature"}), (["base_value"], set())):
        name = infer(serving, GRU, rows, [*outputs, "explanation_name"], seed=5)["explanation_name"][
            0
        ].decode()
        kept = serving.explanations.GetExplanation(pb.GetExplanationRequest(name=name)).explanation
        there = {level for level in ("event", "feature", "cell") if kept.HasField(f"{level}_level")}
        assert there == levels


def test_below_the_minimum_score_attributions_are_nan(serving: Serving) -> None:
    """The score stands, `explained` says no, and neither base value nor attribution could be mistaken for a zero."""
    found = infer(serving, GRU, sample_rows(GRU, 2), minimum_score=1.5)
    assert not found["explained"].any()
    assert np.isfinite(found["score"]).all()
    assert np.isnan(found["base_value"]).all()
    assert (found["pruned_events"] == -1).all()
    for name in found:
        if "attribution" in name or "error" in name:
            assert np.isnan(found[name]).all(), name


def test_a_level_that_did_not_fit_is_nan(serving: Serving) -> None:
    """Fewer coalitions than a level's least: its attributions are NaN, not zero."""
    found = infer(serving, GRU, sample_rows(GRU, 1, 20), pruning_tolerance=0.0, max_coalitions=20)
    assert found["explained"].all()
    assert np.isnan(found["event_attributions"]).all()


def test_the_whole_explanation_is_there_as_json(serving: Serving) -> None:
    """Parsed back, it is the message that GetExplanation gives."""
    found = infer(serving, GRU, sample_rows(GRU, 1), ["explanation", "explanation_name"], caller_id="case 9")
    parsed = json_format.Parse(found["explanation"][0], pb.Explanation())
    name = found["explanation_name"][0].decode()
    assert parsed == serving.explanations.GetExplanation(pb.GetExplanationRequest(name=name)).explanation
    assert parsed.caller_id == "case 9"
    assert parsed.HasField("cell_level")


@pytest.mark.parametrize("name", MODELS)
def test_metadata_names_what_is_taken_and_given(serving: Serving, name: str) -> None:
    """Every input as the matrix has it; the tensors of an answer are those announced, of the shapes announced."""
    case = BY_NAME[name]
    said = stub(serving).ModelMetadata(oip.ModelMetadataRequest(name=name))
    assert (said.name, list(said.versions)) == (name, ["1"])
    width = {"events": lambda i: [-1, -1, i.width], "static": lambda i: [-1, i.width]}
    width |= {"mask": lambda i: [-1, -1], "length": lambda i: [-1]}
    assert {i.name: (i.datatype, list(i.shape)) for i in said.inputs} == {
        i.name: (inference_calls.DATATYPES[np.dtype(i.dtype).name], width[i.role](i)) for i in case.inputs
    }
    request = infer_request(name, with_sizes(case, 2, 6), background=BACKGROUND)
    answer = stub(serving).ModelInfer(request)
    assert [(o.name, o.datatype) for o in answer.outputs] == [(o.name, o.datatype) for o in said.outputs]
    for one, other in zip(answer.outputs, said.outputs, strict=True):
        assert len(one.shape) == len(other.shape)
        assert all(want in (-1, have) for have, want in zip(one.shape, other.shape, strict=True))
    assert json.loads(answer.parameters["targets"].string_param) == [
        target.name for target in serving.models.GetModel(pb.GetModelRequest(name=name)).model.targets
    ]
    assert (answer.model_name, answer.model_version, answer.id) == (name, "1", "alert-7")


def test_models_go_by_all_their_names(serving: Serving) -> None:
    """`m`, `m/v`, `m` with a version, and the digest; what nobody knows is NOT_FOUND, also when asked for readiness."""
    digest = serving.models.GetModel(pb.GetModelRequest(name="gru")).model.digest
    for name, version in (("gru", ""), ("gru/1", ""), ("gru", "1"), (digest, "")):
        assert stub(serving).ModelReady(oip.ModelReadyRequest(name=name, version=version)).ready
        request = infer_request(name, sample_rows(GRU, 1), ["score"])
        request.model_version = version
        assert stub(serving).ModelInfer(request).model_version == "1"
    for name, version in (("nobody", ""), ("gru", "2")):
        with pytest.raises(grpc.RpcError) as caught:
            stub(serving).ModelReady(oip.ModelReadyRequest(name=name, version=version))
        assert (Failure(caught.value).code, Failure(caught.value).reason) == (
            grpc.StatusCode.NOT_FOUND,
            "MODEL_NOT_FOUND",
        )


def test_the_server_says_what_it_is(serving: Serving) -> None:
    """Live, ready, with a name and a version; ModelConfig, which is Triton's own, is UNIMPLEMENTED."""
    assert stub(serving).ServerLive(oip.ServerLiveRequest()).live
    assert stub(serving).ServerReady(oip.ServerReadyRequest()).ready
    said = stub(serving).ServerMetadata(oip.ServerMetadataRequest())
    assert said.name == "sequela"
    assert said.version
    with pytest.raises(grpc.RpcError) as caught:
        stub(serving).ModelConfig(oip.ModelConfigRequest(name="gru"))
    assert Failure(caught.value).code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.slow
def test_rows_share_the_deadline() -> None:
    """Eight rows, each of which could use all the time: all are answered before it ends, and say what they lack."""
    options = {
        "levels": "event",
        "pruning_tolerance": 0,
        "target_standard_error": 0,
        "max_coalitions": 1 << 20,
    }
    # Time enough to send an answer from a machine that is busy with other tests.
    with Serving(embedded(deadline_reserve=6.0)) as server:
        rpc_calls.register(server, "gru")
        inference_calls.create_background(server, GRU)
        rows = sample_rows(GRU, 8, 300)
        request = infer_request("gru", rows, ["score", "explanation"], background=BACKGROUND, **options)
        found = tensors(stub(server).ModelInfer(request, timeout=15))
    assert all(json.loads(text)["cut_short"] for text in found["explanation"])


def test_a_list_may_be_text_or_levels_twice(serving: Serving) -> None:
    """`event, feature` in one text; numbers as text; an enum's value in any case."""
    found = infer(
        serving,
        GRU,
        sample_rows(GRU, 1),
        levels="event, feature",
        seed="7",
        estimator="Regression",
        max_coalitions="256",
    )
    text = json.loads(found["explanation"][0])
    assert text["options"]["levels"] == ["LEVEL_EVENT", "LEVEL_FEATURE"]
    assert (text["options"]["seed"], text["options"]["max_coalitions"]) == ("7", "256")
    assert "cell_level" not in text


class Loading:
    """Models that are not there yet."""

    def info(self, choice: Any, deadline: Any) -> Any:
        raise Unavailable("MODEL_LOADING", "gru is still being loaded", retry_after=2.0)

    def configured(self, choice: Any) -> None:
        return None


def test_a_model_that_is_loading_is_not_ready() -> None:
    """Neither is the server; who asks for an explanation hears UNAVAILABLE, and when to come back."""
    with Serving(embedded(), wait=False, models=Loading(), configured_states=LoadingStates()) as server:
        assert not stub(server).ModelReady(oip.ModelReadyRequest(name="gru")).ready
        assert not stub(server).ServerReady(oip.ServerReadyRequest()).ready
        with pytest.raises(grpc.RpcError) as caught:
            stub(server).ModelInfer(infer_request("gru", sample_rows(GRU, 2), background=BACKGROUND))
        failed = Failure(caught.value)
        assert (failed.code, failed.reason, failed.retry) == (
            grpc.StatusCode.UNAVAILABLE,
            "MODEL_LOADING",
            2.0,
        )


def test_work_stops_with_its_caller() -> None:
    """A call that is cancelled in the midst of its rows leaves no row at work."""
    gate = Gate()
    with Serving(embedded(), explainer=gate) as server:
        rpc_calls.register(server, "gru")
        call = stub(server).ModelInfer.future(infer_request("gru", sample_rows(GRU, 6)))
        gate.begun.acquire()
        call.cancel()
        eventually(lambda: depth(server, "sequela_inflight") == 0)
        assert gate.stopped
