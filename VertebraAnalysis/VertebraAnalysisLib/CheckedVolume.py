"""A CT of the scene as the analysis reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .Coordinates import ijkToWorldOfVolume, lpsGeometry

if TYPE_CHECKING:
    from vertebra_core.volume import CtVolume


def checkedVolume(node: Any) -> CtVolume | None:
    """Return a CT in Hounsfield units, in the world; None where there is no image.

    Values that are stored as HU + 1024 are shifted, as the analysis does. What the analysis would
    refuse is returned as it is stored.

    Parameters
    ----------
    node : vtkMRMLScalarVolumeNode or None

    Raises
    ------
    ValueError
        If it is sheared, or lies under a transform that is not linear.
    """
    import slicer
    from vertebra_core.errors import InputError
    from vertebra_core.volume import CtVolume
    from vertebra_core.volume_checks import checked_ct

    if node is None or node.GetImageData() is None:
        return None
    place = lpsGeometry(ijkToWorldOfVolume(node))
    voxels = slicer.util.arrayFromVolume(node)
    ct = CtVolume(voxels, place.spacing, place.origin, place.direction)
    try:
        return checked_ct(ct)
    except InputError:
        return ct
