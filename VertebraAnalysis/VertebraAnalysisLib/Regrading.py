"""What holds now for every vertebra: the analysis, and what a reader has set, put together.

Only vertebrae that the reader touched are computed again; all others keep the values of the
analysis. A vertebra that is computed again is compared with the whole spine as it stands now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from vertebra_core.analysis import Flag, Vertebra
from vertebra_core.grading.genant import (
    MeasuredBody,
    Morphometry,
    assess_spine,
    borderline_reason,
)
from vertebra_core.grading.joint_grade import (
    grade_doubt,
    joint_grade,
    joint_of_stated,
    stated_probabilities,
    with_other_morphometry,
)
from vertebra_core.grading.norms import why_not_graded

from .HeightEditing import editedHeights, editedSpread, usable
from .ReaderValues import ReaderValues
from .Relabelling import Relabelling
from .ReviewedVertebra import ReviewedVertebra

_GRADING_FLAGS = ("not_graded", "borderline", "grade_disagreement")
_NOT_MEASURED = "Its heights have not been measured."
_INCOMPLETE = "Not all three heights are drawn yet."


def reviewedVertebrae(
    keys: Sequence[str],
    analysed: Sequence[Vertebra],
    values: Sequence[ReaderValues],
    voxelMm: float,
) -> tuple[ReviewedVertebra, ...]:
    """Return all vertebrae as they stand.

    Parameters
    ----------
    keys : sequence of str
        Head to foot.
    analysed : sequence of Vertebra
        In the same order; for what the reader added, as it was measured then.
    values : sequence of ReaderValues
        In the same order.
    voxelMm : float
        Coarsest voxel size of the scan.
    """
    bases = [v.measurement or ai for ai, v in zip(analysed, values, strict=True)]
    levels = [v.level or ai.level for ai, v in zip(analysed, values, strict=True)]
    found: list[Vertebra] = []
    touched = [
        levels[i] != base.level or bool(values[i].heightLines) for i, base in enumerate(bases)
    ]
    before: dict[int, Morphometry] = {}
    after: dict[int, Morphometry] = {}
    if any(touched):
        edited = [_withLines(b, v) for b, v in zip(bases, values, strict=True)]
        # What was added is measured by all others, but changes none of them.
        ofAnalysis = tuple(i for i, v in enumerate(values) if v.added is None)
        for among in dict.fromkeys((tuple(range(len(values))), ofAnalysis)):
            before |= _assessed([b.level for b in bases], bases, voxelMm, among)
            after |= _assessed(levels, edited, voxelMm, among)
            # What is no vertebra is no measure of the others.
            accepted = [i for i in among if not values[i].rejected]
            if len(accepted) < len(among):
                after |= _assessed(levels, edited, voxelMm, accepted)
        bases = edited
    for i, base in enumerate(bases):
        vertebra = _named(base, analysed[i], levels[i])
        if touched[i]:
            drawn = bool(values[i].heightLines)
            vertebra = _graded(vertebra, before.get(i), after.get(i), drawn)
        found.append(vertebra)
    found = _withFlagsNamed(keys, found, analysed, values, levels)
    return tuple(_reviewed(*entry) for entry in zip(keys, analysed, found, values, strict=True))


def _assessed(
    levels: Sequence[str],
    bodies: Sequence[Vertebra],
    voxelMm: float,
    among: Sequence[int],
) -> dict[int, Morphometry]:
    """Morphometry of those bodies of `among` that have heights and a norm, by index."""
    at = [i for i in among if usable(bodies[i].heights_mm) and why_not_graded(levels[i]) is None]
    measured = [
        MeasuredBody(
            levels[i],
            bodies[i].heights_mm,
            editedSpread(bodies[i].heights_spread_mm, {}),
            voxelMm,
        )
        for i in at
    ]
    return dict(zip(at, assess_spine(measured), strict=True))


def _withLines(base: Vertebra, values: ReaderValues) -> Vertebra:
    lines = values.heightLines
    if not lines:
        return base
    heights = editedHeights(base.heights_mm, lines)
    spread = editedSpread(base.heights_spread_mm, lines) if heights else None
    return replace(
        base,
        height_lines={**base.height_lines, **lines},
        heights_mm=heights,
        heights_spread_mm=spread,
    )


def _named(base: Vertebra, ai: Vertebra, level: str) -> Vertebra:
    if level == ai.level:
        # Measuring again says nothing about how sure the name is.
        sureness = ai.level_probability, ai.runner_up_level, ai.runner_up_probability
    else:
        sureness = 1.0, None, None
    probability, other, of_other = sureness
    return replace(
        base,
        level=level,
        level_probability=probability,
        runner_up_level=other,
        runner_up_probability=of_other,
    )


def _graded(
    vertebra: Vertebra, before: Morphometry | None, after: Morphometry | None, drawn: bool
) -> Vertebra:
    """Grade again with the heights and the name that hold now."""
    flags = tuple(f for f in vertebra.flags if f.code not in _GRADING_FLAGS)
    if after is None:
        reason = why_not_graded(vertebra.level) or _whyNotMeasured(vertebra, drawn)
        more = (Flag("not_graded", reason),) if reason else ()
        return replace(
            vertebra,
            height_loss=None,
            height_reference=None,
            grade=None,
            shape=None,
            grade_probabilities=None,
            morphometric_grade=None,
            learned_grade=None,
            borderline=None,
            flags=(*flags, *more),
        )
    grade, shape, joint = after.grade, after.shape, after.grade_probabilities
    stated, learned = joint, vertebra.learned_grade
    # A height that the reader drew outweighs the learned opinion; another name does not.
    if not drawn and before and learned is not None and vertebra.grade_probabilities:
        joint = with_other_morphometry(
            joint_of_stated(vertebra.grade_probabilities, vertebra.morphometric_grade, learned),
            before.grade_probabilities,
            after.grade_probabilities,
        )
        stated = stated_probabilities(joint, after.grade, learned)
        grade = joint_grade(joint, after.grade, learned)
        shape = _jointShape(grade, vertebra.shape, before, after)
    if after.borderline:
        flags = (*flags, Flag("borderline", borderline_reason(vertebra.level, after)))
    doubt = grade_doubt(joint, after.grade, learned)
    if doubt:
        flags = (*flags, Flag("grade_disagreement", doubt))
    return replace(
        vertebra,
        height_loss=after.loss,
        height_reference=after.reference,
        grade=grade,
        shape=shape,
        grade_probabilities=tuple(float(p) for p in stated),
        morphometric_grade=after.grade,
        borderline=after.borderline,
        flags=flags,
    )


def _whyNotMeasured(vertebra: Vertebra, drawn: bool) -> str:
    """Say why a body of a level that is graded has no heights; empty if other flags say so."""
    if drawn:
        return _INCOMPLETE
    reasons = [f.reason for f in vertebra.flags if f.code == "not_graded"]
    # The old name may have been the reason; anything else still is.
    ofName = {why_not_graded(name) for name in ("C1", "C2", "S1")}
    return next((_NOT_MEASURED if r in ofName else r for r in reasons), "")


def _jointShape(grade: int, shape: str | None, before: Morphometry, after: Morphometry) -> str:
    if grade == 0:
        return "normal"
    if shape not in (None, "normal") and before.shape == after.shape:
        return shape
    names = ("wedge", "biconcave", "crush")
    return names[max(range(3), key=lambda k: after.shape_probabilities[1 + k])]


def _withFlagsNamed(
    keys: Sequence[str],
    found: Sequence[Vertebra],
    analysed: Sequence[Vertebra],
    values: Sequence[ReaderValues],
    levels: Sequence[str],
) -> list[Vertebra]:
    """Let flags speak of the names that hold now, and drop doubts that the reader has settled."""
    byKey = sorted(range(len(keys)), key=keys.__getitem__)
    # Names are kept in the order of the keys: what is added later comes last.
    now = [levels[i] for i in byKey]
    first = [analysed[i].level for i in byKey if values[i].added is None]
    if first == now and not any(v.measuredLevels for v in values):
        return list(found)
    gaps = (1, *Relabelling(levels, [v.center_lps_mm for v in analysed]).gaps, 1)
    results = []
    for i, vertebra in enumerate(found):
        said = dict(zip(_namesSpoken(values[i], first, levels[i]) or now, now, strict=False))
        settled = vertebra.level != analysed[i].level
        near = range(max(i - 1, 0), min(i + 2, len(levels)))
        other = any(levels[k] != analysed[k].level or values[k].added is not None for k in near)
        complete = other and gaps[i] == gaps[i + 1] == 1
        flags = tuple(
            Flag(f.code, _renamed(f.reason, said))
            for f in vertebra.flags
            if not (settled and f.code == "low_level_margin")
            and not (complete and f.code == "possibly_missed_neighbour")
        )
        results.append(replace(vertebra, flags=flags))
    return results


def _namesSpoken(values: ReaderValues, first: Sequence[str], level: str) -> Sequence[str]:
    """Names that all vertebrae had when the flags of one were written; empty if unknown."""
    measured = values.measurement or values.added
    if measured is None or values.measuredLevels:
        return values.measuredLevels or first
    # An earlier version kept the name of the measured one alone.
    return () if measured.level == level else first


def _renamed(text: str, new: dict[str, str]) -> str:
    return re.sub(r"\b[CTL]\d{1,2}\b", lambda m: new.get(m.group(), m.group()), text)


def _reviewed(key: str, ai: Vertebra, computed: Vertebra, values: ReaderValues) -> ReviewedVertebra:
    current, override = computed, values.override
    if override:
        flags = tuple(f for f in computed.flags if f.code not in _GRADING_FLAGS)
        if override.grade is None:
            flags = (*flags, Flag("not_graded", f"Not graded by the reader: {override.reason}"))
        current = replace(
            computed,
            grade=override.grade,
            shape=override.shape,
            grade_probabilities=None,
            borderline=None if override.grade is None else False,
            flags=flags,
        )
    return ReviewedVertebra(
        key=key,
        ai=ai,
        current=current,
        computedGrade=computed.grade,
        computedShape=computed.shape,
        reviewed=values.reviewed,
        gradeOverridden=override is not None,
        heightsChanged=bool(values.heightLines),
        remeasured=values.measurement is not None,
        reason=override.reason if override else "",
        rejected=values.rejected,
        added=values.added is not None,
    )
