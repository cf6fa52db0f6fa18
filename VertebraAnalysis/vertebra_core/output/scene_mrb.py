"""``scene.mrb``: CT, segments, points, table and analysis as a 3D Slicer scene.

Only where the package `slicer-core` is installed. The scene is written by a process of its own
(`scene_building`): a crash of the foreign library costs the scene, not the analysis, and none of it
is loaded into a process that computes with PyTorch.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Cancelled
from ..volume import CtVolume, LabelVolume

PACKAGE = "slicer-core"

MAX_CT_VOXELS = 80_000_000
"""A larger CT is stored as the box around the spine: packing it would outlast the analysis."""

_MARGIN_MM = 40.0
_POLL_S = 0.02
_TIMEOUT_S = 600.0


def scene_available() -> bool:
    """Tell whether `slicer-core` is installed."""
    try:
        metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return True


class SceneWriting:
    """Writes a scene beside other work; as a context manager it leaves nothing behind.

    The process is started at once, so that it loads its library while there is nothing to write
    yet.

    Parameters
    ----------
    target : Path
        ``scene.mrb``; it exists only if writing succeeded.
    packed : bool
        Compress the CT. A chest of 1 mm takes half a second for it and saves a third of 40 MB.
    """

    def __init__(self, target: Path, packed: bool = True) -> None:
        self._packed = packed
        # The scene is built by a process with another working folder.
        self._target = Path(target).resolve()
        self._temporary = tempfile.TemporaryDirectory(prefix=".scene-", dir=self._target.parent)
        self._folder = Path(self._temporary.name)
        try:
            self._log = (self._folder / "log.txt").open("w+b")
            command = [sys.executable, "-m", "vertebra_core.output.scene_building", self._folder]
            # The package is found from where this process found it.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                cwd=Path(__file__).parents[2],
            )
        except BaseException:
            self._temporary.cleanup()
            raise

    def __enter__(self) -> SceneWriting:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def begin(
        self,
        ct: CtVolume | None,
        labels: LabelVolume,
        bodies: np.ndarray,
        analysis_json: str,
        markups_json: str,
    ) -> None:
        """Hand over what the scene shall hold.

        Parameters
        ----------
        ct : CtVolume or None
        labels : LabelVolume
            Whole vertebrae, VerSe numbers.
        bodies : ndarray of uint8, shape (z, y, x)
        analysis_json, markups_json : str
            Contents of the files of these names.

        Raises
        ------
        OSError
            If the disk does not take the voxels handed over.
        """
        folder = self._folder
        (folder / "analysis.json").write_text(analysis_json, "utf-8")
        (folder / "vertebrae.mrk.json").write_text(markups_json, "utf-8")
        box = _box(labels, ct)
        geometry = {"labels": _save(folder / "labels.npy", labels.labels, labels, box)}
        _save(folder / "bodies.npy", bodies, labels, box)
        if ct is not None:
            geometry["ct"] = _save(folder / "ct.npy", ct.hu, ct, box)
            whole = all(s == slice(0, n) for s, n in zip(box, ct.hu.shape, strict=True))
            geometry["ct"]["name"] = "CT" if whole else "CT around the spine"
            geometry["ct"]["packed"] = self._packed
        (folder / "geometry.json").write_text(json.dumps(geometry), "utf-8")
        # Where the process has ended already, `finish` tells why.
        with contextlib.suppress(OSError):
            self._process.stdin.write(b"go\n")
            self._process.stdin.flush()

    def finish(self, cancelled: Callable[[], bool] | None = None) -> str:
        """Wait for the scene.

        Returns
        -------
        str
            Empty, or one sentence saying why there is no scene.

        Raises
        ------
        Cancelled
        """
        try:
            waited = 0.0
            while waited < _TIMEOUT_S:
                if cancelled is not None and cancelled():
                    raise Cancelled()
                try:
                    status = self._process.wait(_POLL_S)
                except subprocess.TimeoutExpired:
                    waited += _POLL_S
                    continue
                written = self._folder / "scene.mrb"
                if status == 0 and written.exists():
                    written.replace(self._target)
                    return ""
                return f"scene.mrb could not be written: {self._last_words(status)}"
            return "scene.mrb could not be written: it took too long."
        finally:
            self.stop()

    def stop(self) -> None:
        """End the process, if it still runs, and remove its files."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._log.close()
        self._temporary.cleanup()

    def _last_words(self, status: int) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else f"slicer-core ended with status {status}."


def _box(labels: LabelVolume, ct: CtVolume | None) -> tuple[slice, slice, slice]:
    shape = labels.labels.shape
    box = tuple(slice(0, n) for n in shape)
    if ct is None or ct.hu.size <= MAX_CT_VOXELS:
        return box
    part = []
    for axis, (n, spacing) in enumerate(zip(shape, ct.spacing_xyz_mm[::-1], strict=True)):
        others = tuple(k for k in range(3) if k != axis)
        used = np.nonzero(labels.labels.any(others))[0]
        if not len(used):
            return box
        margin = int(np.ceil(_MARGIN_MM / spacing))
        part.append(slice(max(0, int(used[0]) - margin), min(n, int(used[-1]) + 1 + margin)))
    return tuple(part)


def _save(path: Path, array: np.ndarray, like: Any, box: tuple[slice, ...]) -> dict[str, Any]:
    _write_voxels(path, array[box])
    corner = like.index_to_lps(np.array([s.start for s in box]))
    # The only place where LPS becomes RAS.
    ras = np.diag([-1.0, -1.0, 1.0])
    axes = ras @ np.asarray(like.direction).reshape(3, 3) * np.asarray(like.spacing_xyz_mm)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes, ras @ corner
    return {"ijk_to_ras": matrix.ravel().tolist()}


def _write_voxels(path: Path, voxels: np.ndarray) -> None:
    """As `numpy.save`, whose OSError does not tell a full disk from any other."""
    kind = np.lib.format.dtype_to_descr(voxels.dtype)
    header = {"descr": kind, "fortran_order": False, "shape": voxels.shape}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for plane in voxels:
            stream.write(np.ascontiguousarray(plane).data)
