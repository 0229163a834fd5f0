"""Every alert fires when it should, and is quiet when it should not, as promtool evaluates the rules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import ROOT, anchors
from sight.alert_cases import BROKEN_VERSION, HERE, OUTCOMES, REQUEST_CASES, SEQUELA, SERVER, Case

RULES = ROOT / "deploy" / "prometheus" / "rules"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
CASES = [
    *REQUEST_CASES,
    Case(
        "SequelaSaturated",
        {f'sequela_queue_depth{HERE}, executor="explain"}}': "3x60"},
        20,
        "On a, at least 3 requests waited for the executor explain at any time.",
        (("executor", "explain"), *SERVER),
    ),
    # A queue that empties now and then is what a queue is for, and look-ups are short.
    Case("SequelaSaturated", {f'sequela_queue_depth{HERE}, executor="explain"}}': "3 0 3 3 0 3x60"}, 14),
    Case("SequelaSaturated", {f'sequela_queue_depth{HERE}, executor="lookup"}}': "3x60"}, 20),
    Case(
        "SequelaAnswersDegraded",
        {f'{OUTCOMES}"ok"}}': "0+90x60", f'{OUTCOMES}"cut_short"}}': "0+10x60"},
        30,
        "10% of the explanations were cut short, or had a raised error target.",
        SEQUELA,
    ),
    Case(
        "SequelaAnswersDegraded",
        {f'{OUTCOMES}"ok"}}': "0+90x60", f'{OUTCOMES}"target_raised"}}': "0+10x60"},
        30,
        "10% of the explanations were cut short, or had a raised error target.",
        SEQUELA,
    ),
    Case("SequelaAnswersDegraded", {f'{OUTCOMES}"ok"}}': "0+90x60"}, 30),
    # Answers from the store and errors do not hide it.
    Case(
        "SequelaAnswersDegraded",
        {
            f'{OUTCOMES}"ok"}}': "0+90x60",
            f'{OUTCOMES}"cached"}}': "0+900x60",
            f'{OUTCOMES}"cut_short"}}': "0+9x60",
        },
        30,
        "9.091% of the explanations were cut short, or had a raised error target.",
        SEQUELA,
    ),
    Case(
        "SequelaBrownout",
        {f"sequela_brownout_level{HERE}}}": "2x60"},
        20,
        "The level on a was at least 2 of 5 at any time.",
        SERVER,
    ),
    Case("SequelaBrownout", {f"sequela_brownout_level{HERE}}}": "2 2 0 2 2x60"}, 14),
    Case(
        "SequelaErrorBarsDrift",
        {
            'sequela_standard_error_sum{job="sequela", level="event"}': "0+0.4x200 80.8+0.8x40",
            'sequela_standard_error_count{job="sequela", level="event"}': "0+100x250",
        },
        2180,
        "The mean standard error of the level event is 8m.",
        (("job", "sequela"), ("level", "event")),
        10,
    ),
    Case(
        "SequelaErrorBarsDrift",
        {
            'sequela_standard_error_sum{job="sequela", level="event"}': "0+0.4x250",
            'sequela_standard_error_count{job="sequela", level="event"}': "0+100x250",
        },
        2180,
        step_minutes=10,
    ),
    Case(
        "SequelaAttributionsDoNotAddUp",
        {
            'sequela_additivity_residual_bucket{job="sequela", level="cell", le="1e-06"}': "0+9x60",
            'sequela_additivity_residual_bucket{job="sequela", level="cell", le="1e-05"}': "0+10x60",
            'sequela_additivity_residual_bucket{job="sequela", level="cell", le="+Inf"}': "0+10x60",
        },
        20,
        "A sum of the level cell is off by up to 10u. This is a bug.",
        (("job", "sequela"), ("level", "cell")),
    ),
    Case(
        "SequelaAttributionsDoNotAddUp",
        {
            'sequela_additivity_residual_bucket{job="sequela", level="cell", le="1e-09"}': "0+9x60",
            'sequela_additivity_residual_bucket{job="sequela", level="cell", le="1e-06"}': "0+10x60",
            'sequela_additivity_residual_bucket{job="sequela", level="cell", le="+Inf"}': "0+10x60",
        },
        20,
    ),
    Case("SequelaDown", {f"up{HERE}}}": "0x9"}, 5, "a has not answered Prometheus for two minutes.", SERVER),
    # All targets are gone, as when a deployment was deleted.
    Case(
        "SequelaDown", {f"up{HERE}}}": "1x5 stale"}, 15, "Prometheus has found no server for two minutes.", ()
    ),
    Case("SequelaDown", {f"up{HERE}}}": "1x9", 'up{job="redis", instance="a"}': "0x9"}, 5),
    Case(
        "SequelaModelNotReady",
        {f'sequela_model_state{HERE}, model="gru/{version}", state="ready"}}': "0x30" for version in (1, 2)},
        15,
        "No version of gru on a has been ready for ten minutes.",
        (("name", "gru"), *SERVER),
    ),
    # The earlier version answers.
    Case("SequelaModelNotReady", BROKEN_VERSION, 15),
    Case(
        "SequelaVersionNotReady",
        BROKEN_VERSION,
        15,
        "gru/2 on a has been loading, or has failed, for ten minutes.",
        (("model", "gru/2"), ("state", "ready"), *SERVER),
    ),
    *(
        Case(alert, {f'sequela_model_state{HERE}, model="gru/1", state="failed"}}': "0x30"}, 15)
        for alert in ("SequelaModelNotReady", "SequelaVersionNotReady")
    ),
    Case(
        "SequelaModelAbsent",
        {f'sequela_model_absent{HERE}, model="gru/1"}}': "1x30"},
        10,
        "Requests for gru/1 on a have failed in an engine for five minutes, since its files have changed or cannot be "
        "read.",
        (("model", "gru/1"), *SERVER),
    ),
    # An engine lacked it for two minutes.
    Case("SequelaModelAbsent", {f'sequela_model_absent{HERE}, model="gru/1"}}': "0x4 1x1 0x20"}, 7),
    Case(
        "SequelaEnginesDown",
        {f'sequela_engines_up{HERE}, class="trusted"}}': "0x30"},
        5,
        "On a, no engine of the class trusted can take work.",
        (("class", "trusted"), *SERVER),
    ),
    # A server without engines has no series.
    Case("SequelaEnginesDown", {f"up{HERE}}}": "1x30"}, 5),
    Case(
        "SequelaEnginesLost",
        {f'sequela_engine_exits_total{HERE}, class="trusted", reason="crashed"}}': "0+1x60"},
        30,
        "On a, about 15 engines of the class trusted ended in 15 minutes (crashed).",
        (("class", "trusted"), ("reason", "crashed"), *SERVER),
    ),
    Case(
        "SequelaEnginesLost",
        {f'sequela_engine_exits_total{HERE}, class="untrusted", reason="retired"}}': "0+1x60"},
        30,
    ),
    Case(
        "SequelaEndpointDown",
        {f'sequela_circuit_state{HERE}, target="gru/1"}}': "1x30"},
        10,
        "The circuit breaker of gru/1 on a has been open for five minutes.",
        (("target", "gru/1"), *SERVER),
    ),
    Case("SequelaEndpointDown", {f'sequela_circuit_state{HERE}, target="gru/1"}}': "1 1 1 0x30"}, 10),
    Case(
        "SequelaStoreDown",
        {f'sequela_store_up{HERE}, store="redis"}}': "0x30"},
        10,
        "The store (redis) of a has been down for five minutes. Explanations go on.",
        (("store", "redis"), *SERVER),
    ),
    Case("SequelaStoreDown", {f"up{HERE}}}": "1x30"}, 10),
    Case(
        "SequelaExplanationsOwed",
        {f'sequela_store_owed{HERE}, store="redis"}}': "2x30"},
        20,
        "2 explanations wait on a, and for 15 minutes there was always one.",
        (("store", "redis"), *SERVER),
    ),
    Case("SequelaExplanationsOwed", {f'sequela_store_owed{HERE}, store="redis"}}': "0x10 2x5 0x30"}, 20),
    # The server has just started, or Redis has just gone.
    Case("SequelaExplanationsOwed", {f'sequela_store_owed{HERE}, store="redis"}}': "_x20 3x30"}, 22),
    *(
        Case(
            "SequelaExplanationsLost",
            {f"{name}{HERE}}}": "0x10 15x30"},
            20,
            "About 15 explanations on a in 15 minutes.",
            SERVER,
        )
        for name in (
            "sequela_store_not_kept_total",
            "sequela_store_owed_dropped_total",
            "sequela_store_removed_early_total",
        )
    ),
    Case("SequelaExplanationsLost", {f"sequela_store_not_kept_total{HERE}}}": "15x40"}, 30),
    Case(
        "SequelaCredentialsNotReloaded",
        # The series begins with the first failure.
        {
            f'sequela_credential_reloads_total{HERE}, source="tls", outcome="failed"}}': "_x5 1x40",
        },
        10,
        "a goes on with the last good content of tls.",
        (("outcome", "failed"), ("source", "tls"), *SERVER),
    ),
    Case(
        "SequelaCredentialsNotReloaded",
        {f'sequela_credential_reloads_total{HERE}, source="tls", outcome="failed"}}': "1x40"},
        30,
    ),
    Case(
        "SequelaCredentialsNotReloaded",
        {f'sequela_credential_reloads_total{HERE}, source="tls", outcome="ok"}}': "0+1x40"},
        30,
    ),
    Case(
        "SequelaAuditLinesLost",
        {f"sequela_audit_lines_lost_total{HERE}}}": "0x10 15x30"},
        20,
        "About 15 lines could not be written on a in 15 minutes.",
        SERVER,
    ),
    Case("SequelaAuditLinesLost", {f"sequela_audit_lines_lost_total{HERE}}}": "0x40"}, 20),
]


def _promtool(*arguments: str | Path) -> str:
    if not shutil.which("promtool"):
        pytest.skip("there is no promtool")
    command = ["promtool", *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def _as_test(case: Case) -> dict[str, Any]:
    rule = ALERTS[case.alert]
    annotations = {**rule["annotations"], "description": case.description}
    fires = {"exp_labels": {**rule["labels"], **dict(case.labels)}, "exp_annotations": annotations}
    return {
        "interval": f"{case.step_minutes}m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{case.minutes}m",
                "alertname": case.alert,
                "exp_alerts": [fires] if case.description else [],
            }
        ],
    }


@pytest.mark.slow
@pytest.mark.parametrize("step_minutes", [1, 10])
def test_alerts_fire_and_are_quiet(step_minutes: int, tmp_path: Path) -> None:
    """All cases of a step, in one run of promtool. Days have longer steps, since it evaluates every rule at each."""
    rules = [str(RULES / name) for name in ("recording.yml", "alerts.yml")]
    cases = [_as_test(case) for case in CASES if case.step_minutes == step_minutes]
    groups = [group["name"] for path in rules for group in yaml.safe_load(Path(path).read_text())["groups"]]
    # Without an order, promtool evaluates alerts before what they are computed from, or after it.
    told = {
        "rule_files": rules,
        "evaluation_interval": f"{step_minutes}m",
        "group_eval_order": groups,
        "tests": cases,
    }
    path = tmp_path / "rules.test.yml"
    path.write_text(yaml.safe_dump(told, width=10_000))
    _promtool("test", "rules", path)


def test_every_alert_has_both_cases() -> None:
    """One in which it fires, and one in which it is quiet."""
    for fires in (True, False):
        assert {case.alert for case in CASES if bool(case.description) is fires} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do(name: str) -> None:
    """A summary, a description, and a runbook that exists; a severity that says how soon."""
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert (page, anchor) == ("docs/operations.md", name.lower())
    assert anchor in anchors((ROOT / page).read_text())


def test_the_files_are_valid() -> None:
    """As promtool sees the configuration, with the rules that it names."""
    out = _promtool("check", "config", ROOT / "deploy" / "prometheus" / "prometheus.yml")
    assert "2 rule files" in out
