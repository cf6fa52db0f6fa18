"""Morphometry of a typical adult vertebra at every level, and how it varies between people.

Bodies, pedicles, canal and processes follow the quantitative anatomy of Panjabi et al. (cervical:
Spine 16 (1991) 861-869; thoracic: Spine 16 (1991) 888-901; lumbar: Spine 17 (1992) 299-306),
facets Panjabi et al., Spine 18 (1993) 1298-1310, body heights Gilad and Nissan, Spine 11 (1986)
154-157 and Masharawi et al., Clin Anat 21 (2008) 46-54. Where those measure landmarks that a
surface does not show (tips and slopes of the processes), values are those of the expert masks of
VerSe (Sekuboyina et al. 2021), which include the cortical shell and rims and so run 1-2 mm larger.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from ..levels import level_numbered


@dataclass(frozen=True)
class VertebraParameters:
    """Sizes (mm) in the frame of the body: z up, y back, x left, origin at its centre.

    Attributes
    ----------
    height, depth, width : float
        Body; mean height.
    wedge : float
        Anterior height divided by posterior height.
    canal_depth, canal_width : float
    pedicle_width, pedicle_height, pedicle_z : float
        Section of the pedicle and the height of its axis.
    facet_z, facet_y, facet_x : float
        Centre of the left superior facet joint.
    facet_normal : tuple of float
        Normal (z, y, x) of the left superior facet.
    facet_half : float
        Half the facet's height.
    lamina_z, lamina_height, lamina_thickness : float
    spinous_y, spinous_z : float
        Tip of the spinous process (centre of its end).
    spinous_base_height, spinous_tip_height, spinous_width : float
    transverse_x, transverse_z, transverse_y : float
        Tip of the left transverse process.
    transverse_radius : float
        Half the vertical thickness of the transverse process at its tip.
    spacing : float
        Distance of the body centre to that of the next level below.
    """

    height: float
    depth: float
    width: float
    wedge: float
    canal_depth: float
    canal_width: float
    pedicle_width: float
    pedicle_height: float
    pedicle_z: float
    facet_z: float
    facet_y: float
    facet_x: float
    facet_normal: tuple[float, float, float]
    facet_half: float
    lamina_z: float
    lamina_height: float
    lamina_thickness: float
    spinous_y: float
    spinous_z: float
    spinous_base_height: float
    spinous_tip_height: float
    spinous_width: float
    transverse_x: float
    transverse_z: float
    transverse_y: float
    transverse_radius: float
    spacing: float


# One row a level; columns as in VertebraParameters, facet_normal taking three.
_ROWS = """
#     H    D    W wedge  cD   cW   pW   pH   pZ   fZ   fY   fX   nZ   nY   nX  fh   lZ   lH   lT   sY   sZ   sB   sT   sW   tX   tZ   tY   tR  gap
C2  21.0 16.5 21.0 1.00 17.5 24.0  7.0  8.5 -2.0  8.0  3.0 14.5 0.96 0.00 0.28  7.0 -5.0 13.0  7.0   46   -5   15   13    8 28.5 -6.0  7.0  3.4 22.0
C3  13.4 17.6 22.5 0.97 14.5 23.5  5.6  7.4  0.0  6.5 14.5 20.5 0.70 0.71 0.00  5.5 -6.5 11.0  4.2   32  -15    9    7    6 28.0 -3.0  4.0  3.0 17.9
C4  13.0 18.0 23.5 0.97 14.5 24.0  5.4  7.4  0.0  6.5 15.0 20.8 0.70 0.71 0.00  5.5 -6.5 11.0  4.2   33  -15    9    7    6 29.0 -3.0  5.0  3.0 17.3
C5  12.7 18.4 25.0 0.96 14.5 25.0  5.6  7.0  0.0  6.8 15.5 21.2 0.68 0.73 0.00  5.5 -6.0 11.0  4.3   35  -14    9    7    6 30.0 -3.0  6.0  3.0 16.8
C6  13.0 18.8 27.0 0.96 14.5 26.0  6.0  7.3  1.0  7.3 16.0 21.2 0.62 0.78 0.00  5.5 -5.0 12.0  4.5   42  -12   10    8    6 32.0  0.0  5.0  3.4 17.6
C7  14.4 18.8 29.5 0.97 14.5 25.0  6.6  7.8  2.5  8.3 16.5 20.5 0.55 0.83 0.05  5.8 -4.0 14.0  5.0   52  -12   12    9    7 37.0  5.0  8.0  4.0 19.8
T1  16.4 18.6 31.5 0.97 15.0 22.0  8.5  9.6  4.0 10.0 18.5 17.5 0.40 0.89 0.15  6.0 -3.0 16.0  5.5   53  -14   13    9    7 40.0 10.0 20.0  5.0 20.9
T2  17.0 20.0 29.5 0.97 15.3 19.5  8.2 11.0  5.0 12.0 19.8 14.0 0.32 0.92 0.18  6.0 -3.0 17.0  6.0   54  -18   14    8    7 36.5 11.0 27.0  5.2 21.1
T3  17.2 21.6 28.5 0.96 15.3 18.3  6.9 11.7  5.0 13.0 20.2 12.3 0.30 0.93 0.18  6.0 -3.0 18.0  6.2   54  -20   14    8    7 34.5  9.0 31.0  5.4 21.1
T4  17.6 23.2 28.0 0.95 15.3 17.5  6.4 12.0  5.0 13.2 21.0 11.8 0.28 0.94 0.18  6.0 -3.0 18.5  6.4   55  -23   15    8    7 33.5  6.0 33.0  5.5 21.7
T5  18.0 24.6 28.2 0.95 15.5 17.3  6.2 12.0  5.0 13.4 21.7 11.5 0.28 0.94 0.18  6.0 -3.0 19.0  6.5   56  -27   15    7    7 33.0  6.0 34.5  5.5 22.1
T6  18.5 26.0 29.0 0.94 15.5 17.3  6.1 12.2  5.0 13.6 22.4 11.5 0.28 0.94 0.18  6.0 -3.0 19.0  6.5   56  -31   15    7    6 32.5  6.0 35.5  5.5 22.6
T7  19.1 27.2 30.2 0.94 15.5 17.3  6.1 12.3  5.0 13.8 23.0 11.5 0.26 0.95 0.18  6.0 -3.0 19.5  6.5   56  -32   15    7    6 32.0  6.0 36.0  5.5 23.4
T8  19.7 28.0 31.5 0.94 15.5 17.6  6.7 12.6  5.0 14.0 23.5 11.5 0.26 0.95 0.18  6.0 -3.0 19.5  6.5   55  -30   15    8    6 31.5  6.0 36.0  5.4 24.0
T9  20.5 28.6 33.0 0.95 15.5 17.9  7.5 13.6  5.0 14.2 23.8 11.5 0.24 0.95 0.18  6.0 -3.0 20.0  6.5   53  -26   16    9    6 30.0  6.0 35.5  5.2 25.3
T10 21.8 29.0 34.8 0.95 15.5 18.2  8.6 14.6  5.0 14.6 24.0 11.5 0.22 0.95 0.18  6.0 -3.0 20.5  6.5   51  -20   17   11    6 28.0  6.0 34.5  5.0 27.2
T11 23.2 29.3 36.8 0.94 15.5 19.3  9.2 16.0  5.0 15.4 25.1 11.5 0.20 0.96 0.15  6.0 -4.0 21.0  6.5   49  -14   18   13    6 25.0  4.0 31.0  4.8 29.6
T12 24.6 29.8 39.0 0.94 16.0 21.5  9.0 16.2  5.0 15.8 26.5 12.0 0.15 0.97 0.10  6.0 -5.0 22.0  6.5   51  -11   20   17    7 23.0  2.0 27.0  4.6 32.3
T13 25.2 30.4 39.8 0.95 16.0 22.5  8.8 16.0  5.0 14.5 27.5 13.5 0.08 0.75 -0.55  6.5 -6.0 22.5  6.5   54  -12   21   19    7 25.0  2.5 29.0  4.3 32.6
L1  25.8 31.0 40.6 0.95 16.2 23.3  8.6 15.6  5.0 13.6 30.0 14.5 0.05 0.52 -0.83  6.8 -7.0 23.0  6.8   58  -13   22   21    7 37.0  3.0 31.0  4.2 34.4
L2  26.6 32.0 42.2 0.97 15.8 23.6  8.8 15.0  5.0 13.6 30.6 14.8 0.05 0.52 -0.83  7.0 -8.0 23.0  7.0   61  -14   23   22    7 42.0  4.0 31.0  4.2 35.8
L3  26.8 33.0 43.6 1.00 15.6 24.2 10.0 14.6  5.0 13.6 31.0 15.6 0.05 0.55 -0.81  7.2 -8.0 23.0  7.0   62  -15   23   22    8 47.0  4.0 29.0  4.2 36.4
L4  26.6 33.4 45.4 1.04 16.0 25.2 12.6 15.0  4.5 13.2 30.4 16.8 0.08 0.65 -0.74  7.2 -7.5 21.0  7.0   59  -15   22   20    8 46.0  2.0 26.0  4.4 36.2
L5  26.0 33.4 48.4 1.16 17.0 27.0 17.0 15.0  4.0 12.4 28.5 18.8 0.12 0.80 -0.57  7.2 -7.5 18.0  6.5   52  -14   18   14    8 47.0  2.0 21.0  5.5 33.0
L6  25.2 33.0 48.6 1.12 17.0 27.0 16.0 14.5  4.0 12.4 28.5 19.0 0.12 0.80 -0.57  7.0 -7.0 17.0  6.3   49  -12   17   12    8 44.0  2.0 20.0  5.5 32.0
S1  27.0 32.0 49.0 1.20 16.0 29.0 18.0 15.0  4.0 12.0 27.0 21.0 0.20 0.85 -0.48  7.0 -7.0 16.0  6.0   45  -10   15   11    8 50.0  0.0 18.0  8.0 25.0
"""  # noqa: E501


def _table() -> dict[str, VertebraParameters]:
    table = {}
    for line in _ROWS.strip().splitlines():
        if line.startswith("#"):
            continue
        name, *cells = line.split()
        v = [float(c) for c in cells]
        table[name] = VertebraParameters(*v[:12], tuple(v[12:15]), *v[15:])
    return table


TYPICAL: dict[str, VertebraParameters] = _table()
"""Typical parameters of C2 to S1 by level name; the atlas has its own builder."""

_BELOW = {
    name: after for name, after in zip(list(TYPICAL), list(TYPICAL)[1:] + ["S1"], strict=True)
} | {"T12": "L1", "L5": "S1"}

_ABSOLUTE = {"wedge", "facet_normal", "spacing"}

# Standard deviations of the logarithm: bodies vary least, processes most (Panjabi 1991, 1992).
_SPREAD = {
    "height": 0.05, "depth": 0.05, "width": 0.05, "canal_depth": 0.08, "canal_width": 0.06,
    "pedicle_width": 0.12, "pedicle_height": 0.08, "facet_half": 0.10, "lamina_height": 0.08,
    "lamina_thickness": 0.12, "spinous_base_height": 0.10, "spinous_tip_height": 0.15,
    "spinous_width": 0.15, "transverse_x": 0.06, "transverse_radius": 0.12,
}  # fmt: skip


def draw_parameters(
    level_number: int, rng: np.random.Generator
) -> tuple[VertebraParameters, VertebraParameters]:
    """Draw an individual.

    Parameters
    ----------
    level_number : int
        VerSe number, C2 (2) to L6 (25), T13 (28) or S1 (26).
    rng : Generator

    Returns
    -------
    own, below : VertebraParameters
        Those of the level and, for the shape of its inferior facets, of the level below; both share
        the individual's size.
    """
    name = level_numbered(level_number).name
    own, below = TYPICAL[name], TYPICAL[_BELOW.get(name, "S1")]
    size = float(np.exp(0.05 * rng.standard_normal()))
    changes = {}
    for field in fields(own):
        if field.name in _ABSOLUTE:
            continue
        spread = _SPREAD.get(field.name, 0.0)
        factor = size * np.exp(spread * rng.standard_normal())
        changes[field.name] = getattr(own, field.name) * factor
    changes["wedge"] = own.wedge * np.exp(0.03 * rng.standard_normal())
    changes["spacing"] = own.spacing * size
    changes["spinous_y"] *= np.exp(0.05 * rng.standard_normal())
    changes["spinous_z"] += rng.normal(0, 2.5)
    changes["transverse_z"] += rng.normal(0, 1.5)
    changes["transverse_y"] += rng.normal(0, 2.0)
    own = replace(own, **{k: float(v) for k, v in changes.items()})
    lower = {
        k: float(getattr(below, k) * size) for k in ("facet_z", "facet_y", "facet_x", "facet_half")
    }
    return own, replace(below, **lower)
