"""VerSe's parts for training, validation and test, told by the folders of a download [1]_.

References
----------
.. [1] Sekuboyina et al., "VerSe: a vertebrae labelling and segmentation benchmark for
   multi-detector CT images", Med Image Anal 73 (2021) 102166.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..folder_walk import walk

TEST, VALIDATION, TRAINING = "test", "validation", "training"
PARTS = (TEST, VALIDATION, TRAINING)
"""Of two that a path names, the first counts: what may be for a test is not trained on."""

_DATASET, _SCANS, _SUBJECT = "dataset-", "rawdata", "sub-"


def part_of(path: Path) -> str | None:
    """Return the part that a file or folder lies in, None for what is not VerSe's.

    The nearest folder above it counts that begins with ``dataset-`` and names a part, as
    ``dataset-verse19test`` does, or ``dataset-03test (1)``; also where only a link leads there.
    """
    found = {_named(Path(os.path.abspath(path))), _named(Path(path).resolve())}
    return next((part for part in PARTS if part in found), None)


def subjects_by_part(roots: Iterable[Path]) -> dict[str, set[str]]:
    """Return the names of the subjects' folders in each part of the downloads at `roots`.

    A part that is named by itself is looked at together with those that lie beside it: who is in
    one issue's test part may be in another's for training.
    """
    parts: dict[str, set[str]] = {part: set() for part in PARTS}
    for root in roots:
        for subject in _subjects(root):
            part = part_of(subject)
            if part:
                parts[part].add(subject.name)
    return parts


def _named(path: Path) -> str | None:
    for name in reversed(path.parent.parts):
        found = next((part for part in PARTS if part in name.lower()), None)
        if found and name.lower().startswith(_DATASET):
            return found
    return None


def _subjects(root: Path) -> Iterator[Path]:
    for top in (Path(root), *_beside(Path(root))):
        for folder, _ in walk(top):
            if folder.name == _SCANS:
                yield from folder.glob(f"{_SUBJECT}*")


def _beside(root: Path) -> Iterator[Path]:
    """Other parts of the download that `root` is a part of, or lies in."""
    root = root.resolve()
    for folder in (root, *root.parents):
        if folder.name.lower().startswith(_DATASET):
            yield from (f for f in sorted(folder.parent.glob(f"{_DATASET}*")) if f != folder)
