"""A conditional random field over whole rows of detections, its scores learnt from examples.

It weighs every admissible labelling of a scan: what a small network thinks of each detection in
its surroundings, how well distances and directions suit, and how likely it is in a scan with such
a field of view that T12 is absent, that T13 or L6 is there, that the sacrum was detected, that a
vertebra was missed or a detection is spurious. All of it is trained together, on the probability
of the true labelling as a whole, so that evidence shared by neighbours is not counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from .keypoint_emission import KeypointEmission
from .keypoint_features import (
    N_FEATURES,
    N_SCAN_FEATURES,
    detection_features,
    scan_features,
)
from .keypoint_rows import KeypointRows
from .keypoint_steps import IMPOSSIBLE, KINDS, StepTable
from .level_statistics import L6, N_STATES, SACRUM, T13

_TINY = 1e-30
"""Keeps logarithms of impossible steps finite."""

_LOWEST_EVIDENCE = -12.0
"""No single detection rules a level out."""


@dataclass(frozen=True)
class SeenRows:
    """What a field sees of the detections of `s` scans.

    Attributes
    ----------
    features : Tensor, shape (s, n, N_FEATURES)
    scan_features : Tensor, shape (s, N_SCAN_FEATURES)
    evidence : Tensor, shape (s, n, 27)
        Log-likelihoods of the levels by each detection alone.
    """

    features: torch.Tensor
    scan_features: torch.Tensor
    evidence: torch.Tensor

    def part(self, scans: np.ndarray, n: int) -> SeenRows:
        """Return some of the scans, the first `n` detections of each."""
        at = torch.from_numpy(np.asarray(scans))
        return SeenRows(self.features[at, :n], self.scan_features[at], self.evidence[at, :n])


def see(rows: KeypointRows, emission: KeypointEmission) -> SeenRows:
    """Describe the detections of `rows` for a field."""
    likelihood = emission.log_likelihoods(rows.regions.reshape(-1, 3))
    likelihood = np.maximum(likelihood - likelihood.max(1, keepdims=True), _LOWEST_EVIDENCE)
    shape = *rows.target.shape, N_STATES
    return SeenRows(
        torch.from_numpy(detection_features(rows)),
        torch.from_numpy(scan_features(rows)),
        torch.from_numpy(likelihood.reshape(shape).astype(np.float32)),
    )


@dataclass(frozen=True)
class FieldScores:
    """Log scores of the labellings of `s` scans with up to `n` detections.

    Attributes
    ----------
    node : Tensor, shape (s, n, 27)
    spurious : Tensor, shape (s, n)
    start, end : Tensor, shape (s, 27)
    steps : tuple of Tensor, shape (s, n - 1 - gap, 27, m)
        For every gap: into detection ``gap + 1`` and so on, see `StepTable`.
    """

    node: torch.Tensor
    spurious: torch.Tensor
    start: torch.Tensor
    end: torch.Tensor
    steps: tuple[torch.Tensor, ...]

    def given(self, target: torch.Tensor) -> FieldScores:
        """Return the scores with targets (s, n) fixed where they are known (not negative)."""
        known = target >= 0
        wrong = torch.full_like(self.node, IMPOSSIBLE)
        wrong.scatter_(2, target.clamp(min=0)[..., None], 0.0)
        return FieldScores(
            self.node + wrong * known[..., None],
            self.spurious + IMPOSSIBLE * known,
            self.start,
            self.end,
            self.steps,
        )


class KeypointField(nn.Module):
    """Scores from features, see the module's description.

    Parameters
    ----------
    hidden : int
        Width of the network that looks at each detection.
    dropout : float
    """

    def __init__(self, hidden: int = 96, dropout: float = 0.3) -> None:
        super().__init__()
        half = hidden // 2
        self.detection = nn.Sequential(
            nn.Linear(N_FEATURES, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, half),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(half, N_STATES + 1),
        )
        self.scan = nn.Sequential(
            nn.Linear(N_SCAN_FEATURES, 24),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Linear(24, len(KINDS) + 2 * N_STATES),
        )
        self.geometry_weights = nn.Parameter(torch.tensor([0.4, 0.3]))
        self.evidence_weight = nn.Parameter(torch.tensor(0.4))
        self.spurious = nn.Parameter(torch.tensor(-5.0))
        with torch.no_grad():
            self.scan[-1].weight.zero_()
            bias = self.scan[-1].bias.zero_()
            bias[: len(KINDS)] = torch.tensor([-4.0, -4.0, -3.0, -1.0, -4.0])
            for level, rarity in ((T13, -4.0), (L6, -4.0), (SACRUM, -6.0)):
                bias[len(KINDS) + level] = rarity

    def level_logits(self, features: torch.Tensor, evidence: torch.Tensor) -> torch.Tensor:
        """What single detections seem to be, (..., 27); the network corrects the evidence."""
        return self._looked_at(features, evidence)[0]

    def forward(
        self, seen: SeenRows, rows: KeypointRows, table: StepTable, gaps: int
    ) -> FieldScores:
        """Score the labellings of scans with at most ``gaps - 1`` spurious detections in a row."""
        logits, spurious = self._looked_at(seen.features, seen.evidence)
        node = torch.log_softmax(logits, -1)
        spurious = spurious + self.spurious
        padded = torch.from_numpy(~rows.present)
        node = node.masked_fill(padded[..., None], IMPOSSIBLE)
        spurious = spurious.masked_fill(padded, 0.0)
        sizes = len(KINDS), N_STATES, N_STATES
        passing, start, end = self.scan(seen.scan_features).split(sizes, dim=1)
        passed = torch.einsum("sk,lmk->slm", passing, table.counts)[:, None]
        trust = self.geometry_weights.clamp(min=0)
        steps = []
        for gap in range(min(gaps, node.shape[1] - 1)):
            distance, direction = table.geometry(rows.lps_mm, gap)
            steps.append(trust[0] * distance + trust[1] * direction + passed)
        return FieldScores(node, spurious, start, end, tuple(steps))

    def _looked_at(
        self, features: torch.Tensor, evidence: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the levels, (..., 27), and of being spurious, (...)."""
        described = self.detection(features)
        return described[..., :N_STATES] + self.evidence_weight * evidence, described[..., N_STATES]


def log_partition(scores: FieldScores, table: StepTable) -> torch.Tensor:
    """Logarithm of the summed scores of all labellings of each scan, shape (s,)."""
    return _log_partitions(scores, scores.node, scores.spurious, table)


def log_likelihood(scores: FieldScores, target: torch.Tensor, table: StepTable) -> torch.Tensor:
    """Log-probability of what is known of the labelling of each scan, shape (s,).

    Parameters
    ----------
    scores : FieldScores
    target : Tensor of int64, shape (s, n)
        Negative where unknown: every label is admitted.
    table : StepTable
    """
    true = scores.given(target)
    both = _log_partitions(
        scores,
        torch.stack([true.node, scores.node]),
        torch.stack([true.spurious, scores.spurious]),
        table,
    )
    return both[0] - both[1]


def _log_partitions(
    scores: FieldScores, node: torch.Tensor, spurious: torch.Tensor, table: StepTable
) -> torch.Tensor:
    """Sum over all labellings for nodes (..., s, n, 27) that share the other scores."""
    before = nn.functional.pad(spurious.cumsum(-1), (1, 0))
    weights = [torch.exp(steps) for steps in scores.steps]
    reached: list[torch.Tensor] = []
    for j in range(node.shape[-2]):
        ways = [scores.start + before[..., j, None]]
        for gap, weight in enumerate(weights[:j]):
            i = j - 1 - gap
            highest = reached[i].detach().amax(-1, keepdim=True)
            share = torch.exp(reached[i] - highest)[..., table.upper]
            moved = torch.log((share * weight[:, i]).sum(-1) + _TINY) + highest
            ways.append(moved + (before[..., j] - before[..., i + 1])[..., None])
        reached.append(torch.logsumexp(torch.stack(ways), dim=0) + node[..., j, :])
    after = before[..., -1:] - before[..., 1:]
    final = torch.stack(reached, -2) + scores.end[:, None] + after[..., None]
    return torch.logaddexp(torch.logsumexp(final.flatten(-2), -1), before[..., -1])


def label_probabilities(scores: FieldScores, table: StepTable) -> np.ndarray:
    """Probability of every label of each detection over all labellings of its scan.

    Returns
    -------
    ndarray, shape (s, n, 28)
        The 26 levels, the sacrum, and spurious.
    """
    node, spurious = (t.detach().requires_grad_() for t in (scores.node, scores.spurious))
    with torch.enable_grad():
        total = log_partition(replace(scores, node=node, spurious=spurious), table).sum()
    # The derivative by a label's score is how often the label occurs.
    level, none = torch.autograd.grad(total, (node, spurious))
    return torch.cat([level, none[..., None]], -1).numpy()


def best_levels(scores: FieldScores, table: StepTable) -> np.ndarray:
    """Labelling of highest score of each scan (Viterbi).

    Returns
    -------
    ndarray of int, shape (s, n)
        `Level.order`, `SACRUM`, or -1 for spurious and padding.
    """
    node, start, end = (t.numpy() for t in (scores.node, scores.start, scores.end))
    all_steps, upper = [t.numpy() for t in scores.steps], table.upper.numpy()
    before = np.pad(scores.spurious.numpy().cumsum(1), ((0, 0), (1, 0)))
    n_scans, n, _ = node.shape
    reached = np.empty_like(node)
    from_detection = np.full(node.shape, -1)
    from_level = np.zeros(node.shape, int)
    for j in range(n):
        best = start + before[:, j, None]
        for gap, steps in enumerate(all_steps[:j]):
            i = j - 1 - gap
            ways = reached[:, i][:, upper] + steps[:, i]
            chosen = ways.argmax(2)[..., None]
            value = np.take_along_axis(ways, chosen, 2)[..., 0]
            value = value + (before[:, j] - before[:, i + 1])[:, None]
            level = np.take_along_axis(np.broadcast_to(upper, ways.shape), chosen, 2)[..., 0]
            better = value > best
            best = np.where(better, value, best)
            from_detection[:, j][better] = i
            from_level[:, j][better] = level[better]
        reached[:, j] = best + node[:, j]
    after = before[:, -1:] - before[:, 1:]
    final = (reached + end[:, None] + after[..., None]).reshape(n_scans, -1)
    result = np.full((n_scans, n), -1)
    for scan in np.nonzero(final.max(1, initial=-np.inf) >= before[:, -1])[0]:
        j, level = divmod(int(final[scan].argmax()), N_STATES)
        while j >= 0:
            result[scan, j] = level
            j, level = from_detection[scan, j, level], from_level[scan, j, level]
    return result


def mean_scores(scores: list[FieldScores]) -> FieldScores:
    """Average the scores that several fields give to the same scans."""

    def mean(tensors: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack(tensors).mean(0)

    return FieldScores(
        *(
            mean([getattr(s, name) for s in scores])
            for name in ("node", "spurious", "start", "end")
        ),
        tuple(mean(list(steps)) for steps in zip(*(s.steps for s in scores), strict=True)),
    )
