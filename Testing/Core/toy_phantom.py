"""A small phantom scene for tests of the scanner: upright bodies in muscle, fat and skin."""

from __future__ import annotations

import numpy as np
from vertebra_core.phantom.codes import BODY_BIT, Tissue
from vertebra_core.phantom.scan_case import scan
from vertebra_core.phantom.scan_protocol import ScanProtocol
from vertebra_core.phantom.scene import PhantomScene, PhantomVertebra, encode_sdf

BODY_CENTER_YX_MM = (60.0, 50.0)
BODY_RADIUS_MM = 18.0
BODY_HEIGHT_MM = 24.0
LEVELS = (20, 21, 22)
QUIET = ScanProtocol(noise_hu=3.0, streak_hu=0.0, beam_hardening_hu=0.0, cupping_hu=0.0)


def toy_scene(spacing_mm: float = 1.0, trabecular_hu: float = 160.0) -> PhantomScene:
    """Three cylindrical bodies (L1-L3, 30 mm apart) with a spinous process behind each."""
    shape = tuple(round(n / spacing_mm) for n in (96, 110, 100))
    z, y, x = (
        (np.arange(n) * spacing_mm).reshape([-1 if k == j else 1 for j in range(3)])
        for k, n in enumerate(shape)
    )
    y0, x0 = BODY_CENTER_YX_MM
    radius = np.sqrt((y - y0) ** 2 + (x - x0) ** 2) + 0 * z
    outline = np.sqrt(((y - 55) / 52) ** 2 + ((x - 50) / 47) ** 2) + 0 * z
    tissue = np.full(shape, Tissue.AIR, np.uint8)
    tissue[outline < 1] = Tissue.SKIN
    tissue[outline < 0.97] = Tissue.FAT
    tissue[outline < 0.8] = Tissue.MUSCLE
    tissue[radius < BODY_RADIUS_MM] = Tissue.DISC
    tissue[(np.sqrt((y - 25) ** 2 + (x - 50) ** 2) + 0 * z) < 10] = Tissue.AORTA
    sdf = np.full(shape, 16.0)
    labels = np.zeros(shape, np.uint8)
    vertebrae = []
    for k, level in enumerate(LEVELS):
        center_z = 78.0 - 30 * k
        body = np.maximum(np.abs(z - center_z) - BODY_HEIGHT_MM / 2, radius - BODY_RADIUS_MM)
        process = (
            np.sqrt(
                np.maximum(np.abs(z - center_z) - 5, 0) ** 2
                + np.maximum(np.abs(y - 90) - 8, 0) ** 2
                + (x - x0) ** 2
            )
            - 4
        )
        labels[np.minimum(body, process) < 2] = level
        labels[(body < 2) & (body <= process)] = level | BODY_BIT
        sdf = np.minimum(sdf, np.minimum(body, process))
        vertebrae.append(
            PhantomVertebra(
                level,
                (center_z, y0, x0),
                ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
                BODY_HEIGHT_MM,
                BODY_HEIGHT_MM,
                BODY_HEIGHT_MM,
                (BODY_HEIGHT_MM,) * 3,
                2 * BODY_RADIUS_MM,
                2 * BODY_RADIUS_MM,
                0,
                "normal",
                trabecular_hu + 20 * k,
            )
        )
    return PhantomScene(spacing_mm, labels, encode_sdf(sdf), tissue, tuple(vertebrae), 7)


def quiet_scan(scene: PhantomScene):
    """Scan a scene with little noise in slices of 2.5 mm: CT, labels and bodies."""
    return scan(scene, (0.9, 0.9, 2.5), np.random.default_rng(4), protocol=QUIET)
