"""The errors of reports over cohorts."""

from __future__ import annotations

from sequela_client.errors import CallerError


class NotInCohort(CallerError):
    """A report needs something that the rows do not have. The message says how to get it."""
