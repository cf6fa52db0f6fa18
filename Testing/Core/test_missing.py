"""What is missing has one reason, and the right one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_analysis import example
from vertebra_core.analysis import Flag
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
