"""Reads the files that an analysis leaves in a folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .Coordinates import ijkToWorldOfVolume
from .LabelMapFile import LabelMapFile
from .UserError import UserError

if TYPE_CHECKING:
    from .Review import Review


def readResults(folder: Path, inputNode: Any) -> tuple[str, Review, LabelMapFile, LabelMapFile]:
    """Read what is needed of a folder of results.

    Parameters
    ----------
    folder : Path
        With ``analysis.json``, ``labels.nii.gz`` and ``bodies.nii.gz``.
    inputNode : vtkMRMLScalarVolumeNode
        The CT that was analysed.

    Returns
    -------
    text : str
        Of the analysis.
    review : Review
        It, parsed.
    labels, bodies : LabelMapFile

    Raises
    ------
    UserError
        If a file is missing or unreadable, or the CT lies under a transform that is not linear.
    """
    from .Review import Review

    try:
        grid = ijkToWorldOfVolume(inputNode)
    except ValueError as error:
        raise UserError(
            f"The CT cannot be used: {error}.", "Harden its transform or resample it."
        ) from error
    try:
        text = (folder / "analysis.json").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "The result analysis.json cannot be read.", "Run the analysis again."
        ) from error
    review = Review.fromJson(text)
    # Unpacking takes most of the time that writing the scene takes.
    with ThreadPoolExecutor(2) as threads:
        files = [folder / "labels.nii.gz", folder / "bodies.nii.gz"]
        labels, bodies = threads.map(lambda path: LabelMapFile.read(path, grid), files)
    return text, review, labels, bodies
