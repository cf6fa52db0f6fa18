"""Names of the shapes of vertebral bodies after Genant et al., J Bone Miner Res 8 (1993) 1137."""

from __future__ import annotations

FRACTURE_SHAPES = ("wedge", "biconcave", "crush")

SHAPE_NAMES = ("normal", *FRACTURE_SHAPES)
"""In the order of the outputs of `network.GradeNetwork`."""
