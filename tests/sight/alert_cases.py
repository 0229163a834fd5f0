"""Cases of the alerts on requests, and what all cases are made of."""

from __future__ import annotations

from dataclasses import dataclass

EXPLAIN = 'grpc_server_handled_total{job="sequela", grpc_service="sequela.v1.ExplanationService"'
HEALTH = 'grpc_server_handled_total{job="sequela", grpc_service="grpc.health.v1.Health"'
OK, BROKEN, WRONG, LATE = (
    f'{EXPLAIN}, grpc_code="{code}"}}' for code in ("OK", "INTERNAL", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED")
)
HTTP = 'sequela_http_requests_total{job="sequela", code='
ITEMS = 'sequela_stream_items_total{job="sequela", grpc_code='
REFUSED = 'sequela_requests_rejected_total{job="sequela", where="explain", reason='
OUTCOMES = 'sequela_explanations_total{job="sequela", outcome='
HERE = '{job="sequela", instance="a"'
BROKEN_VERSION = {
    f'sequela_model_state{HERE}, model="gru/1", state="ready"}}': "1x30",
    f'sequela_model_state{HERE}, model="gru/2", state="ready"}}': "0x30",
}


@dataclass(frozen=True)
class Case:
    """Series with a value every `step_minutes`, and what an alert says after some minutes.

    `description` is None if the alert must be quiet, and `labels` are those of the alert besides its severity.
    """

    alert: str
    series: dict[str, str]
    minutes: int
    description: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    step_minutes: int = 1


def _requests(broken: str, fine: str = "0+600x5000") -> dict[str, str]:
    return {OK: fine, BROKEN: broken}


SEQUELA, SERVER = (("job", "sequela"),), (("instance", "a"), ("job", "sequela"))
REQUEST_CASES = [
    Case(
        "SequelaErrorBudgetBurnsFast",
        _requests("0+12x120"),
        70,
        "1.961% of the requests of the last hour failed; at most 0.1 % may, over 30 days.",
        SEQUELA,
    ),
    # The short window ends the alert soon after the errors end.
    Case("SequelaErrorBudgetBurnsFast", _requests("0+12x70 840x60"), 80),
    # What callers did wrong does not count, nor do probes.
    Case("SequelaErrorBudgetBurnsFast", {OK: "0+600x120", WRONG: "0+600x120"}, 70),
    Case(
        "SequelaErrorBudgetBurnsFast", {OK: "0+600x120", f'{HEALTH}, grpc_code="UNAVAILABLE"}}': "0+9x99"}, 70
    ),
    # Without any error the ratio is 0, and without any request there is none.
    Case("SequelaErrorBudgetBurnsFast", {OK: "0+600x120"}, 70),
    Case("SequelaErrorBudgetBurnsFast", _requests("5x120", "600x120"), 70),
    Case(
        "SequelaErrorBudgetBurnsFast",
        {f'{HTTP}"200"}}': "0+90x120", f'{HTTP}"503"}}': "0+5x120", f'{HTTP}"429"}}': "0+5x120"},
        70,
        "10% of the requests of the last hour failed; at most 0.1 % may, over 30 days.",
        SEQUELA,
    ),
    # A stream ends with OK although its items fail, so items count.
    Case(
        "SequelaErrorBudgetBurnsFast",
        {OK: "0+2x120", f'{ITEMS}"INTERNAL"}}': "0+598x120"},
        70,
        "99.67% of the requests of the last hour failed; at most 0.1 % may, over 30 days.",
        SEQUELA,
    ),
    Case("SequelaErrorBudgetBurnsFast", {OK: "0+2x120", f'{ITEMS}"OK"}}': "0+600x120"}, 70),
    # A deadline that is too short for an idle server is the fault of the caller; other deadlines count.
    Case(
        "SequelaErrorBudgetBurnsFast",
        {OK: "0+90x120", LATE: "0+10x120", f'{REFUSED}"DEADLINE_TOO_SHORT"}}': "0+10x120"},
        70,
    ),
    Case(
        "SequelaErrorBudgetBurnsFast",
        {OK: "0+90x120", LATE: "0+10x120", f'{REFUSED}"DEADLINE_TOO_SHORT"}}': "0+5x120"},
        70,
        "5% of the requests of the last hour failed; at most 0.1 % may, over 30 days.",
        SEQUELA,
    ),
    # They do not hide other errors, and are not more than the deadlines that passed.
    Case(
        "SequelaErrorBudgetBurnsFast",
        {OK: "0+90x120", BROKEN: "0+10x120", f'{REFUSED}"DEADLINE_TOO_SHORT"}}': "0+50x120"},
        70,
        "10% of the requests of the last hour failed; at most 0.1 % may, over 30 days.",
        SEQUELA,
    ),
    # One failure in a quiet night wakes nobody.
    Case("SequelaErrorBudgetBurnsFast", _requests("0x66 1x60", "0+1x200"), 70),
    Case("SequelaErrorBudgetBurns", _requests("0x38 1x20", "0+1x60"), 400, step_minutes=10),
    # Installations do not hide each other.
    Case(
        "SequelaErrorBudgetBurnsFast",
        {
            OK.replace("}", ', namespace="load"}'): "0+100000x120",
            BROKEN.replace("}", ', namespace="live"}'): "0+10x120",
        },
        70,
        "100% of the requests of the last hour failed; at most 0.1 % may, over 30 days.",
        (*SEQUELA, ("namespace", "live")),
    ),
    Case(
        "SequelaErrorBudgetBurns",
        _requests("0+6x50"),
        400,
        "0.9901% of the requests of the last six hours failed; at most 0.1 % may, over 30 days.",
        SEQUELA,
        10,
    ),
    Case("SequelaErrorBudgetBurns", _requests("0+3x50"), 400, step_minutes=10),
    Case(
        "SequelaErrorBudgetBurnsSlowly",
        _requests("0+1x500"),
        4500,
        "0.1664% of the requests of the last three days failed; at most 0.1 % may, over 30 days.",
        SEQUELA,
        10,
    ),
    Case("SequelaErrorBudgetBurnsSlowly", _requests("0+1x500", "0+2000x500"), 4500, step_minutes=10),
    Case(
        "SequelaRefusesRequests",
        {
            **_requests("0+0x60"),
            f'{REFUSED}"QUEUE_FULL"}}': "0+60x60",
        },
        20,
        "About 300 requests in five minutes were refused, because queues are full or deadlines pass in them.",
        SEQUELA,
    ),
    # Items of streams are requests too.
    Case(
        "SequelaRefusesRequests",
        {
            OK: "0+2x60",
            f'{ITEMS}"OK"}}': "0+60000x60",
            f'{ITEMS}"RESOURCE_EXHAUSTED"}}': "0+10x60",
            f'{REFUSED}"QUEUE_FULL"}}': "0+10x60",
        },
        20,
    ),
    Case("SequelaRefusesRequests", {OK: "0+9x60", f'{REFUSED}"DEADLINE_TOO_SHORT"}}': "0+60x60"}, 20),
    Case("SequelaRefusesRequests", {OK: "0+9x60", f'{REFUSED}"QUEUE_FULL"}}': "0x15 1x60"}, 20),
    Case(
        "SequelaRefusesRequests",
        {
            **_requests("0+0x60"),
            f'{REFUSED}"DRAINING"}}': "0+60x60",
        },
        20,
    ),
]
