"""The errors of reports over cohorts."""

from __future__ import annotations

from sequela_client.errors import CallerError


class NotInCohort(CallerError):
    """A report needs something that the cohort's rows do not have; the message says how to get it."""
