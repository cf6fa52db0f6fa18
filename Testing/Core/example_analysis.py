"""A small CT with three box-shaped vertebrae and its analysis, made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from vertebra_core.analysis import (
    Flag,
    HeightLine,
    HeightLoss,
    HeightReference,
    Heights,
    Manifest,
    SpineAnalysis,
    Vertebra,
)
from vertebra_core.volume import CtVolume, LabelVolume

SPACING_XYZ_MM = (1.5, 1.25, 2.0)
ORIGIN_LPS_MM = (20.0, -35.0, 140.0)
# Turned by 30 degrees about z and mirrored along x: left-handed and oblique.
C, S = np.cos(np.pi / 6), np.sin(np.pi / 6)
DIRECTION = (-C, -S, 0.0, -S, C, 0.0, 0.0, 0.0, 1.0)
LEVELS = {"T12": (19, 42), "L1": (20, 26), "L2": (21, 10)}
"""Level -> VerSe number and slice of its centre."""


def example() -> tuple[CtVolume, LabelVolume, np.ndarray, SpineAnalysis]:
    """Return CT, labels, bodies and analysis."""
    shape = (54, 48, 44)
    hu = np.random.default_rng(3).normal(40, 15, shape).astype(np.int16)
    labels = np.zeros(shape, np.uint8)
    bodies = np.zeros(shape, np.uint8)
    ct = CtVolume(hu, SPACING_XYZ_MM, ORIGIN_LPS_MM, DIRECTION)
    vertebrae = []
    for level, (number, z) in LEVELS.items():
        bodies[z - 6 : z + 7, 10:28, 10:34] = number
        labels[z - 6 : z + 7, 10:28, 10:34] = number
        labels[z - 3 : z + 4, 32:44, 20:24] = number
        vertebrae.append(_vertebra(ct, level, z))
    hu[labels > 0] += 300
    placed = LabelVolume(labels, SPACING_XYZ_MM, ORIGIN_LPS_MM, DIRECTION)
    return ct, placed, bodies, SpineAnalysis(
        tuple(vertebrae),
        Manifest(
            "0.1.0", {"locnet": "ab" * 32}, "cpu", {"reading": 0.4, "grading": 1.25},
            ct.size_xyz, SPACING_XYZ_MM, ORIGIN_LPS_MM, DIRECTION, {"localiser": "votes"},
            "spine <1>.nii.gz", "1.2.840.7", "2026-03-01T12:30:05+00:00", {"python": "3.11.2"},
        ),
        ('The voxels are <large> & "coarse".',),
    )  # fmt: skip


def _vertebra(ct: CtVolume, level: str, z: int) -> Vertebra:
    at = lambda *index: tuple(ct.index_to_lps(np.array(index)).tolist())  # noqa: E731
    plain = Vertebra(
        level=level,
        level_probability=0.97,
        runner_up_level="L3" if level == "L2" else None,
        center_lps_mm=at(z, 18.5, 21.5),
        runner_up_probability=0.025 if level == "L2" else 0.0004,
        axes_lps=((C, S, 0.0), (-S, C, 0.0), (0.0, 0.0, 1.0)),
        heights_mm=Heights(26.0, 25.0, 26.5),
        heights_spread_mm=Heights(0.4, 0.3, 0.5),
        height_lines={
            name: HeightLine(at(z + 6.5, y, 21.5), at(z - 6.5, y, 21.5))
            for name, y in (("anterior", 12), ("middle", 18.5), ("posterior", 25))
        },
        height_loss=HeightLoss(0.01, 0.02, -0.03),
        height_reference=HeightReference(0.93, 0.94, 27.0, "neighbours"),
        grade=0,
        shape="normal",
        grade_probabilities=(0.9, 0.06, 0.03, 0.01),
        morphometric_grade=0,
        learned_grade=0,
        borderline=False,
        density_hu=142.5,
        volume_ml=48.25,
    )
    if level == "L1":
        return replace(
            plain,
            height_loss=HeightLoss(0.24, 0.11, 0.05),
            grade=1,
            shape="wedge",
            borderline=True,
            flags=(Flag("borderline", 'A loss of 24 % is near "25 %".'),),
        )
    if level == "L2":
        missing = dict.fromkeys(
            ("heights_mm", "heights_spread_mm", "height_loss", "height_reference", "grade",
             "shape", "grade_probabilities", "morphometric_grade", "learned_grade", "borderline",
             "density_hu")
        )  # fmt: skip
        reason = "The edge of the scan cuts the body."
        return replace(
            plain, **missing, height_lines={}, flags=(Flag("cut_by_field_of_view", reason),)
        )
    return plain
