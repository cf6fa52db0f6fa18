"""What fracture networks answer in a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import nn

from ..fracture_stage import with_opinion
from ..grading.fracture_grades import FractureOpinion, fracture_opinions
from ..levels import level_named
from ..segmentation.merge import merge
from ..segmentation.segment import VertebraMask
from .compare_answers import Once, found_vertebra
from .compare_cases import WALL_SEPARATOR
from .compare_run import RecordedRun
from .prediction import Prediction


class Opinions:
    """A fracture network's grades, masks and walls of analysed scans; it runs once per scan."""

    def __init__(self, network: nn.Module, device: str) -> None:
        def opinions(run: RecordedRun) -> tuple[FractureOpinion, ...]:
            centres = [v.center_lps_mm for v in run.vertebrae]
            return fracture_opinions(run.fine, centres, network, device)

        self._ask = Once(opinions)

    def grades(self, run: RecordedRun) -> Prediction:
        """Return the graded vertebrae of the pipeline with the network's grades instead."""
        pairs = zip(run.result.analysis.vertebrae, self._ask(run), strict=True)
        return Prediction(
            tuple(
                found_vertebra(with_opinion(v, o) if v.grade is not None else v) for v, o in pairs
            )
        )

    def masks(self, run: RecordedRun) -> Prediction:
        """Return the network's masks of the pipeline's vertebrae, under the pipeline's names."""
        masks = [
            VertebraMask(
                v.center_lps_mm,
                o.origin_index_zyx,
                tuple(float(c) for c in run.fine.index_to_lps(np.array(o.origin_index_zyx))),
                o.mask,
                np.zeros_like(o.mask),
            )
            for v, o in zip(run.vertebrae, self._ask(run), strict=True)
        ]
        numbers = [level_named(v.level).number for v in run.vertebrae]
        labels, _ = merge(masks, numbers, run.ct)
        return Prediction(tuple(found_vertebra(v) for v in run.vertebrae), labels)

    def walls(self, run: RecordedRun) -> Prediction:
        """Return the pipeline's vertebrae with the walls that the network says broke as `shape`."""
        found = []
        for vertebra, opinion in zip(run.vertebrae, self._ask(run), strict=True):
            broken = [w for w, p in opinion.wall_probabilities.items() if p > 0.5]
            found.append(replace(found_vertebra(vertebra), shape=WALL_SEPARATOR.join(broken)))
        return Prediction(tuple(found))
