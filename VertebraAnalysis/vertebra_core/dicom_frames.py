"""Frames of an enhanced CT, the DICOM file that holds many slices (DICOM PS3.3, C.7.6.16).

Each frame has a place, a time and a rescale of its own, told either for the frame or once for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vertebra_core.dicom_elements import Elements, items_of, read_elements, text_of
from vertebra_core.dicom_place import SlicePlace, slice_place

_SHARED_GROUPS, _FRAME_GROUPS = 0x52009229, 0x52009230
_PIXEL_MEASURES, _PIXEL_SPACING = 0x00289110, 0x00280030
_PLANE_POSITION, _POSITION = 0x00209113, 0x00200032
_PLANE_ORIENTATION, _ORIENTATION = 0x00209116, 0x00200037
_PIXEL_VALUES, _INTERCEPT, _SLOPE, _UNIT = 0x00289145, 0x00281052, 0x00281053, 0x00281054
_CONTENT, _STACK, _ACQUISITION, _PHASE = 0x00209111, 0x00209056, 0x00209156, 0x00209128
_TIME = 0x00189074
_CT_TYPE, _TYPE = 0x00189329, 0x00089007


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes
    ----------
    place : SlicePlace
    scale, offset : float
        Turn the values that the toolkit reads, which rescales all frames alike, into those that
        the frame's own rescale means.
    acquisition : tuple
        Phase, stack and number of the acquisition.
    time : tuple of str
    frame_type : tuple of str
    value_unit : str
    """

    place: SlicePlace
    scale: float
    offset: float
    acquisition: tuple
    time: tuple[str, ...]
    frame_type: tuple[str, ...]
    value_unit: str


NOWHERE = Frame(slice_place("", "", ""), 1.0, 0.0, (0, "", 0), (), (), "")
"""A frame of which nothing is told."""


def read_frames(path: Path) -> tuple[Frame, ...]:
    """Read what a file tells of its frames.

    Returns
    -------
    tuple of Frame
        None at all unless every frame has a place and, if any has, a rescale.
    """
    try:
        elements = read_elements(path)
    except OSError:
        return ()
    shared = next(iter(items_of(elements, _SHARED_GROUPS)), {})
    groups = [_Groups(own, shared) for own in items_of(elements, _FRAME_GROUPS)]
    rescales = [group.rescale() for group in groups]
    if not groups or (None in rescales and set(rescales) != {None}):
        return ()
    # The toolkit takes the rescale for all frames, else that of the first (GDCM, ImageHelper).
    slope, intercept = rescales[0] or (1.0, 0.0)
    frames = []
    for group, rescale in zip(groups, rescales, strict=True):
        own_slope, own_intercept = rescale or (1.0, 0.0)
        scale = own_slope / slope if slope else 1.0
        frames.append(group.frame(scale, own_intercept - intercept * scale))
    places = [frame.place for frame in frames]
    complete = all(p.origin_lps_mm is not None and p.direction is not None for p in places)
    return tuple(frames) if complete else ()


@dataclass(frozen=True)
class _Groups:
    """The functional groups of a frame: its own, and those it shares with all others."""

    own: Elements
    shared: Elements

    def text(self, group: int, tag: int) -> str:
        """Text of an element of a group."""
        return text_of(self._item(group), tag)

    def rescale(self) -> tuple[float, float] | None:
        """Slope and intercept."""
        try:
            slope = float(self.text(_PIXEL_VALUES, _SLOPE))
            return slope, float(self.text(_PIXEL_VALUES, _INTERCEPT))
        except ValueError:
            return None

    def frame(self, scale: float, offset: float) -> Frame:
        """What the groups tell of the frame; `scale` and `offset` as in `Frame`."""
        return Frame(
            place=slice_place(
                self.text(_PLANE_POSITION, _POSITION),
                self.text(_PLANE_ORIENTATION, _ORIENTATION),
                self.text(_PIXEL_MEASURES, _PIXEL_SPACING),
            ),
            scale=scale,
            offset=offset,
            acquisition=(
                self._number(_PHASE),
                self.text(_CONTENT, _STACK),
                self._number(_ACQUISITION),
            ),
            time=(self.text(_CONTENT, _TIME),),
            frame_type=tuple(v for v in self.text(_CT_TYPE, _TYPE).split("\\") if v),
            value_unit=self.text(_PIXEL_VALUES, _UNIT),
        )

    def _item(self, group: int) -> Elements:
        """First item of a group, the frame's own before the shared one; empty without either."""
        return next(iter(items_of(self.own, group) or items_of(self.shared, group)), {})

    def _number(self, tag: int) -> int:
        """Value of a binary element of the frame's content; 0 where it is missing."""
        value = self._item(_CONTENT).get(tag, b"")
        return int.from_bytes(value, "little") if isinstance(value, bytes) else 0
