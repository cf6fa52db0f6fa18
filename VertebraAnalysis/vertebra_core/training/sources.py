"""Where samples come from: named cases, each of which can be drawn from with a random generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from ..errors import InputError

Sample = dict[str, torch.Tensor]
"""One training sample: tensors of fixed shapes and types, small enough to keep hundreds."""


class SampleSource(Protocol):
    """A set of cases that samples are drawn from.

    A sample follows from the case's name and the generator alone, so that it can be drawn in
    another process, or again after a resume.
    """

    def names(self) -> list[str]:
        """Return the names of the cases there are now."""
        ...

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a sample from the case called `name`."""
        ...

    def no_case(self) -> InputError:
        """Return the error that tells a user that there is no case, and what to do."""
        ...


class MixedSource:
    """Several sources, each with a share of the draws.

    Parameters
    ----------
    sources : sequence of SampleSource
    shares : sequence of float
        Relative frequency of each source.

    Raises
    ------
    ValueError
        If the lengths differ or no share is positive.
    """

    def __init__(self, sources: Sequence[SampleSource], shares: Sequence[float]) -> None:
        if len(sources) != len(shares) or not sources or sum(shares) <= 0:
            raise ValueError("every source needs a share, and one of them must be positive")
        self._sources = list(sources)
        self._shares = np.asarray(shares, float) / sum(shares)

    def names(self) -> list[str]:
        """Return the names of all cases, each behind the number of its source."""
        return [f"{i}/{name}" for i, s in enumerate(self._sources) for name in s.names()]

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw from the case `name`."""
        index, _, inner = name.partition("/")
        return self._sources[int(index)].draw(inner, rng)

    def parts(self) -> list[SampleSource]:
        """Return the sources."""
        return list(self._sources)

    def no_case(self) -> InputError:
        """Return the error of the first source that has no case."""
        return next((s for s in self._sources if not s.names()), self._sources[0]).no_case()

    def choose(self, names: Sequence[str], rng: np.random.Generator) -> str:
        """Choose a case: first a source by its share, then one of its cases evenly."""
        groups: dict[int, list[str]] = {}
        for name in names:
            groups.setdefault(int(name.partition("/")[0]), []).append(name)
        present = sorted(groups)
        shares = self._shares[present]
        group = groups[present[int(rng.choice(len(present), p=shares / shares.sum()))]]
        return group[int(rng.integers(len(group)))]


def phantoms_and_scans(
    phantoms: SampleSource | None, scans: SampleSource | None, scans_share: float
) -> SampleSource:
    """Return one source of phantoms and labelled scans, or of whichever there is.

    Raises
    ------
    ValueError
        If there is neither.
    """
    if phantoms is None or scans is None:
        only = phantoms or scans
        if only is None:
            raise ValueError("give a bank of scenes or a folder of labelled scans")
        return only
    return MixedSource([phantoms, scans], [1 - scans_share, scans_share])


def require_cases(source: SampleSource) -> None:
    """Refuse a source without any case: of several, each was named and must not be passed over.

    Raises
    ------
    InputError
        What the source says.
    """
    for part in source.parts() if isinstance(source, MixedSource) else [source]:
        if not part.names():
            raise part.no_case()


def choose_case(source: SampleSource, names: Sequence[str], rng: np.random.Generator) -> str:
    """Choose one of `names`, by the source's own rule if it has one, else evenly."""
    if isinstance(source, MixedSource):
        return source.choose(names, rng)
    return names[int(rng.integers(len(names)))]
