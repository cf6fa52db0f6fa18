"""Sort DICOM slices into stacks that are one volume each, and never mix two scans in one.

Slices belong together if they are of one series, study, patient and frame of reference, of one
kind (see `dicom_marks`), with the same size, and with orientation and pixel size equal but for
rounding. Of acquisitions that overlap (phases of contrast, repeated scans) the longest counts;
others add what lies beyond it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vertebra_core.counting import counted
from vertebra_core.dicom_header import Flaw, SliceHeader
from vertebra_core.dicom_marks import altered_by

# 0.001 rad or a thousandth of the pixel size moves the end of a 500 mm row by half a millimetre.
_DIRECTION_TOLERANCE = 1e-3
_SPACING_TOLERANCE = 1e-3
_SAME_PLACE_MM = 0.01
_AXIAL_COSINE = 0.7
# An acquisition of which this part lies within another is a further phase, not the next station.
_FURTHER_PHASE = 0.5
# Fewer slices in a row are chance, where numbers follow no order.
_LEAST_SWEEP = 5


@dataclass(frozen=True)
class DicomSeries:
    """One stack of slices.

    Attributes
    ----------
    headers : tuple of SliceHeader
        Sorted along the slices' normal, one per position.
    dropped : tuple of SliceHeader
        Slices at places that other slices take already (further phases or copies).
    """

    headers: tuple[SliceHeader, ...]
    dropped: tuple[SliceHeader, ...] = ()

    @property
    def first(self) -> SliceHeader:
        """Header of the first slice."""
        return self.headers[0]

    @property
    def uid(self) -> str:
        """Series UID; may be empty."""
        return self.first.series_uid

    @property
    def description(self) -> str:
        """Series description; may be empty."""
        return self.first.description

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return len(self.headers)

    @property
    def positions_mm(self) -> np.ndarray:
        """Positions of the slices along the normal of the first, ascending, shape (z,)."""
        return np.array([_position_mm(h, self.first) for h in self.headers])

    @property
    def coverage_mm(self) -> float:
        """Distance from the first slice to the last, mm; 0 where places are not told."""
        return 0.0 if self.flaw is not None else float(np.ptp(self.positions_mm))

    @property
    def slice_distance_mm(self) -> float:
        """Mean distance between slices, mm; 0 for a single one."""
        return self.coverage_mm / (self.n_slices - 1) if self.n_slices > 1 else 0.0

    @property
    def flaw(self) -> Flaw | None:
        """What the headers lack that a volume cannot be made without."""
        return self.first.flaw

    @property
    def is_axial(self) -> bool:
        """True when the slices' normal points along the patient."""
        return self.flaw is None and abs(self.first.place.normal[2]) > _AXIAL_COSINE

    @property
    def is_ct(self) -> bool:
        """True for CT, and where no modality is given."""
        return self.first.modality in ("CT", "")

    @property
    def is_usable(self) -> bool:
        """True for grey values at known places."""
        return self.flaw is None and self.first.components == 1

    def summary(self) -> str:
        """One line for a list of series."""
        name = self.description or "no description"
        slices = counted(self.n_slices, "slice")
        if self.n_slices > 1:
            slices += f" of {self.slice_distance_mm:.2g} mm"
        modality = self.first.modality or "no modality"
        return f"'{name}' ({modality}, {slices}, UID {self.uid or 'none'})"


def stacks(headers: Iterable[SliceHeader]) -> list[DicomSeries]:
    """Sort slices into stacks."""
    groups: dict[tuple, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        kind = (header.size_xy, header.components, altered_by(header), header.flaw)
        groups[header.identity, kind].append(header)
    found = []
    for group in groups.values():
        if group[0].flaw is not None:
            found.append(DicomSeries(tuple(sorted(group, key=lambda h: h.order))))
        else:
            found.extend(_without_overlap(cluster) for cluster in _alike(group))
    return found


def _alike(headers: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Clusters of slices with the same orientation and pixel size."""
    clusters: list[list[SliceHeader]] = []
    for header in headers:
        cluster = next((c for c in clusters if _is_alike(header, c[0])), None)
        if cluster is None:
            clusters.append([header])
        else:
            cluster.append(header)
    return clusters


def _is_alike(header: SliceHeader, other: SliceHeader) -> bool:
    turned = np.subtract(header.place.direction, other.place.direction)
    spacing = np.divide(header.place.spacing_xy_mm, other.place.spacing_xy_mm)
    return bool(
        np.abs(turned).max() <= _DIRECTION_TOLERANCE
        and np.abs(spacing - 1).max() <= _SPACING_TOLERANCE
    )


def _without_overlap(headers: list[SliceHeader]) -> DicomSeries:
    by_acquisition: dict[tuple, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        by_acquisition[header.acquisition].append(header)
    sweeps = [s for key in sorted(by_acquisition) for s in _sweeps(by_acquisition[key], headers[0])]
    runs = [_one_per_place(sweep, headers[0]) for sweep in sweeps]
    # Sorting keeps the order of acquisitions among equally long ones.
    runs.sort(key=lambda run: round(run.positions_mm[0] - run.positions_mm[-1], 2))
    taken: list[SliceHeader] = []
    covered = np.empty((0, 2))
    for run in runs:
        places = np.array([_position_mm(h, headers[0]) for h in run.headers])
        low, high = covered[:, :1] - _SAME_PLACE_MM, covered[:, 1:] + _SAME_PLACE_MM
        inside = ((places >= low) & (places <= high)).any(0)
        if inside.mean() < _FURTHER_PHASE:
            taken += [h for h, hidden in zip(run.headers, inside, strict=True) if not hidden]
            covered = np.vstack([covered, [places.min(), places.max()]])
    taken.sort(key=lambda h: _position_mm(h, headers[0]))
    kept = set(map(id, taken))
    return DicomSeries(tuple(taken), tuple(h for h in headers if id(h) not in kept))


def _sweeps(headers: list[SliceHeader], reference: SliceHeader) -> list[list[SliceHeader]]:
    """Split slices under one acquisition number where their own numbers start over.

    Scans that were filed together without telling lie between each other: each runs along the
    patient, then the next begins anew. Numbers without such an order tell nothing.
    """
    rounds: dict[int, int] = defaultdict(int)
    numbered = []
    for header in sorted(headers, key=lambda h: h.order):
        numbered.append((rounds[header.order[0]], header))
        rounds[header.order[0]] += 1
    ordered = [h for _, h in sorted(numbered, key=lambda pair: (pair[0], pair[1].order))]
    sweeps = _one_way([_position_mm(h, reference) for h in ordered])
    if min(map(len, sweeps)) < _LEAST_SWEEP:
        return [headers]
    return [[ordered[i] for i in sweep] for sweep in sweeps]


def _one_way(positions_mm: list[float]) -> list[list[int]]:
    """Indices of successive positions, split where they turn round."""
    parts, way = [[0]], 0.0
    for i, step in enumerate(np.diff(positions_mm), 1):
        turn = 0.0 if abs(step) <= _SAME_PLACE_MM else float(np.sign(step))
        if way * turn < 0:
            parts.append([])
            way = 0.0
        else:
            way = way or turn
        parts[-1].append(i)
    return parts


def _one_per_place(headers: list[SliceHeader], reference: SliceHeader) -> DicomSeries:
    """The slices of one acquisition, the first made of those at each place."""
    groups: list[list[SliceHeader]] = []
    start = -np.inf
    for header in sorted(headers, key=lambda h: _position_mm(h, reference)):
        position = _position_mm(header, reference)
        if position - start > _SAME_PLACE_MM:
            groups.append([])
            start = position
        groups[-1].append(header)
    return DicomSeries(tuple(min(group, key=lambda h: h.order) for group in groups))


def _position_mm(header: SliceHeader, reference: SliceHeader) -> float:
    """Position along the normal of a reference slice, so that no slice's rounding counts."""
    return float(reference.place.normal @ np.asarray(header.place.origin_lps_mm))
