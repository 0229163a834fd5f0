"""The model (embeddings, one GRU and a feed-forward head) and its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.account_takeover.features import CATEGORICAL, NUMERIC
from models.account_takeover.simulate import Account

HIDDEN = 32
LONGEST_TRAINED = 128  # number of events; older ones are not related to a takeover
BATCH = 256


class TakeoverModel(nn.Module):
    """A network that gives the probability, (n, 1), that the last events of an account are a takeover."""

    def __init__(self) -> None:
        """Draws random weights from torch's generator."""
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(len(f.categories), 3) for f in CATEGORICAL)
        self.gru = nn.GRU(len(NUMERIC) + 3 * len(CATEGORICAL), HIDDEN, batch_first=True)
        self.head = nn.Sequential(nn.Linear(HIDDEN, 16), nn.ReLU(), nn.Linear(16, 1))

    def logits(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        """Returns the log-odds (n, 1) of numeric (n, l, 9) float32 and categorical (n, l, 8) int64 inputs, oldest event
        first.
        """
        embedded = [embed(categorical[:, :, k]) for k, embed in enumerate(self.embeddings)]
        _, last = self.gru(torch.cat([numeric, *embedded], dim=2))
        logits: Tensor = self.head(last[0])
        return logits

    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        """Returns the probabilities (n, 1)."""
        return torch.sigmoid(self.logits(numeric, categorical))


def train(
    accounts: Sequence[Account], epochs: int, seed: int, report: Callable[[str], None]
) -> TakeoverModel:
    """Trains on the recent events of the accounts, and reports the mean loss of each epoch."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = TakeoverModel()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    ordered = sorted(accounts, key=lambda account: len(account.history))
    inputs = [(a.numeric()[-LONGEST_TRAINED:], a.categorical()[-LONGEST_TRAINED:]) for a in ordered]
    labels = torch.tensor([[float(a.takeover is not None)] for a in ordered])
    for epoch in range(epochs):
        losses = []
        for rows in _batches(rng, len(ordered)):
            numeric, categorical = _stack(rng, [inputs[row] for row in rows])
            logits = model.logits(numeric, categorical)
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels[rows])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
        schedule.step()
        report(f"Epoch {epoch + 1:2d} of {epochs}: loss {np.mean(losses):.4f}")
    return model


def _stack(
    rng: np.random.Generator, inputs: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]]
) -> tuple[Tensor, Tensor]:
    """Returns a batch in which all sequences are cut to one length, so that no padding is needed."""
    length = min(int(rng.integers(8, LONGEST_TRAINED + 1)), *(len(numeric) for numeric, _ in inputs))
    numeric = np.stack([numeric[-length:] for numeric, _ in inputs])
    categorical = np.stack([categorical[-length:] for _, categorical in inputs])
    return torch.from_numpy(numeric), torch.from_numpy(categorical)


def _batches(rng: np.random.Generator, count: int) -> list[list[int]]:
    """Batches of rows of similar length, in random order."""
    jittered = np.argsort(np.arange(count) + rng.normal(0.0, BATCH, count))
    batches = [jittered[start : start + BATCH].tolist() for start in range(0, count, BATCH)]
    rng.shuffle(batches)
    return batches
