"""How an analysis came about: when, of which scan, with what."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from . import __version__
from .analysis import Manifest
from .volume import CtVolume, LabelVolume
from .volume_source import VolumeSource

_LIBRARIES = ("torch", "SimpleITK", "numpy")


def manifest_of(
    grid: CtVolume | LabelVolume,
    source: VolumeSource,
    weights_sha256: Mapping[str, str],
    device: str,
    seconds_per_stage: Mapping[str, float],
    options: Mapping[str, object],
) -> Manifest:
    """Return the manifest of an analysis that ends now.

    Parameters
    ----------
    grid : CtVolume or LabelVolume
        Whose geometry is stated.
    source : VolumeSource
        Which scan was analysed.
    weights_sha256 : mapping of str
    device : str
    seconds_per_stage : mapping of float
    options : mapping
        Those that are None are left out.
    """
    return Manifest(
        core_version=__version__,
        weights_sha256=dict(weights_sha256),
        device=device,
        seconds_per_stage=dict(seconds_per_stage),
        input_size_xyz=grid.size_xyz,
        input_spacing_xyz_mm=tuple(float(s) for s in grid.spacing_xyz_mm),
        input_origin_lps_mm=tuple(float(o) for o in grid.origin_lps_mm),
        input_direction=tuple(float(d) for d in grid.direction),
        options={k: str(v) for k, v in options.items() if v is not None},
        input_name=source.name,
        series_uid=source.series_uid,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    # A library that is not loaded has computed nothing.
    loaded = {name: sys.modules[name] for name in _LIBRARIES if name in sys.modules}
    return {
        "vertebra_core": __version__,
        "python": platform.python_version(),
        **{name: str(module.__version__) for name, module in loaded.items()},
    }


def label_map_options(name: str, source: VolumeSource, numbering: str) -> dict[str, str | None]:
    """Return what `options` of a manifest state about a label map that was given.

    Parameters
    ----------
    name : str
        What the map is, ``"segmentation"`` or ``"bodies"``.
    source : VolumeSource
    numbering : str
        What told its levels.
    """
    return {
        name: source.name,
        f"{name}_sha256": source.sha256,
        f"{name}_numbers": numbering,
    }
