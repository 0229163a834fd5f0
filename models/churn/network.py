"""The model (one GRU with attention over its months) and its training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.churn.features import FEATURES
from models.churn.histories import History

HIDDEN = 16
ATTENTION = 16
BATCH = 1024
LEARNING_RATE = 1e-4  # small, so that what is learnt first and later lies in different checkpoints


class ChurnModel(nn.Module):
    """A network that gives the probability, (n, 1), of no purchase in the next half-year, and the attention, (n, l).

    With h_t, the states of a GRU: a_t = softmax over t of v · tanh(W h_t + b), and the head reads the sum of a_t h_t.
    """

    def __init__(self) -> None:
        """Draws random weights from torch's generator."""
        super().__init__()
        self.gru = nn.GRU(len(FEATURES), HIDDEN, batch_first=True)
        self.attention = nn.Sequential(
            nn.Linear(HIDDEN, ATTENTION), nn.Tanh(), nn.Linear(ATTENTION, 1, bias=False)
        )
        self.head = nn.Linear(HIDDEN, 1)

    def logits(self, months: Tensor) -> tuple[Tensor, Tensor]:
        """The log-odds (n, 1), and the attention (n, l), of months (n, l, 4) float32, oldest first."""
        states, _ = self.gru(months)
        attention = torch.softmax(self.attention(states).squeeze(2), dim=1)
        context = (attention.unsqueeze(2) * states).sum(dim=1)
        return self.head(context), attention

    def forward(self, months: Tensor) -> tuple[Tensor, Tensor]:
        """The probabilities (n, 1), and the attention (n, l)."""
        logits, attention = self.logits(months)
        return torch.sigmoid(logits), attention


def train(rows: Sequence[History], epochs: int, seed: int) -> Iterator[tuple[ChurnModel, float]]:
    """Trains on the histories, and gives the model and its mean loss after each epoch. It is always the same model."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = ChurnModel()
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    groups = _by_length(rows)
    for _ in range(epochs):
        losses = []
        for months, churned in _batches(rng, groups):
            logits, _ = model.logits(months)
            loss = nn.functional.binary_cross_entropy_with_logits(logits, churned)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
        yield model, float(np.mean(losses))


def _by_length(rows: Sequence[History]) -> list[tuple[Tensor, Tensor]]:
    """Inputs (n, l, 4) and classes (n, 1) of the histories of each length, so that no padding is needed."""
    groups = []
    for length in sorted({len(row) for row in rows}):
        alike = [row for row in rows if len(row) == length]
        churned = torch.tensor([[float(row.churned)] for row in alike])
        groups.append((torch.from_numpy(np.stack([row.inputs() for row in alike])), churned))
    return groups


def _batches(
    rng: np.random.Generator, groups: Sequence[tuple[Tensor, Tensor]]
) -> list[tuple[Tensor, Tensor]]:
    """Batches of histories of one length each, in random order."""
    batches = []
    for months, churned in groups:
        order: NDArray[np.int64] = rng.permutation(len(months))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            batches.append((months[rows], churned[rows]))
    return [batches[place] for place in rng.permutation(len(batches))]
