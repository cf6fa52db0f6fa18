"""Find the centres of all vertebral bodies in a CT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from torch import nn

from ..networks.normalisation import AIR, BONE, normalise_hu_array
from ..volume import CtVolume
from .chain import find_chain
from .corridor import run_along_spine
from .heat_peaks import peaks_from_heat
from .outputs import FOREGROUND, HEAT, OFFSET, OFFSET_UNIT_MM, WORKING_SPACING_MM
from .sliding_window import Predicate, Progress, Windows, run_everywhere
from .voting import Peak, peaks_from_votes

METHODS = ("votes", "heat")
"""LocNet-F and LocNet-H."""

_VOTES_SCALE = 250.0
"""Votes at which two thirds of the votes' part of a score are reached; a whole vertebra gathers
300 (neck) to 1800 (lumbar)."""

_END_VOTES_SHARE = 0.25
_END_HEAT = 0.5
"""The ends of a chain need this share of their neighbours' votes, or this heat: S1 lines up with
the spine, but few voxels vote for it."""

_BEYOND_MM = 6.0
"""How far beyond the scan a centre may lie. Bodies are 20-35 mm deep and high: a fifth or more of
one is in view then. On a chest crop whose back edge cuts the bodies they lie 2-5 mm beyond; where
public scans are cropped to a tenth of a body, mostly 7-11 mm."""

_LEAST_BONE_VOXELS = 100
"""0.8 ml above 120 HU: less than a single cervical vertebra's cortex, thick slices included."""


@dataclass(frozen=True)
class LocalisationOptions:
    """How centres are found.

    Attributes
    ----------
    method : str
        ``"votes"`` (LocNet-F) or ``"heat"`` (LocNet-H).
    vote_threshold : float
        Voxels vote whose weight exceeds this.
    foreground_weight : float
        See `voting.peaks_from_votes`.
    minimum_votes : float
        Least density of a peak of votes.
    heat_threshold : float
        Least heat of a peak (LocNet-H).
    separation_mm : float
        Least distance between centres.
    keep_chain_only : bool
        Drop candidates that do not line up as a spine.
    overlap : int
        Voxels that neighbouring windows share.
    window_zyx : tuple of int
        Size of a window in voxels.
    along_spine : bool
        Look along the spine only where that suffices; see `corridor`.
    bfloat16 : bool
        Compute in bfloat16, where the device can, instead of float32.
    """

    method: str = "votes"
    vote_threshold: float = 0.25
    foreground_weight: float = 0.3
    minimum_votes: float = 0.4
    heat_threshold: float = 0.2
    separation_mm: float = 8.0
    keep_chain_only: bool = True
    overlap: int = 24
    window_zyx: tuple[int, int, int] = (96, 96, 96)
    along_spine: bool = False
    bfloat16: bool = True


@dataclass(frozen=True)
class Centre:
    """A body centre found in the image.

    Attributes
    ----------
    position_lps_mm : tuple of float
        LPS mm, x, y, z.
    score : float
        Confidence, 0-1.
    votes : float
        Weight of the votes for it (LocNet-F) or heat summed near it (LocNet-H).
    heat : float
        Largest heat near it, 0-1.
    """

    position_lps_mm: tuple[float, float, float]
    score: float
    votes: float
    heat: float = 0.0


@dataclass(frozen=True)
class Localisation:
    """What was found.

    Attributes
    ----------
    centres : tuple of Centre
        Head to foot.
    rejected : tuple of Centre
        Candidates that do not belong to the spine's chain, best first.
    """

    centres: tuple[Centre, ...]
    rejected: tuple[Centre, ...] = ()


def localise(
    ct: CtVolume,
    network: nn.Module,
    options: LocalisationOptions | None = None,
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
    device: str = "cpu",
) -> Localisation:
    """Find the centres of all vertebral bodies.

    Parameters
    ----------
    ct : CtVolume
        On the working grid of 2 mm.
    network : Module
        LocNet.
    options : LocalisationOptions, optional
    on_progress : callable, optional
        Called with the fraction done.
    cancelled : callable, optional
        Asked now and then; True ends the search with `Cancelled`.
    device : str

    Raises
    ------
    ValueError
        If the grid is not the working grid or the method is unknown.
    Cancelled
    """
    options = options or LocalisationOptions()
    check_working_grid(ct, WORKING_SPACING_MM)
    if options.method not in METHODS:
        raise ValueError(f"unknown localisation method {options.method!r}")
    output = locnet_output(ct, network, options, on_progress, cancelled, device)
    return centres_from_output(output, ct, options)


def centres_from_output(
    output: np.ndarray, ct: CtVolume, options: LocalisationOptions
) -> Localisation:
    """Read centres off LocNet's output for a CT; `localise` without its network."""
    candidates = [_centre(peak, ct, options.method) for peak in find_peaks(output, options)]
    return along_the_spine(candidates, options.keep_chain_only, _without_weak_ends)


def along_the_spine(
    candidates: Sequence[Centre],
    keep_chain_only: bool,
    trimmed: Callable[[list[int], Sequence[Centre]], list[int]] | None = None,
) -> Localisation:
    """Put candidates in order, head to foot.

    Parameters
    ----------
    candidates : sequence of Centre
    keep_chain_only : bool
        Reject those that do not line up as a spine.
    trimmed : callable, optional
        (chain, candidates) -> the chain without ends that do not belong to it.
    """
    candidates = sorted(candidates, key=lambda c: -c.score)
    if not keep_chain_only:
        return Localisation(tuple(sorted(candidates, key=lambda c: -c.position_lps_mm[2])))
    positions = np.array([c.position_lps_mm for c in candidates]).reshape(-1, 3)
    chain = find_chain(positions, np.array([c.score for c in candidates]))
    chain = trimmed(chain, candidates) if trimmed else chain
    kept = set(chain)
    rejected = tuple(c for i, c in enumerate(candidates) if i not in kept)
    return Localisation(tuple(candidates[i] for i in chain), rejected)


def locnet_output(
    ct: CtVolume,
    network: nn.Module,
    options: LocalisationOptions,
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
    device: str = "cpu",
) -> np.ndarray:
    """Run LocNet over a CT: logits and offsets, float32, shape (5, z, y, x); see `outputs`."""
    image = normalise_hu_array(ct.hu)
    windows = Windows(
        image,
        network,
        background=(-10.0, 0.0, 0.0, 0.0, -10.0),
        outside=AIR,
        window_zyx=options.window_zyx,
        overlap=options.overlap,
        wanted=_may_hold_bone,
        device=device,
        bfloat16=options.bfloat16,
    )
    if options.along_spine:
        return run_along_spine(windows, image > BONE, on_progress, cancelled)
    return run_everywhere(windows, on_progress, cancelled)


def find_peaks(output: np.ndarray, options: LocalisationOptions) -> list[Peak]:
    """Find candidate centres in LocNet's output by the method that `options` names."""
    heat = expit(output[HEAT])
    if options.method == "heat":
        return peaks_from_heat(
            heat, WORKING_SPACING_MM, options.heat_threshold, options.separation_mm
        )
    return peaks_from_votes(
        heat,
        expit(output[FOREGROUND]),
        output[OFFSET] * OFFSET_UNIT_MM,
        WORKING_SPACING_MM,
        options.vote_threshold,
        options.foreground_weight,
        options.minimum_votes,
        options.separation_mm,
        beyond_mm=_BEYOND_MM,
    )


def check_working_grid(ct: CtVolume, spacing_mm: float) -> None:
    """Raise ValueError unless `ct` lies on an isotropic grid along the patient's axes."""
    identity = np.allclose(np.reshape(ct.direction, (3, 3)), np.eye(3), atol=1e-4)
    if not identity or not np.allclose(ct.spacing_xyz_mm, spacing_mm, rtol=1e-3):
        raise ValueError(f"the volume must be on the working grid of {spacing_mm} mm")


def _without_weak_ends(chain: list[int], candidates: Sequence[Centre]) -> list[int]:
    chain = list(chain)
    for end, neighbours in ((0, slice(1, 4)), (-1, slice(-4, -1))):
        while len(chain) > 3:
            last = candidates[chain[end]]
            usual = float(np.median([candidates[i].votes for i in chain[neighbours]]))
            if last.heat >= _END_HEAT or last.votes >= _END_VOTES_SHARE * usual:
                break
            chain.pop(end)
    return chain


def _may_hold_bone(block: np.ndarray) -> bool:
    return int(np.count_nonzero(block > BONE)) >= _LEAST_BONE_VOXELS


def _centre(peak: Peak, ct: CtVolume, method: str) -> Centre:
    position = ct.index_to_lps(np.array(peak.position_zyx))
    score = peak.heat
    if method == "votes":
        score = 0.5 * peak.heat + 0.5 * (1 - float(np.exp(-peak.votes / _VOTES_SCALE)))
    return Centre(tuple(float(v) for v in position), float(score), peak.votes, peak.heat)
