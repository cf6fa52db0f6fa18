"""The bundled networks on one scan that is stored in several ways: the same patient each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vertebra_core.pipeline import AnalysisOptions, AnalysisResult, analyze
from vertebra_core.reading import read_ct
from vertebra_core.settings import FAST
from vertebra_core.volume import CtVolume

SAMPLE = Path(__file__).resolve().parents[2] / "Resources/SampleData/spine_phantom_ct.nii.gz"
HEIGHTS = ("anterior", "middle", "posterior")

# Which of the axes z, y, x come first, second and third, and which of these then run backwards.
WAYS = {
    "sagittal slices": ((2, 0, 1), (False, True, False)),
    "turned by 90 degrees about z": ((0, 2, 1), (False, True, False)),
    "turned by 90 degrees about x, left-handed": ((1, 0, 2), (True, True, True)),
}

pytestmark = pytest.mark.slow


def stored(ct: CtVolume, order: tuple[int, ...], backwards: tuple[bool, ...]) -> CtVolume:
    """Return the same voxels in the same places, in another order."""
    steps = tuple(slice(None, None, -1 if back else 1) for back in backwards)
    first = np.zeros(3, int)
    for axis, back in zip(order, backwards, strict=True):
        first[axis] = ct.hu.shape[axis] - 1 if back else 0
    signs = [-1.0 if back else 1.0 for back in backwards[::-1]]
    columns = [2 - axis for axis in order[::-1]]
    axes = np.reshape(ct.direction, (3, 3))[:, columns] * signs
    return replace(
        ct,
        hu=np.ascontiguousarray(ct.hu.transpose(order)[steps]),
        spacing_xyz_mm=tuple(ct.spacing_xyz_mm[c] for c in columns),
        origin_lps_mm=tuple(ct.index_to_lps(first).tolist()),
        direction=tuple(axes.ravel().tolist()),
    )


@pytest.fixture(scope="module")
def ct() -> CtVolume:
    return read_ct(SAMPLE)


@pytest.fixture(scope="module")
def straight(ct) -> AnalysisResult:
    return analyzed(ct)


def analyzed(ct: CtVolume) -> AnalysisResult:
    return analyze(ct, AnalysisOptions(device="cpu", threads=1, setting=FAST))


@pytest.mark.parametrize("way", WAYS)
def test_the_table_does_not_depend_on_how_the_scan_is_stored(ct, straight, way):
    order, backwards = WAYS[way]
    turned = analyzed(stored(ct, order, backwards))
    before, after = straight.analysis.vertebrae, turned.analysis.vertebrae
    assert len(before) >= 6 and any(v.grade for v in before), "there is something to compare"
    for name in ("level", "grade", "shape", "borderline"):
        assert [getattr(v, name) for v in after] == [getattr(v, name) for v in before], name
    for a, b in zip(before, after, strict=True):
        assert {f.code for f in b.flags} == {f.code for f in a.flags}
        assert b.level_probability == pytest.approx(a.level_probability, abs=0.02)
        assert b.center_lps_mm == pytest.approx(a.center_lps_mm, abs=0.2)
        assert b.density_hu == pytest.approx(a.density_hu, abs=2)
        assert b.volume_ml == pytest.approx(a.volume_ml, abs=0.3)
        assert (b.heights_mm is None) == (a.heights_mm is None)
        for height in HEIGHTS if a.heights_mm else ():
            own = getattr(a.heights_mm, height)
            assert getattr(b.heights_mm, height) == pytest.approx(own, abs=0.2)
    # The label map lies in the geometry of the input, so it is stored as the scan is.
    as_turned = replace(ct, hu=straight.labels)
    differ = stored(as_turned, order, backwards).hu != turned.labels
    assert differ.sum() < 0.005 * (straight.labels > 0).sum()


def test_storing_a_scan_otherwise_moves_no_voxel(ct):
    point = np.array([20, 30, 10])
    for order, backwards in WAYS.values():
        turned = stored(ct, order, backwards)
        index = turned.lps_to_index(ct.index_to_lps(point))
        assert index == pytest.approx(np.rint(index), abs=1e-4)
        assert turned.hu[tuple(np.rint(index).astype(int))] == ct.hu[tuple(point)]
