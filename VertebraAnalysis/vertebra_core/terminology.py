"""The SNOMED CT names of vertebrae in 3D Slicer's notation."""

from __future__ import annotations

from .levels import level_named

CONTEXT_NAME = "Segmentation category and type - VertebraAnalysis"
"""Name of our terminology, as stated inside the term file."""

_CATEGORY = "SCT^123037004^Anatomical Structure"
_VERTEBRA = "SCT^51282000^Vertebra"
_REGION_CONTEXT = "Anatomic codes - DICOM master list"


def terminology_entry(level: str) -> str:
    """Return the terminology tag of the vertebra of `level`, such as ``"L1"``.

    Seven parts as 3D Slicer serialises them: context, category, type, type modifier, region
    context, region, region modifier. T13 and L6 have no code of their own in SNOMED CT: they get
    the code of "vertebra", and the segment's name tells which.
    """
    code = level_named(level).snomed_code
    kind = f"SCT^{code}^{level} vertebra" if code else _VERTEBRA
    return f"{CONTEXT_NAME}~{_CATEGORY}~{kind}~^^~{_REGION_CONTEXT}~^^~^^"
