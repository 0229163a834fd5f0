"""Through the public door: the real client, the real server, real models; answers equal the brute force."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import player_sets
import pytest
from brute_force import Attributions, attributions, cut, pruning_curve
from matrix import BY_NAME, CASES, Case, copy_models
from sequela_client import Attribution, Sequela
from serving import Serving, embedded
from sweeps import cases_asked_for, few_of, one_of_a_form, one_of_each_state

SWEEP = pytest.mark.parametrize("case", one_of_a_form(CASES), ids=str)


@pytest.fixture(scope="module")
def sequela(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequela]:
    """A client of a server whose model repository has the fixtures' models."""
    names = [case.name for case in cases_asked_for(request, "gru")]
    root = copy_models(tmp_path_factory.mktemp("models"), names)
    with Serving(embedded(model_repository=root)) as serving, Sequela(serving.bound.grpc) as client:
        yield client


def assert_equal(found: dict[object, Attribution], wanted: Attributions, tolerance: float) -> None:
    expected = {player.key: row for player, row in zip(wanted.players, wanted.values, strict=True)}
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        np.testing.assert_allclose(found[key].values, row, atol=tolerance, rtol=0, err_msg=str(key))


@SWEEP
def test_a_registered_model_is_explained(sequela: Sequela, case: Case) -> None:
    """Score, base value, the cut, events and features by name, as the brute force has them."""
    sequence, background = case.sample(6), case.background(6)
    strength = np.abs(pruning_curve(case.scorer(), sequence, background)).max(axis=1)
    eta = float(strength[1] * 1.0001 + 1e-12)
    pruned = cut(pruning_curve(case.scorer(), sequence, background), eta)
    answer = sequela.explain(
        sequence,
        model=case.name,
        background=case.average(),
        levels=["event", "feature"],
        targets=range(len(case.targets)),
        pruning_tolerance=eta,
        target_standard_error=0,
    )
    layout = case.layout(6)
    events = attributions(case.scorer(), sequence, background, player_sets.events(layout, pruned))
    found: dict[object, Attribution] = {("event", each.t): each for each in answer.events}
    found |= {("pruned",): answer.pruned} if answer.pruned else {}
    found |= {("static",): answer.static} if answer.static else {}
    assert_equal(found, events, case.tolerance)
    features = attributions(case.scorer(), sequence, background, player_sets.features(layout, pruned))
    by_name: dict[object, Attribution] = {("feature", name): each for name, each in answer.features.items()}
    wanted = dict(zip([p.key for p in features.players], features.values, strict=True))
    for key, each in by_name.items():
        np.testing.assert_allclose(each.values, wanted[key], atol=case.tolerance, err_msg=str(key))
    assert answer.pruning.pruned_events == pruned
    assert answer.score == pytest.approx(events.score[0], abs=case.tolerance)
    assert answer.base_value == pytest.approx(events.base[0], abs=case.tolerance)


@pytest.mark.parametrize(
    "name", few_of(["gru", "multi_input", "fixed_right", "linear64"], "gru", "multi_input")
)
def test_a_file_is_explained_down_to_cells(sequela: Sequela, name: str) -> None:
    """A model file the server has never seen: uploaded once, explained in cells equal to the brute force's."""
    case = BY_NAME[name]
    sequence, background = case.sample(5), case.background(5)
    answer = sequela.explain(
        sequence,
        model=case.path,
        background=case.average(),
        pruning_tolerance=0,
        top_k_events=2,
        top_k_features=1,
        target_standard_error=0,
    )
    layout = case.layout(5)
    events = attributions(case.scorer(), sequence, background, player_sets.events(layout))
    features = attributions(case.scorer(), sequence, background, player_sets.features(layout))
    varying = [p.key for p in features.players if layout.varies(p.key[1])]
    strongest = max(varying, key=lambda key: float(np.abs(features.of(*key)).max()))[1]
    players = player_sets.cells(layout, 0, player_sets.strongest(events, "event", 2), [strongest])
    wanted = attributions(case.scorer(), sequence, background, players)
    found = [each for each in answer.cells if each.kind == "cell"]
    assert len(found) == 2
    for each in found:
        np.testing.assert_allclose(
            each.values, wanted.of("cell", each.t, each.feature), atol=case.tolerance, rtol=0
        )
    total = sum(each.value for each in answer.cells)
    assert total == pytest.approx(answer.score - answer.base_value, abs=1e-9 * max(1, abs(answer.score)))


def test_an_explanation_is_fetched_exactly_as_it_was_made(sequela: Sequela) -> None:
    """By name and by caller id, later: the same numbers to the last bit."""
    case = BY_NAME["gru"]
    made = sequela.explain(
        case.sample(30), model="gru", background=case.average(), caller_id="alert-7", labels={"queue": "a"}
    )
    again = sequela.get_explanation(made.name)
    assert again.levels == made.levels
    assert again.pruning == made.pruning
    listed = [each.name for each in sequela.list_explanations(caller_id="alert-7")]
    assert listed == [made.name]


@pytest.mark.parametrize("case", one_of_each_state(CASES), ids=str)
def test_score_and_explain_agree(sequela: Sequela, case: Case) -> None:
    """The same sequence scores the same by either method: within the last bits of float32, since Explain runs it beside
    its background, or from states.
    """
    sequence = case.sample(6)
    answer = sequela.explain(sequence, model=case.name, background=case.average(), levels=["event"])
    scored = sequela.score([sequence], model=case.name)
    size = np.abs(scored.values).max()
    for target in answer.targets:
        column = scored.targets.index(target.name)
        assert target.raw_score == pytest.approx(scored.values[0, column], abs=3e-7 * size)


@pytest.mark.parametrize("target", [1e-160, 1e-300])
def test_a_target_that_cannot_be_reached_uses_all_coalitions(sequela: Sequela, target: float) -> None:
    """However small it is: the numbers are those of no target."""
    case = BY_NAME["gru"]
    tiny, none = (
        sequela.explain(
            case.sample(20),
            model=case.name,
            background=case.average(),
            levels=["event"],
            pruning_tolerance=0,
            max_coalitions=2048,
            target_standard_error=error,
        )
        for error in (target, 0)
    )
    assert tiny.levels["event"].quality.coalitions == 2048
    assert [(each.value, each.margin) for each in tiny.events] == [
        (each.value, each.margin) for each in none.events
    ]
