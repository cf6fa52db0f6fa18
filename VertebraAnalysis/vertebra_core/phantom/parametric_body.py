"""The vertebral body as a formula: heart- or kidney-shaped section, waist, endplates with rims."""

from __future__ import annotations

import numpy as np

from ..levels import Region, level_numbered
from .sdf import normalised, smooth_max
from .vertebra_parameters import VertebraParameters

_REGION_FORM = {
    # waist, heart, section power, endplate concavity (mm), posterior concavity (mm)
    Region.CERVICAL: (0.05, 0.00, 2.3, 0.7, 0.5),
    Region.THORACIC: (0.06, 0.17, 2.05, 0.9, 1.8),
    Region.LUMBAR: (0.07, 0.03, 2.3, 1.3, 1.4),
    Region.SACRAL: (0.04, 0.00, 2.3, 1.0, 0.5),
}


def body_field(
    z: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    p: VertebraParameters,
    level_number: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Signed distance (mm) to a body centred at 0 on a 1 mm grid of broadcastable coordinates."""
    region = level_numbered(level_number).region
    waist, heart, power, concave, back_hollow = _REGION_FORM[region]
    if region is Region.THORACIC:
        # The heart shape of the upper and middle chest gives way to an oval at T11 and T12.
        heart *= np.clip((21 - min(level_number, 20)) / 7, 0.15, 1.0)
    vary = np.exp(0.2 * rng.standard_normal(5))
    waist, heart, concave = waist * vary[0], heart * vary[1], concave * vary[2]
    back_hollow *= vary[3]
    # Rounding the edges takes a little off: measured sizes come out as asked with these factors.
    a = p.width / 2 * (1.055 if region is Region.CERVICAL else 1.028)
    b, h = p.depth / 2 * 1.025, p.height / 2 * 0.99

    # The mid-level of the body is narrower than its rims; p.width is the mean over the height.
    t = np.clip(np.abs(z) / h, 0, 1)
    side = 1 + waist * (1.6 * t**2.5 - 0.45)
    front = 1 + 0.8 * waist * (1.6 * t**2.5 - 0.45)
    # Far in front of a strongly heart-shaped body its outline would turn inside out.
    across = np.abs(x) / (a * side * np.maximum(1 + heart * y / b, 1e-3))
    forward = np.where(y < 0, -y / (b * front), y / (1.45 * b))
    q = (across**power + forward**power) ** (1 / power)
    around = (q - 1) * min(a, b)

    hollow = back_hollow * (1 - np.exp(-((x / (0.4 * a)) ** 2)))
    wall = b + 0.4 + hollow - 0.8 * (1 - t**2)
    shell = smooth_max(around, y - wall, 3.0)

    r2 = np.clip((x / a) ** 2 + (y / b) ** 2, 0, 1.15)
    difference = p.height * 2 * (p.wedge - 1) / (p.wedge + 1)
    # Heights are measured at 15 % and 85 % of the depth.
    half = h - difference * np.clip(y / b, -1.2, 1.2) / 1.4 / 2
    mean_r2 = 0.3
    upper_shape = (r2 - mean_r2) * concave * 1.5
    lower_shape = (np.clip((x / a) ** 2 + ((y / b) - 0.2) ** 2, 0, 1.2) - mean_r2) * concave * 1.7
    upper, lower = half + upper_shape, half + lower_shape
    if region is Region.CERVICAL:
        lateral = np.clip((np.abs(x) / a - 0.35) / 0.65, 0, 1.1)
        rise = p.height * 0.30 * vary[4] * np.clip(0.75 + 0.5 * y / b, 0.2, 1.2)
        if level_number > 2:
            upper = upper + rise * (lateral**1.5 - 0.08)
        front_edge = np.clip(-y / b - 0.1, 0, 1)
        upper = upper - 1.6 * front_edge
        lower = lower - 3.2 * lateral**1.6 + 2.0 * front_edge
    body = smooth_max(shell, z - upper, 1.8)
    body = smooth_max(body, -z - lower, 1.8)
    return normalised(np.broadcast_to(body, np.broadcast_shapes(z.shape, y.shape, x.shape)))
