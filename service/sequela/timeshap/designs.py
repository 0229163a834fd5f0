"""Supplies the designs of a game: matrices that depend on its players, its seed and its sizes, but on no value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sequela.timeshap.coalitions import strata, unknown_shares
from sequela.timeshap.control_variate.further_pairs import FurtherDesign, further_design
from sequela.timeshap.control_variate.process_design import ProcessDesign, known_signs, process_design
from sequela.timeshap.control_variate.rank_kernels import rank_kernel
from sequela.timeshap.control_variate.sparse_fit import SparseDesign, sparse_design
from sequela.timeshap.pair_order import Pairs
from sequela.timeshap.sample_design import JobRunner, SampleDesign, in_turn, sample_design


class Designs(Protocol):
    """The designs of one game. `counts` says how many pairs of each stratum are known."""

    @property
    def players(self) -> int:
        """The number of players m."""
        ...

    def sample(self, counts: Sequence[int], run_jobs: JobRunner = in_turn) -> SampleDesign:
        """Returns the design of the base estimator. `run_jobs` runs its summations."""
        ...

    def process(self, counts: Sequence[int], effective_players: float) -> ProcessDesign:
        """Returns the design of the process with this rank kernel (rank_kernels.py)."""
        ...

    def further(self, known: Sequence[int], counts: Sequence[int]) -> FurtherDesign:
        """Returns all pairs of a sample, and which of them a process knows (further_pairs.py)."""
        ...

    def sparse(self, counts: Sequence[int]) -> SparseDesign:
        """Returns the design of sparse fits (sparse_fit.py)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class NewDesigns:
    """Designs that are built whenever they are asked for. Implements `Designs`."""

    sampler: Pairs

    @property
    def players(self) -> int:
        """As in `Designs`."""
        return self.sampler.players

    def sample(self, counts: Sequence[int], run_jobs: JobRunner = in_turn) -> SampleDesign:
        """As in `Designs`."""
        return sample_design(self.sampler, strata(self.players), counts, run_jobs)

    def process(self, counts: Sequence[int], effective_players: float) -> ProcessDesign:
        """As in `Designs`."""
        kernel, signs = rank_kernel(self.players, effective_players), known_signs(self.sampler, counts)
        return process_design(kernel, signs, unknown_shares(self.players, counts), np.float32)

    def further(self, known: Sequence[int], counts: Sequence[int]) -> FurtherDesign:
        """As in `Designs`."""
        return further_design(self.sampler, known, counts)

    def sparse(self, counts: Sequence[int]) -> SparseDesign:
        """As in `Designs`."""
        return sparse_design(known_signs(self.sampler, counts))
