"""The routes of alerts."""

from __future__ import annotations

from sequela_console.api_route import ApiRoute

ROUTES: tuple[ApiRoute, ...] = ()
