"""What flags promise, and whether they keep it, from records.

A flag that claims a doubt is held to it: of the vertebrae that carry it, how many are really wrong
in what it doubts, and of those that are wrong, how many carry it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..levels import level_named
from .localisation_metrics import match_case
from .records import CaseRecord, FoundVertebra, TrueVertebra
from .tables import Table, percent

LEVEL, NEIGHBOUR, GRADE, MASK = "level", "missed neighbour", "grade", "mask of body"

PROMISES: dict[str, tuple[str, ...]] = {
    # "The level is only so much certain", or the network alone names many vertebrae otherwise.
    "low_level_margin": (LEVEL,),
    # "A neighbouring vertebra may have been missed", which moves every level on one of its sides.
    "possibly_missed_neighbour": (NEIGHBOUR, LEVEL),
    # The height loss lies within its error of a threshold between two grades.
    "borderline": (GRADE,),
    # Heights and learned head give different grades, of which one at most is right, or are split.
    "grade_disagreement": (GRADE,),
    # "A crush is not told from a small person."
    "no_height_reference": (GRADE,),
    # "Its mask is doubtful", "check the outline": it is judged by the shape and volume of the body,
    # and heights are measured on that.
    "implausible_shape": (MASK, GRADE),
    # "Fused, or not well separated" over half of the endplate; heights end at the endplates. Bodies
    # that are truly fused get it too: these are right, and count against the flag.
    "touching_neighbour": (MASK, GRADE),
    # "Voxels of so many mm make heights coarse", and grades are made of heights.
    "low_resolution": (GRADE,),
}
"""Flag code -> what it casts doubt on.

All other codes state a fact about the scan (``cut_by_field_of_view``, ``metal``, ``cement``,
``contrast_enhanced``: they concern the density, which records do not hold), withhold an answer
(``not_graded``: counted beside the grades) or report a finding (``lesion_candidate``)."""

MASK_DICE = 0.85
"""The mask of a body with less overlap is wrong: one that lacks a quarter of its height has this
Dice, so that no height measured on it means anything. No flag speaks of the arch."""


@dataclass(frozen=True)
class Judgement:
    """One found vertebra: the codes of its flags, and what is really wrong with it.

    Attributes
    ----------
    flags : frozenset of str
    wrong : dict of bool
        `LEVEL`, `NEIGHBOUR`, `GRADE`, `MASK` -> wrong or not; without what cannot be judged.
    """

    flags: frozenset[str]
    wrong: dict[str, bool]


@dataclass(frozen=True)
class Promise:
    """How a flag, or any of several, keeps what it promises.

    Attributes
    ----------
    flag : str
        Code, or "any doubt".
    about : str
        What it doubts.
    n : int
        Vertebrae that can be judged.
    n_flagged, n_wrong, n_both : int
    """

    flag: str
    about: str
    n: int
    n_flagged: int
    n_wrong: int
    n_both: int

    @property
    def wrong_of_flagged(self) -> float | None:
        """Share of the flagged that are wrong; None where none is flagged."""
        return self.n_both / self.n_flagged if self.n_flagged else None

    @property
    def flagged_of_wrong(self) -> float | None:
        """Share of the wrong that are flagged; None where none is wrong."""
        return self.n_both / self.n_wrong if self.n_wrong else None


def judgements(records: Sequence[CaseRecord]) -> list[Judgement]:
    """Judge every found vertebra as far as the truth allows.

    - Level: wrong where the true vertebra within 20 mm has another, or there is none.
    - Missed neighbour: the true vertebra above or below is in view and was not found.
    - Grade: of complete bodies that were graded and whose true grade is known.
    - Mask: of bodies in view with a true mask (of vertebrae, where the truth has no bodies); wrong
      below `MASK_DICE`, or where there is no vertebra.
    """
    return [j for record in records for j in _judged(record)]


def promises(records: Sequence[CaseRecord]) -> list[Promise]:
    """Return how every flag keeps its promises, and below them "any doubt" about each thing."""
    judged = judgements(records)
    rows = [
        _promise(code, about, judged, {code})
        for code, doubts in PROMISES.items()
        for about in doubts
    ]
    for about in (LEVEL, GRADE, MASK):
        codes = {code for code, doubts in PROMISES.items() if about in doubts}
        rows.append(_promise("any doubt", about, judged, codes))
    return [row for row in rows if row.n]


def promise_figures(records: Sequence[CaseRecord]) -> list[dict]:
    """Return the same, ready for JSON."""
    return [
        {
            "flag": p.flag,
            "about": p.about,
            "n": p.n,
            "n_flagged": p.n_flagged,
            "n_wrong": p.n_wrong,
            "n_flagged_and_wrong": p.n_both,
            "wrong_of_flagged": p.wrong_of_flagged,
            "flagged_of_wrong": p.flagged_of_wrong,
        }
        for p in promises(records)
    ]


def promise_table(records: Sequence[CaseRecord], title: str) -> Table | None:
    """One row per flag and doubt; None where nothing can be judged."""
    rows = [
        (
            p.flag,
            p.about,
            p.n,
            p.n_flagged,
            _share(p.n_both, p.n_flagged, p.wrong_of_flagged),
            p.n_wrong,
            _share(p.n_both, p.n_wrong, p.flagged_of_wrong),
        )
        for p in promises(records)
    ]
    if not rows:
        return None
    columns = ("flag", "doubts", "n", "flagged", "of these wrong", "wrong", "of these flagged")
    note = (
        "Wrong is: another level than the true vertebra within 20 mm, or no vertebra there; a true "
        "neighbour in view that was not found; another grade than the true one; Dice of the body "
        f"below {MASK_DICE:g}. n counts the vertebrae of which that is known."
    )
    return Table(f"{title}: what flags promise", columns, tuple(rows), note, n_left=2)


def _judged(record: CaseRecord) -> Iterator[Judgement]:
    partner = {j: i for i, j, _ in match_case(record).pairs}
    missed = _beside_missed(record.truth, set(partner.values()))
    parts = {m.part for m in record.masks}
    part = "body" if "body" in parts else "vertebra"
    dice = {m.level: m.dice for m in record.masks if m.part == part}
    for j, found in enumerate(record.found):
        i = partner.get(j)
        true = None if i is None else record.truth[i]
        wrong = {LEVEL: true is None or true.level != found.level}
        if true is None:
            if record.masks:
                wrong[MASK] = True
        else:
            wrong[NEIGHBOUR] = true.level in missed
            if _gradable(true, found):
                wrong[GRADE] = true.grade != found.grade
            if true.in_view and true.level in dice:
                wrong[MASK] = dice[true.level] < MASK_DICE
        yield Judgement(frozenset(found.flags), wrong)


def _gradable(true: TrueVertebra, found: FoundVertebra) -> bool:
    return true.complete and true.grade is not None and found.grade is not None


def _beside_missed(truth: Sequence[TrueVertebra], found: set[int]) -> set[str]:
    """Levels beside a true vertebra that is in view and whose index is not among the found."""
    order = sorted(range(len(truth)), key=lambda i: level_named(truth[i].level).order)
    beside: set[str] = set()
    for place, i in enumerate(order):
        if truth[i].in_view and i not in found:
            near = order[max(0, place - 1) : place] + order[place + 1 : place + 2]
            beside |= {truth[k].level for k in near}
    return beside


def _promise(name: str, about: str, judged: Sequence[Judgement], codes: set[str]) -> Promise:
    known = [j for j in judged if about in j.wrong]
    flagged = [j for j in known if j.flags & codes]
    return Promise(
        name,
        about,
        len(known),
        len(flagged),
        sum(j.wrong[about] for j in known),
        sum(j.wrong[about] for j in flagged),
    )


def _share(part: int, whole: int, share: float | None) -> str | None:
    return None if share is None else f"{percent(share)} ({part}/{whole})"
