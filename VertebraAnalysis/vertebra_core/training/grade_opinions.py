"""What heights and the grade head say about bodies of scenes held aside, with their true grades."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from ..analysis import Vertebra
from ..field_of_view import touches_edge
from ..grading.joint_grade import Probabilities
from ..grading.opinions import BodyOpinions, BodyToGrade, body_opinions
from ..levels import level_numbered
from ..phantom.scan_case import scan
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scene import PhantomScene, PhantomVertebra
from ..segmentation.plausibility import judge
from ..segmentation.segment import WORKING_SPACING_MM, segment
from ..volume import CtVolume
from .bank import SceneBank
from .grading_samples import as_seen, gradable_bodies

CENTRE_SD_MM = 0.3
"""Error of a found centre per axis: 0.4 mm in all on unseen phantoms."""

_REACH_LOW_MM = np.array([58.0, 45.0, 62.0])
_REACH_HIGH_MM = np.array([50.0, 90.0, 62.0])
"""What a crop of the segmentation reaches around a centre (z, y, x); the rest is not scanned."""


@dataclass(frozen=True)
class GradedBody:
    """One body with both opinions and the truth.

    Attributes
    ----------
    scene : str
        Its file name: bodies of one scene are not independent, whatever bank it was taken from.
    morphometry, learned : tuple of float
        Probabilities of grades 0-3.
    grade : int
        The true one.
    mild : bool
        It has lost height, but too little for grade 1.
    """

    scene: str
    morphometry: Probabilities
    learned: Probabilities
    grade: int
    mild: bool = False


def collect_bodies(
    banks: Sequence[Path],
    grader: nn.Module,
    segmenter: nn.Module,
    scans: int,
    seed: int = 0,
    seconds: float = float("inf"),
    on_scan: Callable[[int], None] | None = None,
    whole_banks: bool = False,
) -> list[GradedBody]:
    """Scan scenes that `banks` hold aside, segment and measure their bodies, ask for opinions.

    The way is that of an analysis, but that centres and levels are true (centres nearly).

    Parameters
    ----------
    banks : sequence of Path
        Folders of scenes.
    grader, segmenter : Module
        `GradeNetwork` and segmentation network, on the processor.
    scans : int
        Every scene is scanned in turn; from the second time on with another scanner and patient.
    seed : int
    seconds : float
        No scan is begun after this time.
    on_scan : callable, optional
        Called with the number of scans done.
    whole_banks : bool
        All scenes are taken, not only those held aside: no training has seen these banks.

    Raises
    ------
    ValueError
        If there is no such scene.
    """
    kinds = (True, False) if whole_banks else (True,)
    cases = [
        (bank, name) for bank in (SceneBank(b, kind) for b in banks for kind in kinds)
        for name in bank.names()
    ]  # fmt: skip
    if not cases:
        raise ValueError("no scene of the bank is held aside; build a larger one")
    started = time.monotonic()
    bodies: list[GradedBody] = []
    # Shuffled, so that a run cut short has seen scenes of all banks.
    order = np.random.default_rng([seed, 93]).permutation(len(cases))
    for index in range(scans):
        if time.monotonic() - started > seconds:
            break
        bank, name = cases[order[index % len(cases)]]
        rng = np.random.default_rng([seed, 94, index])
        bodies += bodies_of_scene(bank.load(name), name, grader, segmenter, rng)
        if on_scan is not None:
            on_scan(index + 1)
    return bodies


def bodies_of_scene(
    scene: PhantomScene,
    name: str,
    grader: nn.Module,
    segmenter: nn.Module,
    rng: np.random.Generator,
) -> list[GradedBody]:
    """Scan one scene at 1 mm and return the bodies that would be graded, with both opinions."""
    _, measured = measured_bodies(scene, segmenter, rng, grader)
    return [
        GradedBody(
            name,
            own.morphometry.grade_probabilities,
            own.learned.grade_probabilities,
            vertebra.grade,
            vertebra.grade == 0 and vertebra.height_loss > 0,
        )
        for vertebra, _, own in measured
    ]


def measured_bodies(
    scene: PhantomScene,
    segmenter: nn.Module,
    rng: np.random.Generator,
    grader: nn.Module | None = None,
) -> tuple[CtVolume | None, list[tuple[PhantomVertebra, BodyToGrade, BodyOpinions]]]:
    """Scan a scene at 1 mm, segment its bodies and measure those that would be graded.

    Parameters
    ----------
    scene : PhantomScene
    segmenter : Module
        Segmentation network, on the processor.
    rng : numpy.random.Generator
    grader : Module, optional
        A `GradeNetwork`; without it there are no learned opinions.

    Returns
    -------
    ct : CtVolume or None
        None where the scene has no body that is graded.
    bodies : list of (PhantomVertebra, BodyToGrade, BodyOpinions)
        The truth as it can be seen, the masks, and what heights and the grade head say.
    """
    truth = sorted(gradable_bodies(scene), key=lambda v: -v.center_zyx_mm[0])
    if not truth:
        return None, []
    centres = np.array([v.center_zyx_mm for v in truth])
    field = (
        np.maximum(centres.min(0) - _REACH_LOW_MM, 0),
        np.minimum(centres.max(0) + _REACH_HIGH_MM, scene.size_mm),
    )
    protocol = replace(ScanProtocol.random_whole(rng), slice_mm=WORKING_SPACING_MM)
    ct, _, _ = scan(scene, (WORKING_SPACING_MM,) * 3, rng, field, protocol)
    points = centres[:, ::-1] + rng.normal(0, CENTRE_SD_MM, centres.shape)
    masks = segment(ct, points, segmenter)
    kept = list(_plausible(truth, masks, ct))
    opinions = body_opinions([body for _, body in kept], ct, grader)
    measured = [
        (as_seen(scene, vertebra), body, own)
        for (vertebra, body), own in zip(kept, opinions, strict=True)
        if not own.why_not
    ]
    return ct, measured


def _plausible(truth, masks, ct) -> Iterator[tuple[PhantomVertebra, BodyToGrade]]:
    for vertebra, mask in zip(truth, masks, strict=True):
        if not judge(mask, ct).plausible:
            continue
        centre = mask.body_center_lps_mm() or mask.center_lps_mm
        yield (
            vertebra,
            BodyToGrade(
                Vertebra(level_numbered(vertebra.level).name, 1.0, None, centre),
                np.asarray(mask.body, np.float32),
                np.asarray(mask.vertebra, np.float32),
                mask.origin_lps_mm,
                body_cut=touches_edge(mask.body, mask, ct),
            ),
        )
