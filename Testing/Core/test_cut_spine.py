"""The bundled networks on a scan whose edge cuts the bodies: found, flagged and never graded."""

from __future__ import annotations

import pytest
from vertebra_core.evaluation.prediction import from_result
from vertebra_core.evaluation.public_cases import check_crop, crop_truth
from vertebra_core.evaluation.scoring import score_case
from vertebra_core.pipeline import AnalysisOptions, analyze
from vertebra_core.reading import read_ct

pytestmark = pytest.mark.slow


def test_bodies_cut_by_the_back_edge_of_a_chest_crop_are_found_and_flagged(shared_data):
    ct = read_ct(shared_data / "ct/ts_pulmonary_crop_ct.nii.gz")
    result = analyze(ct, AnalysisOptions(device="cpu", threads=1))
    found = result.analysis.vertebrae
    assert len(found) >= 3
    record = score_case("crop", ct, crop_truth(ct), from_result(result))
    requirements = check_crop(record)
    assert len(requirements) == 2
    assert all(r.met for r in requirements), requirements
    assert any("may have been missed" in w for w in result.analysis.warnings)
    # Nothing in a crop like this tells which vertebrae they are.
    assert all("low_level_margin" in {f.code for f in v.flags} for v in found)
