"""The routes of cohorts."""

from __future__ import annotations

from sequela_console.api_route import ApiRoute

ROUTES: tuple[ApiRoute, ...] = ()
