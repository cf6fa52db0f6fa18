"""Where a volume comes from, as results state it. Imports nothing heavy: the panel uses it too."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NAME_FIELD = "VertebraAnalysis.InputName"
"""Field of a NRRD header: the name of what the file is a passing copy of, empty if it has none."""


@dataclass(frozen=True)
class VolumeSource:
    """What a volume was read from.

    Attributes
    ----------
    name : str or None
        Of the file or folder, never with its path.
    series_uid : str or None
        Of a DICOM series.
    sha256 : str or None
        Of the file, for label maps.
    """

    name: str | None = None
    series_uid: str | None = None
    sha256: str | None = None


def name_of(path: Path) -> str | None:
    """Return the name of a file or folder, also of ``.``; None for the root of a disk."""
    name = os.path.basename(os.path.abspath(path))
    # A name on disk may be no text at all.
    return name.encode("utf-8", "replace").decode("utf-8") or None
