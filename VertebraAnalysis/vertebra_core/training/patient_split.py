"""Which labelled scans train and which validate: patients are held aside, never single scans.

VerSe has several scans of some patients, some of them in its issues of both years, and names the
part that is for testing. Whoever appears there is never trained on, so that results on it stay
comparable with those that others report.
"""

from __future__ import annotations

import hashlib
import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..evaluation.case_files import CaseFiles
from .verse_parts import TEST, VALIDATION, part_of, subjects_by_part

_log = logging.getLogger(__name__)

HELD_ASIDE_SHARE = 0.1
"""Share of patients who validate and are never trained on."""


@dataclass(frozen=True)
class PatientSplit:
    """Patients that are not trained on.

    Attributes
    ----------
    held_aside : frozenset of str
        They validate.
    left_out : frozenset of str
        They are for a test that is none of the training's business.
    """

    held_aside: frozenset[str]
    left_out: frozenset[str]

    def takes(self, case_name: str, validation: bool) -> bool:
        """Tell whether a case validates, or else whether it is trained on."""
        patient = patient_of(case_name)
        return patient not in self.left_out and (patient in self.held_aside) == validation

    def counts(self, cases: Sequence[CaseFiles]) -> tuple[int, int, int]:
        """Return how many of some cases train, validate and are left out."""
        train, validate = (sum(self.takes(c.name, v) for c in cases) for v in (False, True))
        return train, validate, len(cases) - train - validate


def split_patients(found: Sequence[tuple[Path, Sequence[CaseFiles]]]) -> PatientSplit:
    """Part the patients of some folders.

    Of downloads in VerSe's parts (``dataset-...training``, ``...validation``, ``...test``) the
    second validates and the third is left out, whether they are named together or one by one. Of
    every other folder, and of VerSe without its second part, a tenth of the patients validates, and
    one at least; a single one is trained on. It follows from a patient's name, so that whoever is
    added to several moves none of them from training to validation.

    Parameters
    ----------
    found : sequence of (Path, sequence of CaseFiles)
        The folders, and all cases in each.
    """
    parts = _patients_by_part(found)
    left_out = parts[TEST]
    present = [{patient_of(case.name) for case in cases} - left_out for _, cases in found]
    verse = set().union(*present) & set().union(*parts.values())
    aside = parts[VALIDATION] & verse or _drawn(verse)
    for patients in present:
        aside |= _drawn(patients - verse)
    return PatientSplit(frozenset(aside), frozenset(left_out))


def tell_split(found: Sequence[tuple[Path, Sequence[CaseFiles]]], split: PatientSplit) -> None:
    """Log how many scans of each folder train, validate and are left out."""
    for root, cases in found:
        words = "labelled scans in %s: %d train, %d validate, %d are left out (VerSe's test part)"
        _log.info(words, root, *split.counts(cases))


def patient_of(case_name: str) -> str:
    """Return the patient: ``sub-verse401`` of ``sub-verse401_split-verse253``, else the case."""
    # Some systems write an umlaut as two characters.
    name = unicodedata.normalize("NFC", case_name)
    found = re.search(r"(?:^|/)(sub-[^_/]+)", name)
    return found.group(1) if found else name


def _patients_by_part(found: Sequence[tuple[Path, Sequence[CaseFiles]]]) -> dict[str, set[str]]:
    subjects = subjects_by_part(root for root, _ in found)
    parts = {part: {patient_of(name) for name in names} for part, names in subjects.items()}
    for case in (case for _, cases in found for case in cases):
        part = part_of(case.ct)
        if part:
            parts[part].add(patient_of(case.name))
    return parts


def _drawn(patients: set[str]) -> set[str]:
    """Return those of `patients` who validate."""
    ranked = sorted(patients, key=_place)
    aside = {p for p in ranked if _place(p) < HELD_ASIDE_SHARE} or set(ranked[:1])
    if len(aside) == len(patients):
        aside = set(ranked[:1]) if len(ranked) > 1 else set()
    return aside


def _place(patient: str) -> float:
    """Return a number from 0 to 1 that follows from the patient's name alone."""
    digest = hashlib.sha256(patient.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
