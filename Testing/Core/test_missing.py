"""What is missing has one reason, and the right one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_analysis import example
from vertebra_core.analysis import Flag, HeightLoss, Heights, Vertebra
from vertebra_core.grading.norms import why_not_graded
from vertebra_core.missing import WITHOUT_CT, missing_reasons

CT = example()[3].manifest
NO_CT = replace(CT, options=dict(WITHOUT_CT))
ATLAS = Flag("not_graded", "The atlas has no vertebral body, so it has no Genant grade.")
ARCH = Flag("cut_by_field_of_view", "The edge of the scan cuts the arch.")
METAL = Flag("metal", "Metal lies in the body, so its density is not read.")


@pytest.mark.parametrize(
    ("measured", "flags", "manifest", "said"),
    [
        (True, (), NO_CT, "no CT was given"),
        (False, (ATLAS,), NO_CT, "no CT was given"),
        (True, (), CT, "too little bone"),
        (True, (ARCH,), CT, "too little bone"),
        (True, (ARCH, METAL), CT, "Metal"),
        (False, (ATLAS,), CT, "atlas"),
        (False, (ARCH,), CT, "edge of the scan"),
    ],
)
def test_a_missing_density_has_one_reason(measured, flags, manifest, said):
    sound = replace(example()[3].vertebrae[0], density_hu=None, flags=flags)
    vertebra = sound if measured else replace(sound, heights_mm=None)
    why = missing_reasons(vertebra, manifest)["density_hu"]
    assert said in why
    assert ("no CT" in why) + ("too little bone" in why) <= 1


def test_without_the_manifest_nobody_says_whether_there_was_a_ct():
    vertebra = replace(example()[3].vertebrae[0], density_hu=None, flags=())
    why = missing_reasons(vertebra)["density_hu"]
    assert "no CT was given, or too little bone" in why


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
