"""The routes of alerts."""

from __future__ import annotations

from sequela_console.alerts import (
    changes,
    choices,
    documents,
    embed_links,
    exports,
    listing,
    marks,
    replays,
    saved_views,
    similar,
    trials,
)
from sequela_console.api_route import ApiRoute

_ALERT = "/api/alerts/{id}"

ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute("GET", "/api/alerts", listing.alert_page),
    ApiRoute("GET", _ALERT, documents.get_document),
    ApiRoute("GET", f"{_ALERT}/neighbours", listing.neighbours),
    ApiRoute("GET", f"{_ALERT}/labels", marks.get_labels),
    ApiRoute("POST", f"{_ALERT}/labels", marks.post_label),
    ApiRoute("GET", f"{_ALERT}/trail", marks.get_trail),
    ApiRoute("POST", f"{_ALERT}/opened", marks.post_opened),
    ApiRoute("POST", f"{_ALERT}/shared", marks.post_shared),
    ApiRoute("POST", f"{_ALERT}/score", trials.post_score, role="explain"),
    ApiRoute("POST", f"{_ALERT}/explain", trials.post_explain, role="explain"),
    ApiRoute("POST", f"{_ALERT}/replay", replays.post_replay, role="explain"),
    ApiRoute("POST", f"{_ALERT}/changes", changes.post_changes, role="explain"),
    ApiRoute("GET", f"{_ALERT}/similar", similar.get_similar),
    ApiRoute("GET", f"{_ALERT}/export.json", exports.export_json),
    ApiRoute("GET", f"{_ALERT}/export.csv", exports.export_csv),
    ApiRoute("POST", f"{_ALERT}/embed-link", embed_links.post_embed_link),
    ApiRoute("GET", "/api/labels.csv", exports.labels_csv),
    ApiRoute("GET", "/api/labels.json", exports.labels_json),
    ApiRoute("GET", "/api/models", choices.get_models),
    ApiRoute("GET", "/api/backgrounds", choices.get_backgrounds),
    ApiRoute("POST", "/api/links", saved_views.post_link),
    ApiRoute("GET", "/api/links/{id}", saved_views.get_link),
    ApiRoute("GET", "/api/index", lambda console, _: console.index.state()),
)
