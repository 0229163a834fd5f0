"""Which variant of a cohort a question is about."""

from __future__ import annotations

from dataclasses import replace

from sequela_client.cohort.dataset import Cohort
from sequela_client.errors import CallerError

from sequela_console.cohort_files.open_cohort import OpenCohort
from sequela_console.cohorts.event_spec import EventSpec
from sequela_console.http.errors import not_found


def rows_of_variant(cohort: OpenCohort, name: str | None) -> Cohort:
    """Returns the rows of a variant; without a name, those of the only one.

    Raises:
        ApiError: 404, there is no such variant.
        CallerError: there are several, and none was named.
    """
    chosen = only_variant(cohort, name)
    check_variant(cohort, chosen)
    # No other variant has all the parts of a full name, such as "checkpoint=200,seed=3".
    parts = tuple(chosen.split(",")) if len(cohort.variants) > 1 else ()
    return replace(cohort.rows, variant_parts=parts)


def only_variant(cohort: OpenCohort, name: str | None) -> str:
    """Returns the named variant, else the only one. Raises CallerError if there are several and none is named."""
    if name is not None:
        return name
    known = cohort.variants
    if len(known) > 1:
        raise CallerError(
            f"the cohort has {len(known)} variants; choose one of them", reason="VARIANT_NOT_CHOSEN"
        )
    return known[0] if known else ""


def check_variant(cohort: OpenCohort, name: str) -> None:
    """Raises ApiError (404) if a cohort with rows has no variant of this name."""
    known = cohort.variants
    if known and name not in known:
        raise not_found("VARIANT_NOT_FOUND", f"the cohort {cohort.name!r} has no variant {name[:80]!r}")


def with_variants(cohort: OpenCohort, spec: EventSpec) -> EventSpec:
    """Returns a spec that names its variants, all of which the cohort has."""
    named = spec.variants or (only_variant(cohort, None),)
    for each in named:
        check_variant(cohort, each)
    return replace(spec, variants=named)
