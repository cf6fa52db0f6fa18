"""Grading by a fracture network alone, in place of morphometry with the learned head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from .analysis import Flag, Vertebra
from .flagging import with_flags
from .grading.fracture_grades import FractureOpinion, fracture_opinions
from .grading_stage import GradingStage
from .volume import CtVolume

_DOUBTS_OF_HEIGHTS = ("borderline", "grade_disagreement")


class FractureStage:
    """Grades as VertFault does: what the network says is the grade.

    Heights, losses and density are still measured, so that both can be compared. What morphometry
    cannot measure (cervical bodies, cut bodies) is not graded here either.

    Parameters
    ----------
    network : Module
        `FracNet`, `FracSegNet` or `FracResNet` on `device`.
    device : str
    """

    def __init__(self, network: nn.Module, device: str = "cpu") -> None:
        self._network, self._device = network, device
        self._measure = GradingStage(None, device)

    def __call__(self, ct: CtVolume, candidates, vertebrae: Sequence[Vertebra]):
        """Grade `vertebrae`; `ct` is the 1 mm working grid."""
        measured = self._measure(ct, candidates, vertebrae)
        graded = [i for i, v in enumerate(measured) if v.grade is not None]
        centres = [measured[i].center_lps_mm for i in graded]
        opinions = fracture_opinions(ct, centres, self._network, self._device)
        results = list(measured)
        for i, opinion in zip(graded, opinions, strict=True):
            results[i] = with_opinion(measured[i], opinion)
        return tuple(results)


def with_opinion(vertebra: Vertebra, opinion: FractureOpinion) -> Vertebra:
    """Give a measured vertebra the grade of a fracture network; its shape stays morphometry's.

    No loss decides this grade, so it is not borderline; where heights say another, a flag tells.
    """
    grade = opinion.grade
    shape = "normal" if grade == 0 else vertebra.shape
    # They say how sure the heights are of their grade, which is not this one.
    flags = tuple(f for f in vertebra.flags if f.code not in _DOUBTS_OF_HEIGHTS)
    stated = replace(
        vertebra,
        grade=grade,
        learned_grade=grade,
        grade_probabilities=opinion.grade_probabilities,
        shape=None if grade and shape == "normal" else shape,
        borderline=False,
        flags=flags,
    )
    if vertebra.morphometric_grade in (None, grade):
        return stated
    reason = f"Heights say grade {vertebra.morphometric_grade}, the fracture network {grade}."
    return with_flags(stated, (Flag("grade_disagreement", reason),))
