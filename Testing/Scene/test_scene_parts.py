"""Coordinates, colours of grades, label map files: what the scene is written with."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from vertebra_core.output.label_map import write_label_map
from vertebra_core.volume import LabelVolume
from VertebraAnalysisLib.Coordinates import (
    LpsGeometry,
    arrayFromMatrix,
    ijkToRas,
    lpsGeometry,
    lpsToRas,
    matrixFromArray,
    rasToLps,
)
from VertebraAnalysisLib.GradeStyle import GRADE_STYLES, gradeStyle
from VertebraAnalysisLib.LabelMapFile import LabelMapFile
from VertebraAnalysisLib.UserError import UserError

LIB = Path(__file__).resolve().parents[2] / "VertebraAnalysis"

# Linear RGB -> what a dichromat sees, for protanopia and deuteranopia (Vienot, Brettel, Mollon,
# "Digital video colourmaps for checking the legibility of displays by dichromats", Color Research
# and Application 24 (1999) 243-252).
DICHROMATS = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.112, 0.888, 0], [0.112, 0.888, 0], [0.004, -0.004, 1]]),
    "deuteranopia": np.array([[0.293, 0.707, 0], [0.293, 0.707, 0], [-0.022, 0.022, 1]]),
}


def test_lps_and_ras_are_each_others_inverse():
    assert lpsToRas((1, -2, 3)) == (-1.0, 2.0, 3.0)
    assert rasToLps(lpsToRas((1.5, -2, 3))) == (1.5, -2.0, 3.0)


def test_a_grid_comes_back_from_its_matrix():
    c, s = np.cos(0.4), np.sin(0.4)
    grid = LpsGeometry((0.5, 0.7, 2.0), (10.0, -20.0, 30.0), (-c, s, 0, s, c, 0, 0, 0, 1))
    again = lpsGeometry(ijkToRas(grid))
    assert again.spacing == pytest.approx(grid.spacing)
    assert again.origin == pytest.approx(grid.origin)
    assert again.direction == pytest.approx(grid.direction)
    voxel = ijkToRas(grid) @ [2, 0, 0, 1]
    wanted = lpsToRas(np.array(grid.origin) + 2 * 0.5 * np.array([-c, s, 0]))
    assert voxel[:3] == pytest.approx(wanted)


def test_a_sheared_grid_is_refused():
    sheared = np.eye(4)
    sheared[0, 2] = 0.2
    with pytest.raises(ValueError, match="right angles"):
        lpsGeometry(sheared)


def test_a_matrix_survives_vtk():
    values = np.arange(16.0).reshape(4, 4)
    assert (arrayFromMatrix(matrixFromArray(values)) == values).all()


@pytest.mark.parametrize("eyes", DICHROMATS)
def test_colours_of_grades_differ_for_all_eyes(eyes):
    def lab(color):
        linear = (np.array(color) / 255) ** 2.2 @ DICHROMATS[eyes].T
        xyz = linear.clip(0) @ np.array(
            [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
        )
        f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    for a, b in combinations(GRADE_STYLES.values(), 2):
        assert np.linalg.norm(lab(a.color) - lab(b.color)) > 20, (a.text, b.text)


def test_text_on_a_grades_colour_is_legible():
    def luminance(color):
        return ((np.array(color) / 255) ** 2.2) @ [0.2126, 0.7152, 0.0722]

    for style in GRADE_STYLES.values():
        bright, dark = sorted((luminance(style.color), luminance(style.textColor)), reverse=True)
        # WCAG 2.1, level AA.
        assert (bright + 0.05) / (dark + 0.05) > 4.5, style.text


def test_grades_have_a_symbol_of_their_own():
    assert gradeStyle(7) is GRADE_STYLES[None]
    assert len({style.symbol for style in GRADE_STYLES.values()}) == len(GRADE_STYLES)


@pytest.fixture
def labels():
    voxels = np.zeros((20, 18, 16), np.uint8)
    voxels[5:9, 4:10, 3:12] = 20
    voxels[12:15, 4:10, 3:12] = 19
    return LabelVolume(voxels, (0.7, 0.7, 1.3), (-40.0, 30.0, 500.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def grid(volume):
    return ijkToRas(LpsGeometry(volume.spacing_xyz_mm, volume.origin_lps_mm, volume.direction))


def test_a_label_map_is_cut_to_what_it_holds_on_the_exact_grid_of_the_ct(labels, tmp_path):
    write_label_map(tmp_path / "ä b.nii.gz", labels.labels, labels)
    found = LabelMapFile.read(tmp_path / "ä b.nii.gz", grid(labels))
    assert found.numbers == {19, 20}
    assert found.firstIndex == (2, 3, 4) and found.labels.shape == (12, 8, 11)
    assert (found.labels == labels.labels[4:16, 3:11, 2:13]).all()
    assert (found.ijkToRas == grid(labels)).all()


def test_a_label_map_on_another_grid_keeps_its_own(labels, tmp_path):
    write_label_map(tmp_path / "a.nii.gz", labels.labels, labels)
    other = grid(labels)
    other[:3, 3] += 0.4
    found = LabelMapFile.read(tmp_path / "a.nii.gz", other)
    assert found.ijkToRas == pytest.approx(grid(labels), abs=1e-4)


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08" + bytes(40)])
def test_a_file_that_is_no_label_map_is_told(labels, tmp_path, content):
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.nii\.gz cannot be read"):
        LabelMapFile.read(tmp_path / "a.nii.gz", np.eye(4))


def test_writing_the_scene_needs_no_torch_and_loads_nothing_heavy():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import VertebraAnalysisLib.SceneWriter, VertebraAnalysisLib.LabelMapExport\n"
        "heavy = {'torch', 'SimpleITK', 'scipy', 'vtk', 'slicer'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(LIB)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
