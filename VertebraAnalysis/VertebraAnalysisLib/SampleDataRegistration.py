"""The sample CT: a synthetic spine with fractures that comes with the extension, used offline."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from .UserError import UserError

CATEGORY = "Spine"
SAMPLE_NAME = "SpinePhantomCT"
FILE_NAME = "spine_phantom_ct.nii.gz"

_SAMPLE_ATTRIBUTE = "VertebraAnalysis.Sample"

_MODULE_FOLDER = Path(__file__).resolve().parents[1]
_PLACES = (
    _MODULE_FOLDER / "Resources" / "SampleData",  # an installed extension
    _MODULE_FOLDER.parent / "Resources" / "SampleData",  # a checkout
)


def samplePath() -> Path:
    """Return where the sample CT lies.

    Raises
    ------
    UserError
        If it is missing.
    """
    for folder in _PLACES:
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise UserError(
        "The sample CT is missing from the extension.",
        "Install VertebraAnalysis again with the Extensions Manager.",
    )


def registerSampleData() -> None:
    """Show the sample CT in Slicer's Sample Data module; does nothing where either is missing."""
    try:
        import SampleData

        path = samplePath()
    except (ImportError, UserError):
        return
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE_NAME,
        uris=path.as_uri(),
        fileNames=FILE_NAME,
        nodeNames=SAMPLE_NAME,
        loadFileType="VolumeFile",
        thumbnailFileName=str(_MODULE_FOLDER / "Resources" / "Icons" / "VertebraAnalysis.png"),
        # Slicer keeps a copy; the sum tells it when another version of the file has come.
        checksums=f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
    )


def loadSample() -> Any:
    """Show the sample CT in the slice views and return its node, loaded unless it is there.

    Raises
    ------
    UserError
        If it is missing or cannot be read.
    """
    import slicer

    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    loaded = [node for node in volumes if node.GetAttribute(_SAMPLE_ATTRIBUTE)]
    node = loaded[0] if loaded else _readSample()
    application = slicer.app.applicationLogic()
    application.GetSelectionNode().SetActiveVolumeID(node.GetID())
    application.PropagateVolumeSelection(1)
    return node


def _readSample() -> Any:
    import slicer

    path = samplePath()
    node = slicer.modules.volumes.logic().AddArchetypeVolume(str(path), SAMPLE_NAME)
    if node is None:
        raise UserError(
            "The sample CT cannot be read.",
            "Install VertebraAnalysis again with the Extensions Manager.",
        )
    node.SetAttribute(_SAMPLE_ATTRIBUTE, "1")
    return node
