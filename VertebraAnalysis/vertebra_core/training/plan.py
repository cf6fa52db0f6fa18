"""Which sample every step takes: new ones, or ones seen before, decided ahead and reproducibly.

A sample is known by its key: the number that seeds it and the case it is drawn from. Rendering a
phantom takes as long as a training step, so some steps replay a recent sample. The plan depends
on the seed and the step alone; whatever renders the samples, in whichever process, the same run
comes out, and after a resume the replay buffer is drawn again from its keys. Where hard samples are
preferred, it depends on the losses reported, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .sources import SampleSource, choose_case

_HARDEST = 5.0


@dataclass(frozen=True)
class SampleKey:
    """What a sample follows from.

    Attributes
    ----------
    seed : int
        Number of the sample within the run.
    name : str
        Case it is drawn from.
    """

    seed: int
    name: str

    def generator(self, run_seed: int) -> np.random.Generator:
        """Return the generator that draws this sample in a run seeded with `run_seed`."""
        return np.random.default_rng([run_seed, self.seed])


@dataclass
class SamplePlan:
    """The sequence of samples of a run.

    Parameters
    ----------
    source : SampleSource
    seed : int
    replay_size : int
        Samples kept for replay; 0 makes every sample new.
    replay_share : float
        Share of draws that replay one, once a fifth of the buffer is filled.
    refresh_draws : int
        Look for new cases after this many draws.
    hard_share : float
        Share of replays that take a hard sample: one of the buffer, with a probability in
        proportion to its last loss, instead of any. After the online hard example mining of
        Shrivastava et al., CVPR 2016.
    """

    source: SampleSource
    seed: int
    replay_size: int = 200
    replay_share: float = 0.5
    refresh_draws: int = 250
    hard_share: float = 0.0
    names: list[str] = field(default_factory=list)
    buffer: list[SampleKey] = field(default_factory=list)
    losses: dict[int, float] = field(default_factory=dict)
    draws: int = 0
    made: int = 0

    def next(self) -> tuple[SampleKey, bool]:
        """Return the key of the next sample and whether it is a replay.

        Raises
        ------
        InputError
            If the source has no case.
        """
        if self.draws % self.refresh_draws == 0 or not self.names:
            self.names = self.source.names()
            if not self.names:
                raise self.source.no_case()
        rng = np.random.default_rng([self.seed, 1_000_003, self.draws])
        self.draws += 1
        enough = len(self.buffer) > self.replay_size // 5
        if self.replay_size and enough and rng.random() < self.replay_share:
            return self.buffer[self._replayed(rng)], True
        key = SampleKey(self.made, choose_case(self.source, self.names, rng))
        self.made += 1
        if len(self.buffer) < self.replay_size:
            self.buffer.append(key)
        elif self.replay_size:
            self.buffer[int(rng.integers(self.replay_size))] = key
        return key, False

    def _replayed(self, rng: np.random.Generator) -> int:
        """Choose a place in the buffer."""
        if not self.hard_share or not self.losses or rng.random() >= self.hard_share:
            return int(rng.integers(len(self.buffer)))
        # What has no loss yet is taken for an average sample; no sample may crowd out the others.
        usual = float(np.mean(list(self.losses.values())))
        losses = np.array([self.losses.get(key.seed, usual) for key in self.buffer])
        losses = np.minimum(losses, _HARDEST * usual)
        return int(rng.choice(len(losses), p=losses / losses.sum()))

    def report(self, seeds: Sequence[int], loss: float) -> None:
        """Tell the loss of samples, known by the seeds of their keys."""
        if not self.hard_share or not (np.isfinite(loss) and loss > 0):
            return
        self.losses |= dict.fromkeys(seeds, float(loss))
        if len(self.losses) > 2 * self.replay_size:
            kept = {key.seed for key in self.buffer}
            self.losses = {seed: v for seed, v in self.losses.items() if seed in kept}

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, fit for JSON."""
        return {
            "draws": self.draws,
            "made": self.made,
            "names": self.names,
            "buffer": [[key.seed, key.name] for key in self.buffer],
            "losses": list(self.losses.items()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state that `state` returned; cases that are gone since are forgotten."""
        there = set(self.source.names())
        self.draws, self.made = int(state["draws"]), int(state["made"])
        self.names = [name for name in state["names"] if name in there]
        buffer = [SampleKey(int(seed), name) for seed, name in state["buffer"]]
        self.buffer = [key for key in buffer if key.name in there]
        self.losses = {int(seed): float(loss) for seed, loss in state.get("losses", [])}
