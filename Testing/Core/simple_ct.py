"""A small CT-like volume and writers of DICOM series for the tests of reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from vertebra_core.volume import IDENTITY_DIRECTION, CtVolume

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
FEET_FIRST = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def simple_ct(
    shape_zyx: tuple[int, int, int] = (24, 40, 44),
    spacing_xyz_mm: tuple[float, float, float] = (3.0, 3.0, 3.0),
    direction: tuple[float, ...] = IDENTITY_DIRECTION,
    seed: int = 1,
) -> CtVolume:
    """A trunk: air, a ring of fat, muscle, and a column of bone with a cortex; with noise."""
    rng = np.random.default_rng(seed)
    axes = (np.linspace(-1, 1, n) for n in shape_zyx)
    z, y, x = np.meshgrid(*axes, indexing="ij")
    trunk = np.hypot(y / 0.8, x / 0.9)
    hu = np.full(shape_zyx, -1000.0)
    hu[trunk < 1] = -100
    hu[trunk < 0.8] = 45
    column = np.hypot((y - 0.35) / 0.2, x / 0.22)
    cortex = np.abs(np.sin(4 * z)) > 0.95
    hu[column < 1] = 180
    hu[(column < 1) & ((column > 0.75) | cortex)] = 700
    hu += rng.normal(0, 12, shape_zyx)
    return CtVolume(
        np.maximum(hu, -1024).astype(np.int16), spacing_xyz_mm, (-60.0, 10.0, -300.0), direction
    )


def simple_mr(seed: int = 1) -> CtVolume:
    """The same trunk as a T1-weighted MR shows it: bright fat and marrow, dark cortex and air."""
    ct = simple_ct(seed=seed)
    rng = np.random.default_rng(seed)
    signal = np.interp(
        ct.hu, [-1000, -150, -100, 20, 60, 180, 600], [0, 300, 900, 350, 330, 650, 40]
    )
    signal = np.abs(signal + rng.normal(0, 15, signal.shape))
    signal *= np.linspace(0.7, 1.3, signal.shape[2])
    return CtVolume(signal.astype(np.int16), ct.spacing_xyz_mm, ct.origin_lps_mm, ct.direction)


def ball(
    shape_zyx: tuple[int, int, int], spacing_xyz_mm: tuple[float, float, float], radius_mm: float
) -> tuple[CtVolume, np.ndarray]:
    """A trunk of fat with a ball of bone, densest in its middle; also its centre, LPS mm."""
    fat = np.random.default_rng(0).normal(-100, 5, shape_zyx).astype(np.int16)
    ct = CtVolume(fat, spacing_xyz_mm, (-40.0, -50.0, 20.0))
    centre = ct.corners_lps_mm().mean(0)
    points = ct.index_to_lps(np.moveaxis(np.indices(shape_zyx), 0, -1))
    depth = radius_mm - np.linalg.norm(points - centre, axis=-1)
    density = 500 * np.clip(depth + 0.5, 0, 1) + 100 * np.clip(depth / radius_mm, 0, 1)
    ct.hu[...] += density.astype(np.int16)
    ct.hu[:, :3] = -1000
    return ct, centre


def shape_of_ball(ct: CtVolume) -> tuple[np.ndarray, np.ndarray]:
    """Centre and covariance of what is brighter than fat, LPS mm."""
    weight = np.clip(ct.hu.astype(float) + 60, 0, None)
    points = ct.index_to_lps(np.moveaxis(np.indices(ct.hu.shape), 0, -1))
    centre = (points * weight[..., None]).sum((0, 1, 2)) / weight.sum()
    away = (points - centre).reshape(-1, 3)
    return centre, (away * weight.reshape(-1, 1)).T @ away / weight.sum()


def write_dicom_series(
    folder: Path,
    ct: CtVolume,
    *,
    positions_mm: np.ndarray | None = None,
    shear_mm_per_slice: float = 0.0,
    series_uid: str | None = None,
    description: str = "Spine 3.0",
    modality: str = "CT",
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL"),
    intercept: float = -1024.0,
    prefix: str = "image",
    edit: Callable[[FileDataset, int], None] | None = None,
) -> str:
    """Write one file per slice, names not in the order of positions; returns the series UID.

    Parameters
    ----------
    positions_mm : ndarray, shape (z,)
        Of the slices along their normal; by default at the volume's spacing.
    shear_mm_per_slice : float
        In-plane shift along y from slice to slice, as a tilted gantry makes.
    edit : callable
        Changes the data set of the slice with the given number before it is saved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uid = series_uid or generate_uid()
    axes = np.asarray(ct.direction).reshape(3, 3)
    n_slices = ct.hu.shape[0]
    if positions_mm is None:
        positions_mm = np.arange(n_slices) * ct.spacing_xyz_mm[2]
    for k in range(n_slices):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{prefix}{(k * 7) % n_slices:03d}_{k}.dcm"
        data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = (
            meta.MediaStorageSOPClassUID,
            meta.MediaStorageSOPInstanceUID,
        )
        data.Modality, data.SeriesDescription, data.SeriesInstanceUID = modality, description, uid
        data.StudyInstanceUID, data.FrameOfReferenceUID = "1.2.3", "1.2.3.4"
        data.ImageType, data.SeriesNumber, data.InstanceNumber = list(image_type), 2, n_slices - k
        data.Rows, data.Columns = ct.hu.shape[1:]
        data.PixelSpacing = [ct.spacing_xyz_mm[1], ct.spacing_xyz_mm[0]]
        data.SliceThickness = ct.spacing_xyz_mm[2]
        data.ImageOrientationPatient = [float(v) for v in axes.T[:2].ravel()]
        position = np.asarray(ct.origin_lps_mm) + axes[:, 2] * positions_mm[k]
        position = position + axes[:, 1] * shear_mm_per_slice * k
        data.ImagePositionPatient = [round(float(v), 6) for v in position]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
        data.RescaleIntercept, data.RescaleSlope = intercept, 1
        stored = ct.hu[k].astype(np.int32) - int(intercept)
        data.PixelData = np.clip(stored, 0, 65535).astype(np.uint16).tobytes()
        if edit is not None:
            edit(data, k)
        data.save_as(path, enforce_file_format=True)
    return uid
