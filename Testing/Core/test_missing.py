"""Why figures are missing: the reason told is the one that holds."""

from __future__ import annotations

import pytest
from vertebra_core.analysis import Flag, HeightLoss, Heights, Vertebra
from vertebra_core.grading.norms import why_not_graded
from vertebra_core.missing import missing_reasons


def vertebra(*flags: Flag, **figures) -> Vertebra:
    return Vertebra("L1", 0.99, None, (0.0, 0.0, 0.0), flags=flags, **figures)


def measured(*flags: Flag, **figures) -> Vertebra:
    heights = Heights(20.0, 20.0, 20.0)
    return vertebra(*flags, heights_mm=heights, height_loss=HeightLoss(0.0, 0.0, 0.0), **figures)


@pytest.mark.parametrize("why", [why_not_graded("C2"), "Too few slices show the whole body."])
def test_density_of_a_body_without_heights_is_not_blamed_on_the_ct_or_the_bone(why):
    reason = missing_reasons(vertebra(Flag("not_graded", why)))["density_hu"]
    assert reason == f"Density is read only in bodies whose heights are measured. {why}"


@pytest.mark.parametrize("code", ["metal", "cement"])
def test_density_that_metal_or_cement_forbids_says_so(code):
    doubt = Flag("implausible_shape", "Ragged.")
    assert missing_reasons(measured(doubt, Flag(code, "So.")))["density_hu"] == "So."


def test_a_cut_arch_or_thick_slices_do_not_explain_a_missing_density():
    flags = Flag("cut_by_field_of_view", "Arch cut."), Flag("low_resolution", "Thick.")
    assert "no CT" in missing_reasons(measured(*flags))["density_hu"]


def test_a_grade_that_is_not_the_heights_has_no_shape_for_that_reason():
    cut = Flag("cut_by_field_of_view", "Arch cut.")
    reason = missing_reasons(measured(cut, grade=2))["shape"]
    assert reason == "The grade was not taken from the heights, and no shape came with it."
    assert missing_reasons(vertebra(Flag("not_graded", "Why.")))["shape"] == "Why."
