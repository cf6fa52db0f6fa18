"""Opens a folder that the command line wrote as results of a CT of the scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .GridDifference import gridDifference
from .LabelMapFile import LabelMapFile
from .Review import Review
from .SubjectHierarchy import SubjectHierarchy
from .UserError import UserError
from .VoxelGrid import VoxelGrid

if TYPE_CHECKING:
    from vertebra_core.analysis import Manifest

    from .ResultSet import ResultSet
    from .SceneWriter import SceneWriter

_LABEL_MAPS = ("labels.nii.gz", "bodies.nii.gz")
_CHOOSE = "Choose the CT that was analysed, without a transform above it."


def importResults(folder: Path | str, inputNode: Any, writer: SceneWriter) -> ResultSet:
    """Add the results to the scene, as after an analysis; earlier ones of the CT stay.

    Parameters
    ----------
    folder : Path or str
        With ``analysis.json``, ``labels.nii.gz`` and ``bodies.nii.gz``. An analysis that the panel
        saved may be in place of the first: its review is opened too.
    inputNode : vtkMRMLScalarVolumeNode
        The CT that was analysed.
    writer : SceneWriter

    Returns
    -------
    ResultSet

    Raises
    ------
    UserError
        If a file is missing or damaged, or the results are of another CT; the scene is then as it
        was.
    """
    folder = Path(folder)
    if inputNode is None:
        raise UserError("No CT is selected.", "Choose the CT that was analysed first.")
    if inputNode.GetImageData() is None:
        raise UserError("The CT is empty.", "Choose the CT that was analysed.")
    for name in ("analysis.json", *_LABEL_MAPS):
        if not (folder / name).is_file():
            raise UserError(
                f"The folder {folder.name} holds no results: {name} is missing.",
                "Choose a folder that the command line wrote with -o.",
            )
    manifest = _manifest(folder / "analysis.json")
    _checkCt(manifest, inputNode)
    for name in _LABEL_MAPS:
        difference = gridDifference(
            VoxelGrid.ofManifest(manifest), LabelMapFile.grid(folder / name)
        )
        if difference:
            raise UserError(
                f"The label map {name} is of another scan than analysis.json: {difference}.",
                "Choose a folder as the command line wrote it.",
            )
    return writer.write(folder, inputNode)


def _manifest(path: Path) -> Manifest:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "The analysis.json of the folder cannot be read.",
            "Choose a folder as the command line wrote it.",
        ) from error
    return Review.fromJson(text).analysis.manifest


def _checkCt(manifest: Manifest, inputNode: Any) -> None:
    name = inputNode.GetName()
    try:
        grid = VoxelGrid.ofVolume(inputNode)
    except ValueError as error:
        raise UserError(f"The CT cannot be used: {error}.", _CHOOSE) from error
    difference = gridDifference(VoxelGrid.ofManifest(manifest), grid)
    if difference:
        raise UserError(f"The results are of another CT than {name}: {difference}.", _CHOOSE)
    series = SubjectHierarchy(inputNode.GetScene()).seriesUid(inputNode)
    if series and manifest.series_uid and series != manifest.series_uid:
        raise UserError(f"The results are of another DICOM series than {name}.", _CHOOSE)
