"""What engines get of the server's environment."""

from __future__ import annotations

from sequela.engines.fork_client import engine_environment


def test_no_secret_is_passed_on() -> None:
    given = {"SEQUELA_REDIS_URL": "redis://:secret@host", "AWS_SECRET_ACCESS_KEY": "secret", "HOME": "/root"}
    assert not given.keys() & engine_environment(given).keys()


def test_what_chooses_how_numbers_are_computed_is_passed_on() -> None:
    """Otherwise the last bits of an answer would depend on whether there are engines."""
    given = {"OPENBLAS_CORETYPE": "Haswell", "MKL_CBWR": "COMPATIBLE", "NPY_DISABLE_CPU_FEATURES": "AVX512F"}
    assert given.items() <= engine_environment(given).items()


def test_engines_compute_with_one_thread() -> None:
    """Whatever the server is told: its pool decides how many engines there are."""
    given = {"OPENBLAS_NUM_THREADS": "8", "MKL_NUM_THREADS": "8", "OMP_NUM_THREADS": "8"}
    passed = engine_environment(given | {"MKL_DOMAIN_NUM_THREADS": "MKL_BLAS=8"})
    assert "MKL_DOMAIN_NUM_THREADS" not in passed
    assert {passed[f"{name}_NUM_THREADS"] for name in ("OPENBLAS", "MKL", "OMP")} == {"1"}
