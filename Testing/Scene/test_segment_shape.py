"""A segment's shape as JSON, in the audit trail of a review."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from review_examples import review_of
from VertebraAnalysisLib.Review import Review
from VertebraAnalysisLib.SegmentShape import SegmentShape
from VertebraAnalysisLib.UserError import UserError

VOXELS = np.arange(24).reshape(2, 3, 4) % 5 > 1
BODY = SegmentShape(VOXELS, (-7, 3, 2), np.diag([2.0, 2.0, 3.0, 1.0])).toDict()


def measuredAgain() -> Review:
    """A review whose last step measured v05 again and reshaped its body."""
    review = review_of()
    measured = replace(review.vertebra("v05").ai, volume_ml=12.5)
    review.setMeasurement("v05", measured, "reader", BODY)
    return review


def test_a_shape_is_the_same_after_json():
    shape = SegmentShape.fromDict(json.loads(json.dumps(BODY)))
    assert (shape.voxels == VOXELS).all() and shape.voxels.dtype == bool
    assert shape.firstIndex == (-7, 3, 2) and shape.ijkToLocal[2, 2] == 3
    assert shape.toDict() == BODY


def test_undo_hands_out_the_body_of_its_step_and_keeps_it_no_longer():
    review = Review.fromJson(measuredAgain().toJson())
    assert [c.body for c in review.lastStep] == [BODY]
    review.undo()
    assert review.lastStep == () and review.changes[-1].body == {}


@pytest.mark.parametrize(
    "damage",
    [
        {"voxels": ""},
        {"voxels": "Zm9v"},
        {"voxels": 3},
        {"size_zyx": [30, 40, 50]},
        {"size_zyx": [1, 1, 1]},
        {"size_zyx": [-3, -2, 4]},
        {"ijk_to_local_ras": [1, 2]},
    ],
)
def test_a_review_with_a_damaged_shape_is_refused_in_one_sentence(damage):
    content = json.loads(measuredAgain().toJson())
    content["review"]["changes"][0]["body"] |= damage
    with pytest.raises(UserError, match="cannot be read"):
        Review.fromJson(json.dumps(content))
