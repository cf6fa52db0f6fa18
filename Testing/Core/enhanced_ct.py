"""A writer of enhanced CT: one DICOM file with many frames, each with a place of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid
from vertebra_core.volume import CtVolume


def write_enhanced_ct(
    path: Path,
    ct: CtVolume,
    *,
    slices: Sequence[int] | None = None,
    intercepts: Sequence[float] | None = None,
    shear_mm_per_slice: float = 0.0,
    series_uid: str | None = None,
    sop_class: str = EnhancedCTImageStorage,
    transfer_syntax: str = ExplicitVRLittleEndian,
    edit: Callable[[FileDataset], None] | None = None,
) -> str:
    """Write slices of a CT as the frames of one file; returns the series UID.

    Parameters
    ----------
    slices : sequence of int
        Slice of the CT that each frame shows; by default all, from first to last.
    intercepts : sequence of float
        Rescale intercept of each frame; by default -1024 for all, told once.
    shear_mm_per_slice : float
        In-plane shift along y from slice to slice, as a tilted gantry makes.
    edit : callable
        Changes the data set before it is saved.
    """
    shown = range(ct.hu.shape[0]) if slices is None else slices
    uid = series_uid or generate_uid()
    data = _empty_file(path, sop_class, transfer_syntax)
    data.Modality, data.SeriesDescription, data.SeriesInstanceUID = "CT", "Enhanced", uid
    data.StudyInstanceUID, data.FrameOfReferenceUID = "1.2.3", "1.2.3.4"
    data.ImageType, data.InstanceNumber = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], 1
    data.Rows, data.Columns, data.NumberOfFrames = *ct.hu.shape[1:], len(shown)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    axes = np.asarray(ct.direction).reshape(3, 3)
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=list(ct.spacing_xyz_mm[1::-1]))]
    across = [float(v) for v in axes.T[:2].ravel()]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=across)]
    if intercepts is None:
        shared.PixelValueTransformationSequence = [_rescale(-1024.0)]
    frames, pixels = [], []
    for i, k in enumerate(shown):
        place = np.asarray(ct.origin_lps_mm) + axes[:, 2] * k * ct.spacing_xyz_mm[2]
        place = [round(float(v), 5) for v in place + axes[:, 1] * shear_mm_per_slice * k]
        frame = _item(
            PlanePositionSequence=[_item(ImagePositionPatient=place)],
            FrameContentSequence=[_item(StackID="1", InStackPositionNumber=i + 1)],
        )
        intercept = -1024.0 if intercepts is None else intercepts[i]
        if intercepts is not None:
            frame.PixelValueTransformationSequence = [_rescale(intercept)]
        frames.append(frame)
        pixels.append((ct.hu[k] - intercept).astype(np.uint16))
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = frames
    data.PixelData = np.stack(pixels).tobytes()
    if edit is not None:
        edit(data)
    data.save_as(path, enforce_file_format=True)
    return uid


def _empty_file(path: Path, sop_class: str, transfer_syntax: str) -> FileDataset:
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID = transfer_syntax
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    return data


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _rescale(intercept: float) -> Dataset:
    return _item(RescaleIntercept=intercept, RescaleSlope=1, RescaleType="HU")
