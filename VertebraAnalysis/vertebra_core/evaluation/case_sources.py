"""Fingerprints of the files of a case, so that a record of other files is not taken for its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .case_files import CaseFiles
from .prediction import RESULT_FILES

_ROLES = ("ct", "labels", "bodies", "truth", "centroids")


def sources_of(files: CaseFiles, result: Path | None = None) -> dict[str, str]:
    """Return what tells the files of a case, and those of its result, from others.

    A fingerprint is of path, size and time of the last change. Contents are not read, which would
    take as long as an evaluation of earlier results.

    Parameters
    ----------
    files : CaseFiles
    result : Path, optional
        Folder of an earlier result that is scored.

    Returns
    -------
    dict
        Role of a file -> fingerprint; files that are not there are left out.
    """
    paths = {role: getattr(files, role) for role in _ROLES}
    if result is not None:
        paths |= {f"result {name}": result / name for name in RESULT_FILES}
    marks = {role: _fingerprint(path) for role, path in paths.items() if path is not None}
    return {role: mark for role, mark in marks.items() if mark is not None}


def _fingerprint(path: Path) -> str | None:
    try:
        state = path.stat()
    except OSError:
        return None
    told = f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"
    if path.suffix == ".mhd":
        # Its voxels lie in another file.
        voxels = (_fingerprint(path.with_suffix(suffix)) for suffix in (".raw", ".zraw"))
        told += f" {[mark for mark in voxels if mark]}"
    # A sum, as names of files may be those of patients.
    return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:16]
