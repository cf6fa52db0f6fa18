"""Marks by which DICOM images say that they are no plain slices of a scan."""

from __future__ import annotations

import re

from vertebra_core.dicom_header import SliceHeader

# Words of Image Type (DICOM PS3.3, C.8.2.1 and C.8.15.3; vendors add theirs) for pictures whose
# values are not the densities of thin slices: projections, maps of materials, blood flow.
_ALTERED_WORDS = {
    *("LOCALIZER", "MIP", "MAXIP", "MINIP", "MAX_IP", "MIN_IP", "VRT", "VOLUME_RENDER", "SSD"),
    *("IODINE", "CALCIUM", "FAT", "WATER", "URIC_ACID", "VNC", "VNCA", "MAT_SPECIFIC"),
    *("MAT_REMOVED", "MAT_FRACTIONAL", "MAT_MODIFIED", "MAT_VALUE_BASED", "EFF_ATOMIC_NUM"),
    *("Z_EFFECTIVE", "RHO", "ELECTRON_DENSITY", "PERFUSION", "PBV", "CBF", "CBV", "MTT", "TTP"),
    *("TMAX", "BLOOD_VOLUME", "BLOOD_FLOW"),
}
# Units of Rescale Type (C.11.1.1.2) that are no Hounsfield units, or modified ones.
_OTHER_UNITS = {"OD", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}


def altered_by(header: SliceHeader) -> str:
    """Return the word or unit by which a slice is marked as a projection or map, else nothing."""
    for value in header.image_type:
        words = {value.upper(), *re.split(r"[ _/]+", value.upper())}
        if words & _ALTERED_WORDS:
            return value
    return header.value_unit if header.value_unit.upper() in _OTHER_UNITS else ""
