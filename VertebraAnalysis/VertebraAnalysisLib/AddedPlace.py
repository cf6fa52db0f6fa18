"""Where a vertebra that the analysis missed belongs among those that it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vertebra_core.analysis import Vertebra
from vertebra_core.output.scene_keys import vertebra_keys


def placeAmong(heightMm: float, heightsMm: Sequence[float]) -> int:
    """Return how many lie above a height; both are z of the patient, `heightsMm` head to foot."""
    return next((i for i, other in enumerate(heightsMm) if other < heightMm), len(heightsMm))


def keysInOrder(found: Sequence[Vertebra], added: Mapping[str, Vertebra]) -> tuple[str, ...]:
    """Return the keys of all vertebrae, head to foot.

    Parameters
    ----------
    found : sequence of Vertebra
        Those of the analysis, head to foot; they keep their order and have the first keys.
    added : mapping of str to Vertebra
        Key -> what a reader added.
    """
    keys = list(vertebra_keys(len(found)))
    heights = [vertebra.center_lps_mm[2] for vertebra in found]
    for key, vertebra in sorted(added.items()):
        height = vertebra.center_lps_mm[2]
        place = placeAmong(height, heights)
        keys.insert(place, key)
        heights.insert(place, height)
    return tuple(keys)


def nextKey(keys: Sequence[str]) -> str:
    """Return the key of the next one to be added: its number is one above all of `keys`.

    Only the last one that was added can be taken back, so that numbers have no gaps.
    """
    return vertebra_keys(len(keys) + 1)[-1]
