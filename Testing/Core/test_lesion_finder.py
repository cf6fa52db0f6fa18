"""The bundled lesion finder on a real CT with a dense focus in the body of L1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vertebra_core.methods import LESION_FINDER
from vertebra_core.models import available_networks
from vertebra_core.pipeline import AnalysisOptions, analyze
from vertebra_core.reading import read_ct
from vertebra_core.settings import FAST

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(LESION_FINDER not in available_networks(), reason="no bundled weights"),
]


def lesion_flags(result):
    return [
        (vertebra.level, flag)
        for vertebra in result.analysis.vertebrae
        for flag in vertebra.flags
        if flag.code == "lesion_candidate"
    ]


def test_a_dense_focus_is_flagged_where_it_lies_and_only_when_asked_for(shared_data):
    ct = read_ct(shared_data / "ct" / "ts_example_ct.nii.gz")
    options = AnalysisOptions(device="cpu", setting=FAST)
    assert lesion_flags(analyze(ct, options)) == []
    result = analyze(ct, replace(options, lesions=True))
    assert LESION_FINDER in result.analysis.manifest.weights_sha256
    ((level, flag),) = lesion_flags(result)
    assert level == "L1" and "sclerotic" in flag.reason and flag.confidence > 0.5
    z, y, x = np.rint(ct.lps_to_index(np.array([flag.position_lps_mm]))[0]).astype(int)
    around = ct.hu[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3]
    assert around.max() > 500 > 2 * np.median(ct.hu[z - 2 : z + 3, y + 4 : y + 6, x - 2 : x + 3])
