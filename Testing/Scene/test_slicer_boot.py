"""The scene half of 3D Slicer as tests start it."""

from __future__ import annotations

import numpy as np


def test_starting_twice_gives_the_same_scene(slicer):
    from SlicerBoot import startSlicer

    scene = slicer.mrmlScene
    assert startSlicer().mrmlScene is scene


def test_a_volume_survives_a_scene_file(slicer, tmp_path):
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    slicer.util.addVolumeFromArray(voxels, name="CT")
    path = tmp_path / "scène 1.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(path))
    again = slicer.util.getNode("CT")
    assert (slicer.util.arrayFromVolume(again) == voxels).all()


def test_module_logics_and_translation_are_found(slicer):
    from slicer.i18n import tr

    assert tr("Analyze spine") == "Analyze spine"
    assert slicer.modules.markups.logic().GetMRMLScene() is slicer.mrmlScene
    assert slicer.mrmlScene.GetSubjectHierarchyNode() is not None
