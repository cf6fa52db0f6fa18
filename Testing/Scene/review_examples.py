"""Spines for the tests of the review: heights as an unfractured spine has them, but for some."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vertebra_core.analysis import (
    Flag,
    HeightLine,
    Heights,
    Manifest,
    SpineAnalysis,
    Vertebra,
)
from vertebra_core.analysis_json import analysis_from_json, analysis_to_json
from vertebra_core.grading.genant import MeasuredBody, assess_spine, borderline_reason
from vertebra_core.grading.norms import level_norm, why_not_graded
from VertebraAnalysisLib.Review import Review

VOXEL_MM = 1.5
SPREAD = Heights(0.4, 0.5, 0.4)
THORACOLUMBAR = ("T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")


def spine(
    levels: Sequence[str] = THORACOLUMBAR,
    losses: Mapping[str, tuple[float, float, float]] | None = None,
    centers_mm: Sequence[float] | None = None,
    learned: Mapping[str, int] | None = None,
    **more: Mapping[str, object],
) -> SpineAnalysis:
    """Return the analysis of a spine.

    Parameters
    ----------
    levels : sequence of str
        Head to foot.
    losses : mapping, optional
        Level -> part of the anterior, middle and posterior height that is lost.
    centers_mm : sequence of float, optional
        Distance of each body centre from the uppermost; 30 mm apart by default.
    learned : mapping, optional
        Level -> grade that the learned head gave.
    more : mapping
        Attribute of `Vertebra` -> level -> value.
    """
    losses, learned = losses or {}, learned or {}
    places = centers_mm or [30.0 * i for i in range(len(levels))]
    heights = {
        level: _heights(level, losses.get(level, (0.0, 0.0, 0.0)))
        for level in levels
        if why_not_graded(level) is None
    }
    bodies = [MeasuredBody(level, h, SPREAD, VOXEL_MM) for level, h in heights.items()]
    found = dict(zip(heights, assess_spine(bodies), strict=True))
    vertebrae = []
    for level, place in zip(levels, places, strict=True):
        center = (3.0, -20.0, 400.0 - place)
        plain = Vertebra(level, 0.98, None, center, volume_ml=40.0)
        if level not in found:
            reason = why_not_graded(level)
            plain = replace(plain, flags=(Flag("not_graded", reason),))
        else:
            plain = _graded(plain, heights[level], found[level], learned.get(level))
        own = {name: values[level] for name, values in more.items() if level in values}
        vertebrae.append(replace(plain, **own))
    manifest = Manifest(
        "0.1.0", {}, "cpu", {"grading": 1.0}, (200, 200, 300), (0.8, 0.8, VOXEL_MM),
        (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), {},
    )  # fmt: skip
    # As it comes from a file: with the decimals that JSON keeps.
    return analysis_from_json(analysis_to_json(SpineAnalysis(tuple(vertebrae), manifest)))


def review_of(analysis: SpineAnalysis | None = None, **spine_options: object) -> Review:
    """Return a new review of `analysis`, or of `spine(**spine_options)`; its clock is made up."""
    analysis = analysis or spine(**spine_options)
    return Review(analysis, json.loads(analysis_to_json(analysis)), clock=Clock())


class Clock:
    """A second passes from call to call, beginning at noon of a day in 2026."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


def line_of(center: Sequence[float], depth_mm: float, height_mm: float) -> HeightLine:
    """Return an upright height line through a body, `depth_mm` behind its centre."""
    x, y, z = center[0], center[1] + depth_mm, center[2]
    return HeightLine((x, y, z + height_mm / 2), (x, y, z - height_mm / 2))


def levels_of(review: Review) -> str:
    """Return the levels that hold, head to foot, in one string."""
    return " ".join(v.level for v in review.vertebrae)


def key_of(review: Review, ai_level: str) -> str:
    """Return the key of the vertebra that the analysis called `ai_level`."""
    return next(v.key for v in review.vertebrae if v.ai.level == ai_level)


def _heights(level: str, lost: tuple[float, float, float]) -> Heights:
    norm = level_norm(level)
    posterior = norm.posterior_height_mm
    intact = (norm.wedge_ratio * posterior, norm.biconcave_ratio * posterior, posterior)
    return Heights(*(h * (1 - part) for h, part in zip(intact, lost, strict=True)))


def _graded(plain: Vertebra, heights: Heights, found, learned: int | None) -> Vertebra:
    flags = ()
    if found.borderline:
        flags = (Flag("borderline", borderline_reason(plain.level, found)),)
    grade, probabilities = found.grade, found.grade_probabilities
    if learned is not None:
        # The learned head is sure, so it outweighs the heights.
        grade = learned
        probabilities = tuple(0.85 if g == learned else 0.05 for g in range(4))
    return replace(
        plain,
        heights_mm=heights,
        heights_spread_mm=SPREAD,
        height_lines={
            name: line_of(plain.center_lps_mm, depth, getattr(heights, name))
            for name, depth in (("anterior", -12.0), ("middle", 0.0), ("posterior", 12.0))
        },
        height_loss=found.loss,
        height_reference=found.reference,
        grade=grade,
        shape=found.shape if grade else "normal",
        grade_probabilities=probabilities,
        morphometric_grade=found.grade,
        learned_grade=learned,
        borderline=found.borderline,
        density_hu=120.0,
        flags=flags,
    )
