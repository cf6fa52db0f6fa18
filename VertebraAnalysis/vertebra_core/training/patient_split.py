"""Which labelled scans train and which validate: patients are held aside, never single scans.

VerSe has several scans of some patients, some of them in its issues of both years, and names the
part that is for testing. Whoever appears there is never trained on, so that results on it stay
comparable with those that others report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HELD_ASIDE_EVERY = 10
"""One patient in this many (in the order of names) validates and is never trained on."""


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


def split_patients(case_names: Iterable[str], roots: Sequence[Path]) -> PatientSplit:
    """Part the patients of some folders.

    Of downloads in VerSe's parts (``dataset-...training``, ``...validation``, ``...test``) the
    second validates and the third is left out. Otherwise every tenth patient validates, or the
    last one where there are fewer; a single one is trained on.

    Parameters
    ----------
    case_names : iterable of str
        Of all cases in the folders.
    roots : sequence of Path
        The folders.
    """
    parts = _parts_of_patients(roots)
    left_out = frozenset(parts["test"])
    patients = sorted({patient_of(name) for name in case_names} - left_out)
    aside = parts["validation"].intersection(patients)
    if not aside or len(aside) == len(patients):
        aside = set(patients[HELD_ASIDE_EVERY - 1 :: HELD_ASIDE_EVERY] or patients[1:][-1:])
    return PatientSplit(frozenset(aside), left_out)


def patient_of(case_name: str) -> str:
    """Return the patient: ``sub-verse401`` of ``sub-verse401_split-verse253``, else the case."""
    found = re.search(r"(?:^|/)(sub-[A-Za-z0-9]+)", case_name)
    return found.group(1) if found else case_name


def _parts_of_patients(roots: Sequence[Path]) -> dict[str, set[str]]:
    """Patients in each part of VerSe downloads."""
    parts: dict[str, set[str]] = {"training": set(), "validation": set(), "test": set()}
    for root in roots:
        for folder in Path(root).glob("**/dataset-*/rawdata/sub-*"):
            for part, patients in parts.items():
                if folder.parts[-3].endswith(part):
                    patients.add(folder.name)
    return parts
