"""Pictures of the report: a grey PNG with sharp outlines, lines and names drawn over it as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from ..analysis import Vertebra
from ..levels import level_named
from .grade_names import short_grade_label
from .png import png_data_uri
from .report_style import GRADE_COLORS, LESION_COLOR
from .spine_pictures import SpinePicture

_OVERVIEW_HEIGHT_PX = 940.0
_OVERVIEW_SCALE = (1.5, 2.6)
_ZOOM_SCALE = 3.3
_FONT = "font-family='system-ui, Segoe UI, Roboto, sans-serif'"
_NAME_GAP_MM = 7.0
_BAR_MM = 50
_ZOOM_BAR_MM = 20
_RING_MM = 7.0


@dataclass(frozen=True)
class Drawing:
    """An SVG picture and its width on the screen."""

    svg: str
    width_px: int


def overview_svg(picture: SpinePicture, vertebrae: Sequence[Vertebra], title: str) -> Drawing:
    """Draw the whole spine: outlines in the colour of the grade, names, grades, height lines.

    Parameters
    ----------
    picture : SpinePicture
        Sagittal or coronal.
    vertebrae : sequence of Vertebra
    title : str
        Read out to those who cannot see the picture.
    """
    rows = picture.surface.size[1] * picture.surface.pixel_mm
    low, high = _OVERVIEW_SCALE
    canvas = _Canvas(picture, min(high, max(low, _OVERVIEW_HEIGHT_PX / rows)))
    sagittal = picture.surface.left == "A"
    for v in vertebrae:
        number, color = level_named(v.level).number, GRADE_COLORS[v.grade]
        canvas.outline(picture.vertebrae.get(number, ()), color, 1.0, 0.75)
        canvas.outline(picture.bodies.get(number, ()), color, 1.5, 1.0, fill=0.12)
        if sagittal:
            for line in v.height_lines.values():
                canvas.line(line.top_lps_mm, line.bottom_lps_mm, "#ffffff", 1.2)
    for v in vertebrae:
        _name(canvas, v, picture, sagittal)
    return canvas.drawing(title, _BAR_MM)


def zoom_svg(
    picture: SpinePicture,
    vertebra: Vertebra,
    others: Mapping[str, Vertebra],
    title: str,
    mark_lps_mm: tuple[float, float, float] | None = None,
) -> Drawing:
    """Draw one vertebra in a sagittal plane of its own with Ha, Hm and Hp, or with a mark.

    Parameters
    ----------
    picture : SpinePicture
        On `spine_surfaces.body_surface` of `vertebra`.
    vertebra : Vertebra
    others : mapping of str to Vertebra
        All vertebrae by level, to name neighbours.
    title : str
    mark_lps_mm : tuple of float, optional
        Place in the plane to ring; the heights, which lie in another plane, are left out then.
    """
    canvas = _Canvas(picture, _ZOOM_SCALE)
    own = level_named(vertebra.level).number
    for name, other in others.items():
        number = level_named(name).number
        if number != own and picture.bodies.get(number):
            canvas.outline(picture.bodies[number], "#d0d4d9", 0.9, 0.6)
            x, y = canvas.position(other.center_lps_mm)
            canvas.text(x, y + 4, name, "#d0d4d9", 12)
    color = GRADE_COLORS[vertebra.grade]
    canvas.outline(picture.vertebrae.get(own, ()), color, 1.0, 0.7)
    canvas.outline(picture.bodies.get(own, ()), color, 1.8, 1.0)
    if mark_lps_mm is None:
        _measured_lines(canvas, vertebra)
    else:
        canvas.ring(mark_lps_mm, LESION_COLOR)
    return canvas.drawing(title, _ZOOM_BAR_MM)


def _name(canvas: _Canvas, v: Vertebra, picture: SpinePicture, sagittal: bool) -> None:
    lines = picture.bodies.get(level_named(v.level).number, [])
    x, y = canvas.position(v.center_lps_mm)
    if not sagittal:
        canvas.text(x, y + 4, v.level, "#ffffff", 13, weight=700)
        return
    front = min((line[:, 0].min() for line in lines), default=None)
    if front is not None:
        x = front * picture.surface.pixel_mm * canvas.scale
    label = "" if v.grade == 0 and not v.borderline else f" {short_grade_label(v)}"
    canvas.text(
        x - _NAME_GAP_MM * canvas.scale, y + 4, v.level, "#ffffff", 13, "end", 700,
        (label, GRADE_COLORS[v.grade]),
    )  # fmt: skip


def _measured_lines(canvas: _Canvas, v: Vertebra) -> None:
    places = {"anterior": ("Ha", "end", -4), "middle": ("Hm", "middle", 0),
              "posterior": ("Hp", "start", 4)}  # fmt: skip
    for name, (short, anchor, shift) in places.items():
        line = v.height_lines.get(name)
        if line is None:
            continue
        canvas.line(line.top_lps_mm, line.bottom_lps_mm, "#ffffff", 2.0, ends=True)
        if v.heights_mm is None:
            continue
        (x, top), (_, bottom) = (canvas.position(p) for p in (line.top_lps_mm, line.bottom_lps_mm))
        # Ha and Hp are written above their lines, Hm below its own: they would overlap in a row.
        y = bottom + 16 if name == "middle" else top - 8
        canvas.text(x + shift, y, f"{short} {getattr(v.heights_mm, name):.1f}", "#ffffff", 12,
                    anchor, 600)  # fmt: skip


class _Canvas:
    """Collects shapes; positions are CSS pixels."""

    def __init__(self, picture: SpinePicture, scale: float) -> None:
        self._picture = picture
        self.scale = scale
        self._unit = picture.surface.pixel_mm * scale
        columns, rows = picture.surface.size
        self.width, self.height = columns * self._unit, rows * self._unit
        self._parts: list[str] = []

    def position(self, lps_mm: Sequence[float]) -> tuple[float, float]:
        """Where a point is drawn; pixel centres lie half a pixel inside."""
        column, row = self._picture.surface.to_pixel(np.asarray(lps_mm, float))
        return (column + 0.5) * self._unit, (row + 0.5) * self._unit

    def outline(
        self,
        lines: Iterable[np.ndarray],
        color: str,
        width: float,
        opacity: float,
        fill: float = 0.0,
    ) -> None:
        """Draw closed polylines given in (column, row)."""
        path = "".join(_path((line + 0.5) * self._unit) for line in lines)
        if path:
            inside = f"fill='{color}' fill-opacity='{fill}'" if fill else "fill='none'"
            self._parts.append(
                f"<path d='{path}' {inside} fill-rule='evenodd' stroke='{color}' "
                f"stroke-width='{width}' stroke-opacity='{opacity}' stroke-linejoin='round'/>"
            )

    def line(
        self,
        start_lps_mm: Sequence[float],
        end_lps_mm: Sequence[float],
        color: str,
        width: float,
        ends: bool = False,
    ) -> None:
        """Draw a line with a dark edge, if wanted with a tick at either end."""
        a, b = (np.array(self.position(p)) for p in (start_lps_mm, end_lps_mm))
        path = f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}"
        length = float(np.hypot(*(b - a)))
        if ends and length > 0:
            tick = np.array([-(b - a)[1], (b - a)[0]]) / length * 4
            for point in (a, b):
                p, q = point - tick, point + tick
                path += f"M{p[0]:.1f} {p[1]:.1f}L{q[0]:.1f} {q[1]:.1f}"
        for stroke, thick in (("#000", width + 1.6), (color, width)):
            self._parts.append(
                f"<path d='{path}' fill='none' stroke='{stroke}' stroke-width='{thick}'/>"
            )

    def ring(self, lps_mm: Sequence[float], color: str) -> None:
        """Draw a ring with a dark edge around a point."""
        x, y = self.position(lps_mm)
        for stroke, thick in (("#000", 3.6), (color, 2.0)):
            self._parts.append(
                f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{_RING_MM * self.scale:.1f}' fill='none' "
                f"stroke='{stroke}' stroke-width='{thick}'/>"
            )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        color: str,
        size: float,
        anchor: str = "middle",
        weight: int = 500,
        more: tuple[str, str] = ("", ""),
    ) -> None:
        """Write `text`, then the coloured text `more`, with a dark edge, inside the picture."""
        content = escape(text)
        length = 0.62 * size * (len(text) + len(more[0]))
        left = {"start": 0.0, "middle": length / 2, "end": length}[anchor]
        x = min(max(x, left + 2), max(left + 2, self.width - (length - left) - 2))
        if more[0]:
            content += f"<tspan fill='{more[1]}'>{escape(more[0])}</tspan>"
        self._parts.append(
            f"<text x='{x:.1f}' y='{y:.1f}' fill='{color}' font-size='{size}' "
            f"font-weight='{weight}' text-anchor='{anchor}' xml:space='preserve' "
            "stroke='#000' stroke-width='3' stroke-linejoin='round' paint-order='stroke'>"
            f"{content}</text>"
        )

    def drawing(self, title: str, bar_mm: int) -> Drawing:
        """Return the picture with its sides' letters and a scale bar."""
        surface = self._picture.surface
        self.text(6, 20, surface.left, "#ffffff", 15, "start", 700)
        self.text(self.width - 6, 20, surface.right, "#ffffff", 15, "end", 700)
        bar, y = bar_mm * self.scale, self.height - 10
        self._parts.append(
            f"<path d='M8 {y - 4:.1f}v4h{bar:.1f}v-4' fill='none' stroke='#fff' "
            "stroke-width='1.5'/>"
        )
        self.text(8, y - 8, f"{bar_mm} mm", "#ffffff", 12, "start")
        grey = self._picture.grey
        image = (
            ""
            if grey is None
            else f"<image href='{png_data_uri(grey)}' width='{self.width:.1f}' "
            f"height='{self.height:.1f}' preserveAspectRatio='none'/>"
        )
        svg = (
            f"<svg class='picture' xmlns='http://www.w3.org/2000/svg' role='img' {_FONT} "
            f"width='{self.width:.0f}' height='{self.height:.0f}' "
            f"viewBox='0 0 {self.width:.1f} {self.height:.1f}'>"
            f"<title>{escape(title)}</title>{image}{''.join(self._parts)}</svg>"
        )
        return Drawing(svg, round(self.width))


def _path(points: np.ndarray) -> str:
    rounded = np.round(points, 1)
    # Steps below a quarter of a pixel are not seen.
    keep = np.ones(len(rounded), bool)
    last = rounded[0]
    for i in range(1, len(rounded) - 1):
        keep[i] = np.abs(rounded[i] - last).max() >= 1.0
        last = rounded[i] if keep[i] else last
    text = "L".join(f"{x:g} {y:g}" for x, y in rounded[keep])
    return f"M{text}Z"
