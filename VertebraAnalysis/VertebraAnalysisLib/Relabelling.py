"""Naming all vertebrae of a spine consistently from what a reader says about one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from vertebra_core.analysis import Vertebra
from vertebra_core.levels import MOBILE_LEVELS, level_named

from .UserError import UserError

_WITH_T13 = tuple(level.name for level in MOBILE_LEVELS)
REGULAR_LEVELS: tuple[str, ...] = tuple(name for name in _WITH_T13 if name != "T13")
"""The levels of an ordinary spine, and L6, head to foot."""

_WITHOUT_T12 = tuple(name for name in REGULAR_LEVELS if name != "T12")

SCOPES: tuple[str, ...] = ("all", "below", "above", "one")
"""Who follows a vertebra that gets another level: all others, or some only."""

_ABSENT_REACH = 1.5
"""T11 and L1 closer than this many usual steps have no T12 between them; a missed one makes 2."""

_MISSED_FACTOR = 0.1
"""How much less a naming counts for every vertebra that must have been missed then."""

_LEAST_PROBABILITY = 1e-6
"""Analyses state probabilities to this accuracy."""


class Relabelling:
    """The names that the vertebrae of one spine may have together.

    Parameters
    ----------
    levels : sequence of str
        Head to foot.
    centers : sequence of points
        Body centres, mm, in any one coordinate system.

    Attributes
    ----------
    gaps : tuple of int
        Steps along the spine from each vertebra to the next: 1, and 1 more for every missed one.
    """

    def __init__(self, levels: Sequence[str], centers: Sequence[Sequence[float]]) -> None:
        self._levels = tuple(levels)
        self._centers = tuple(centers)
        self._spine = self._ownSpine()
        self.gaps = self._stepsBetween()

    def shifted(self, steps: int) -> tuple[str, ...]:
        """Move all names along the spine, towards the foot if `steps` is positive.

        T13 stays a level of a spine that has it, and T12 is passed over where it is absent.

        Raises
        ------
        UserError
            If a name would lie above C1 or below L6.
        """
        return self._walk(0, self._spine.index(self._levels[0]) + steps, self._spine)

    def anchored(self, i: int, level: str, scope: str = "all") -> tuple[str, ...]:
        """Name vertebra `i` and let others follow in order, gaps between them kept.

        Parameters
        ----------
        i : int
        level : str
        scope : {"all", "below", "above", "one"}
            Who follows. With ``"below"`` or ``"above"`` the rest keeps its names: that is how a
            spine gets or loses T13, or loses T12, in its middle.

        Raises
        ------
        UserError
            If there is no such level, or the names would not run from head to foot.
        """
        if scope not in SCOPES:
            raise ValueError(f"{scope} is no scope")
        if level not in _WITH_T13:
            raise UserError(f"A vertebra cannot be named {level}.", "Choose a level from C1 to L6.")
        found, error = [], None
        for spine in self._spinesFor(level):
            try:
                names = self._walk(i, spine.index(level), spine, scope)
            except UserError as own:
                error = error or own
                continue
            found.append(names)
        if not found:
            raise error or UserError(f"{level} cannot be set here.")
        # The fewest new names; of equals the ordinary spine, which comes first.
        return min(
            found, key=lambda names: sum(a != b for a, b in zip(names, self._levels, strict=True))
        )

    def runnerUp(self, vertebrae: Sequence[Vertebra]) -> tuple[str, ...] | None:
        """Return the second most probable naming of the whole spine.

        Of all consistent namings in which some vertebra bears its runner-up, it is the one that
        explains most of the doubt about all of them.

        Parameters
        ----------
        vertebrae : sequence of Vertebra
            As analysed, named as this spine is.

        Returns
        -------
        tuple of str or None
            None if no vertebra has a runner-up that fits the others.
        """
        candidates = set()
        for i, vertebra in enumerate(vertebrae):
            if vertebra.runner_up_level is None:
                continue
            for scope in ("all", "below", "above"):
                try:
                    candidates.add(self.anchored(i, vertebra.runner_up_level, scope))
                except UserError:
                    continue
        candidates.discard(self._levels)
        found = {names: self._explained(names, vertebrae) for names in sorted(candidates)}
        best = max(found, key=found.__getitem__, default=None)
        return best if best is not None and found[best] > 0 else None

    def _ownSpine(self) -> tuple[str, ...]:
        if "T13" in self._levels:
            return _WITH_T13
        pairs = list(pairwise(self._levels))
        if ("T11", "L1") not in pairs or "T12" in self._levels:
            return REGULAR_LEVELS
        distances = [math.dist(a, b) for a, b in pairwise(self._centers)]
        at = pairs.index(("T11", "L1"))
        usual = sorted(
            d / max(1, _order(b) - _order(a) - (_order(a) < _order("T13") < _order(b)))
            for k, (d, (a, b)) in enumerate(zip(distances, pairs, strict=True))
            if k != at
        )
        if not usual or distances[at] <= _ABSENT_REACH * usual[len(usual) // 2]:
            return _WITHOUT_T12
        return REGULAR_LEVELS

    def _stepsBetween(self) -> tuple[int, ...]:
        places = [self._spine.index(name) for name in self._levels]
        return tuple(max(1, b - a) for a, b in pairwise(places))

    def _spinesFor(self, level: str) -> tuple[tuple[str, ...], ...]:
        if level == "T13":
            return (_WITH_T13,)
        spines = dict.fromkeys((REGULAR_LEVELS, self._spine))
        return tuple(spine for spine in spines if level in spine)

    def _walk(
        self, i: int, place: int, spine: tuple[str, ...], scope: str = "all"
    ) -> tuple[str, ...]:
        """Names when `i` takes a place in `spine` and those of `scope` follow, gaps kept."""
        places = {i: place}
        if scope in ("all", "above"):
            for k in range(i - 1, -1, -1):
                places[k] = places[k + 1] - self.gaps[k]
        if scope in ("all", "below"):
            for k in range(i + 1, len(self._levels)):
                places[k] = places[k - 1] + self.gaps[k - 1]
        if min(places.values()) < 0:
            raise UserError(
                "The vertebrae cannot be named so: the uppermost would lie above C1.",
                "Choose a lower level.",
            )
        if max(places.values()) >= len(spine):
            raise UserError(
                "The vertebrae cannot be named so: the lowest would lie below L6.",
                "Choose a higher level.",
            )
        names = tuple(
            spine[places[k]] if k in places else name for k, name in enumerate(self._levels)
        )
        for k, (a, b) in enumerate(pairwise(names)):
            joint = (k in places) != (k + 1 in places)
            if joint and _order(b) <= _order(a):
                raise UserError(
                    f"The vertebrae cannot be named so: {b} would lie below {a}.",
                    "Rename the neighbours too.",
                )
        return names

    def _explained(self, names: Sequence[str], vertebrae: Sequence[Vertebra]) -> float:
        """How much of the doubt about all vertebrae together a naming explains.

        The network errs for neighbours alike, so their probabilities are no independent votes:
        doubts add up, as far as the naming says the same as the runner-ups.
        """
        mass = 0.0
        for name, vertebra in zip(names, vertebrae, strict=True):
            if name != vertebra.level and vertebra.runner_up_level is not None:
                doubt = _doubt(vertebra)
                mass += doubt if name == vertebra.runner_up_level else -doubt
        gaps = Relabelling(names, self._centers).gaps
        return mass * _MISSED_FACTOR ** (sum(gaps) - len(gaps))


def _doubt(vertebra: Vertebra) -> float:
    """How probable the second level is; analyses of earlier versions tell all doubt together."""
    doubt = vertebra.runner_up_probability
    if doubt is None:
        doubt = 1 - (vertebra.level_probability or 0.0)
    return max(doubt, _LEAST_PROBABILITY)


def _order(name: str) -> int:
    return level_named(name).order
