"""The routes of alerts."""

from __future__ import annotations

from sequela_console.alerts import documents, listing, marks
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
    ApiRoute("GET", "/api/index", lambda console, _: console.index.state()),
)
