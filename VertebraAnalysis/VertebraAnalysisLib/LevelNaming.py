"""New levels for the vertebrae of a review. What a reader rejected has none and takes no part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .FreeLevels import isBetween, noneFree, orderOf
from .Relabelling import REGULAR_LEVELS, Relabelling
from .ReviewedVertebra import ReviewedVertebra


class LevelNaming:
    """Proposes levels by key of vertebra; nothing is changed.

    Parameters
    ----------
    vertebrae : sequence of ReviewedVertebra
        All of them, head to foot.
    """

    def __init__(self, vertebrae: Sequence[ReviewedVertebra]) -> None:
        self._all = tuple(vertebrae)
        self._accepted = tuple(v for v in vertebrae if not v.rejected)

    def shifted(self, steps: int) -> dict[str, str]:
        """Move all levels by `steps`; see `Relabelling.shifted`."""
        return self._byKey(self._relabelling().shifted(steps)) if self._accepted else {}

    def anchored(self, key: str, level: str, scope: str) -> dict[str, str]:
        """Name one vertebra and let others follow; see `Relabelling.anchored`."""
        i = [v.key for v in self._accepted].index(key)
        return self._byKey(self._relabelling().anchored(i, level, scope))

    def runnerUp(self) -> dict[str, str] | None:
        """Return the analysis' second choice of all levels; see `Relabelling.runnerUp`.

        Returns
        -------
        dict of str or None
            None if there is no second choice, or if it holds already.
        """
        own = [v.ai for v in self._accepted]
        if not own:
            return None
        orders = [orderOf(v.level) for v in own]
        if any(a >= b for a, b in pairwise(orders)):
            # What was added after others were renamed does not fit between their first names.
            return None
        analysed = Relabelling([v.level for v in own], [v.center_lps_mm for v in own])
        names = analysed.runnerUp(own)
        holds = names == tuple(v.level for v in self._accepted)
        return None if names is None or holds else self._byKey(names)

    def restored(self, key: str) -> str:
        """Return the level that a rejected vertebra gets when it is taken for one again.

        The one it had where that fits between its neighbours, otherwise that beside one of them.

        Raises
        ------
        UserError
            If its neighbours leave no level free.
        """
        i = [v.key for v in self._all].index(key)
        above = next((v.level for v in reversed(self._all[:i]) if not v.rejected), None)
        below = next((v.level for v in self._all[i:] if not v.rejected), None)
        own = self._all[i].level
        if above and below and orderOf(above) >= orderOf(below):
            # Names that were given need not run from head to foot.
            return own
        free = [name for name in REGULAR_LEVELS if isBetween(name, above, below)]
        if isBetween(own, above, below):
            return own
        if not free:
            raise noneFree(above, below)
        return free[0] if above else free[-1]

    def _relabelling(self) -> Relabelling:
        own = self._accepted
        return Relabelling([v.level for v in own], [v.ai.center_lps_mm for v in own])

    def _byKey(self, names: Sequence[str]) -> dict[str, str]:
        return {v.key: name for v, name in zip(self._accepted, names, strict=True)}
