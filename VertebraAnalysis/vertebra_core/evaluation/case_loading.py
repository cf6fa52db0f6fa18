"""Read the CT and the truth of one case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..given_maps import on_grid_of
from ..label_numbers import AUTO, to_verse_numbers
from ..reading import read_ct, read_label_map
from ..volume import CtVolume, LabelVolume, same_grid
from .case_files import CaseFiles
from .records import REAL, TrueVertebra
from .true_maps import check_apart, check_not_empty
from .truth import CaseTruth, truth_from_labels, with_grades, with_known_facts
from .truth_files import check_inside, read_truth_file, read_verse_centroids


def load_case(
    files: CaseFiles, scheme: str = AUTO, grades: Mapping[str, int] | None = None
) -> tuple[CtVolume, CaseTruth]:
    """Read a case.

    Label maps on another grid than the CT's are brought to it by nearest neighbour, and a note
    says so. A map that cannot be the truth of this CT is refused: one that lies beside it, holds no
    vertebra, or gives several one label. So is a truth file whose centres lie outside the CT.

    Parameters
    ----------
    files : CaseFiles
    scheme : str
        Numbering of the whole-vertebra map (`label_numbers.SCHEMES`); bodies may follow another.
    grades : mapping, optional
        Level name -> Genant grade.

    Raises
    ------
    InputError
        If a file cannot be read or does not hold what its name says; names the case.
    """
    with named_errors(files):
        ct = read_ct(files.ct)
        return ct, _load_truth(files, ct, scheme, grades or {})


@contextmanager
def named_errors(files: CaseFiles) -> Iterator[None]:
    """Let errors name the case whose files are read in the block.

    Raises
    ------
    InputError
        For whatever goes wrong there; ``bad_truth`` if it has no code of its own.
    """
    hint = "Check its labels and truth files."
    try:
        yield
    except InputError as error:
        message = f"Case {files.name}: {error.message}"
        raise InputError(error.code, message, error.hint) from error
    except ValueError as error:
        raise InputError("bad_truth", f"Case {files.name}: {error}.", hint) from error
    except OSError as error:
        reason = f"{error.filename or 'a file'} cannot be read: {error.strerror or error}"
        raise InputError("bad_truth", f"Case {files.name}: {reason}.", hint) from error


def _load_truth(
    files: CaseFiles, ct: CtVolume, scheme: str, grades: Mapping[str, int]
) -> CaseTruth:
    notes: list[str] = []
    labels = bodies = None
    kind = REAL
    facts: dict[str, TrueVertebra] = {}
    mask = None
    if files.labels is not None:
        mask = read_label_map(files.labels)
        labels = _on_grid(mask, ct, scheme, "labels", notes)
        check_apart(labels, ct)
    if files.bodies is not None:
        bodies = _on_grid(read_label_map(files.bodies), ct, AUTO, "bodies", notes)
    if files.centroids is not None:
        # They count voxels of the mask they came with.
        facts = read_verse_centroids(files.centroids, mask or ct)
    if files.truth is not None:
        kind, stated = read_truth_file(files.truth)
        check_inside(stated, ct, files.truth.name)
        facts |= stated
    if labels is None:
        vertebrae = tuple(facts.values())
    else:
        vertebrae = with_known_facts(truth_from_labels(labels, bodies, ct), facts)
        if bodies is None and not facts:
            notes.append("body centres estimated from whole-vertebra labels")
    return CaseTruth(with_grades(vertebrae, grades), labels, bodies, kind, tuple(notes))


def _on_grid(
    volume: LabelVolume, ct: CtVolume, scheme: str, what: str, notes: list[str]
) -> np.ndarray:
    numbered = replace(volume, labels=to_verse_numbers(volume.labels, scheme))
    if not same_grid(numbered, ct):
        notes.append(f"{what} resampled to the CT's grid")
        numbered = on_grid_of(ct, numbered)
    check_not_empty(numbered.labels, what)
    return numbered.labels
