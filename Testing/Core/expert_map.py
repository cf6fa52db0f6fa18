"""A label map of a spine whose geometry is known: read off a phantom scene."""

from __future__ import annotations

import numpy as np
from vertebra_core.levels import level_named
from vertebra_core.phantom.codes import CODE_MASK
from vertebra_core.phantom.patient import draw_patient
from vertebra_core.phantom.scene import SDF_ZERO, PhantomScene
from vertebra_core.phantom.scene_builder import build_scene
from vertebra_core.phantom.shape_library import ShapeLibrary
from vertebra_core.volume import LabelVolume

SCENE_MM = 1.5
LEVELS = ("L1", "L2", "L3", "L4")


def mapped_scene() -> PhantomScene:
    """A scene of a lumbar spine without fractures."""
    patient = draw_patient(np.random.default_rng(5), variant="usual", fractured=False)
    library = ShapeLibrary.parametric_only()
    return build_scene(11, library, SCENE_MM, patient, field_of_view="lumbar")


def map_of(scene: PhantomScene, levels=LEVELS) -> LabelVolume:
    """The vertebrae of `levels` in the scene's own voxels; its origin is that of the scene."""
    codes = np.where(scene.bone_sdf <= SDF_ZERO, scene.labels & CODE_MASK, 0)
    numbers = [level_named(name).number for name in levels]
    labels = np.where(np.isin(codes, numbers), codes, 0).astype(np.uint8)
    return LabelVolume(labels, (SCENE_MM,) * 3, (0.0, 0.0, 0.0))
