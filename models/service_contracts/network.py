"""The model (one LSTM with attention over its months) and its training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from models.service_contracts.features import FEATURES

HIDDEN = 16
ATTENTION = 16
BATCH = 256
LEARNING_RATE = 2e-4  # small, so that what is learnt first and later lies in different checkpoints


class ContractModel(nn.Module):
    """A network that gives the probability, (n, 1), that the contract is not renewed, and the attention, (n, l).

    Attention as in AttributionHeatmap, equation 1: a_t = softmax over t of a(h_t). The head reads the sum of a_t h_t.
    """

    def __init__(self) -> None:
        """Draws random weights from torch's generator."""
        super().__init__()
        self.lstm = nn.LSTM(len(FEATURES), HIDDEN, batch_first=True)
        self.attention = nn.Sequential(
            nn.Linear(HIDDEN, ATTENTION), nn.Tanh(), nn.Linear(ATTENTION, 1, bias=False)
        )
        self.head = nn.Linear(HIDDEN, 1)

    def logits(self, months: Tensor) -> tuple[Tensor, Tensor]:
        """The log-odds (n, 1), and the attention (n, l), of months (n, l, 14) float32, oldest first."""
        states, _ = self.lstm(months)
        attention = torch.softmax(self.attention(states).squeeze(2), dim=1)
        context = (attention.unsqueeze(2) * states).sum(dim=1)
        return self.head(context), attention

    def forward(self, months: Tensor) -> tuple[Tensor, Tensor]:
        """The probabilities (n, 1), and the attention (n, l)."""
        logits, attention = self.logits(months)
        return torch.sigmoid(logits), attention


def train(months: Tensor, churned: Tensor, epochs: int, seed: int) -> Iterator[tuple[ContractModel, float]]:
    """Trains, and gives the model and its mean loss after each epoch. It is always the same model."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = ContractModel()
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    for _ in range(epochs):
        losses = []
        order = rng.permutation(len(months))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            logits, _ = model.logits(months[rows])
            loss = nn.functional.binary_cross_entropy_with_logits(logits, churned[rows])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
        yield model, float(np.mean(losses))
