"""VertFault's fracture networks: a grade from a plain CT crop, with or without a segmentation.

`FracNet` grades, `FracSegNet` segments the vertebra beside it; both rest on the same U-Net.
`FracResNet` is what VertFault proposes next: one residual encoder, from which each task has a
decoder of its own. All may tell which walls of the body broke (endplates, posterior wall).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..networks.blocks import NEGATIVE_SLOPE, depth_to_space, group_norm, space_to_depth
from ..networks.resnet3d import ResNet3d
from ..networks.unet3d import UNet3d

CROP_SHAPE_ZYX = (96, 96, 96)
CROP_SPACING_MM = 1.0
"""What the networks see as VertFault describes them: the CT alone, along the patient's axes, around
the body's centre."""

N_GRADES = 4
WALLS = ("superior endplate", "inferior endplate", "posterior wall")
"""What a body may break at; one logit each."""

GRADE, MASK, WALL = "grade", "mask", "walls"
"""Keys of the networks' output: logits [b, 4], [b, 1, z, y, x] and [b, 3]."""


class VectorHead(nn.Sequential):
    """Fully connected layers of 256, 128 and 64 neurons with dropout, then the logits."""

    def __init__(self, channels: int, outputs: int, dropout: float) -> None:
        layers: list[nn.Module] = []
        for width in (256, 128):
            layers += [nn.Linear(channels, width), nn.ReLU(inplace=True), nn.Dropout(dropout)]
            channels = width
        layers += [nn.Linear(channels, 64), nn.ReLU(inplace=True), nn.Linear(64, outputs)]
        super().__init__(*layers)


class FracNet(nn.Module):
    """Grade of the vertebra in the middle of a crop.

    Parameters
    ----------
    widths : sequence of int
        Channels per level of the U-Net, finest first.
    dropout : float
    walls : bool
        Whether to tell the broken walls apart.
    folded : bool
        Whether the layers work on half the grid, see `UNet3d`.
    crop_shape : sequence of int
        Size of the crops it is trained on, voxels z, y, x.
    crop_spacing_mm : float
        Their spacing. Both are kept with the weights, so that they are applied to the same.

    Raises
    ------
    ValueError
        If a side of the crop is not a whole number of millimetres.
    """

    architecture = "FracNet"

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 96, 128),
        dropout: float = 0.3,
        walls: bool = True,
        folded: bool = False,
        crop_shape: Sequence[int] = CROP_SHAPE_ZYX,
        crop_spacing_mm: float = CROP_SPACING_MM,
    ) -> None:
        super().__init__()
        widths = [int(w) for w in widths]
        self.crop_shape, self.crop_spacing_mm = checked_crop(crop_shape, crop_spacing_mm)
        self._config = {
            "widths": widths,
            "dropout": dropout,
            "walls": bool(walls),
            "folded": bool(folded),
            "crop_shape": list(self.crop_shape),
            "crop_spacing_mm": self.crop_spacing_mm,
        }
        self.backbone = UNet3d(1, widths, folded)
        self.grade_head = VectorHead(widths[0], N_GRADES, dropout)
        self.wall_head = VectorHead(widths[0], len(WALLS), dropout) if walls else None

    def config(self) -> dict[str, object]:
        """Return what rebuilds this network from keyword arguments."""
        return dict(self._config)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits by `GRADE` and `WALL` for crops [b, 1, z, y, x]."""
        return self.judge(self.backbone(x))

    def judge(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the logits that follow from the backbone's features."""
        pooled = features.mean((2, 3, 4))
        found = {GRADE: self.grade_head(pooled)}
        if self.wall_head is not None:
            found[WALL] = self.wall_head(pooled)
        return found


class FracSegNet(FracNet):
    """`FracNet` that segments the vertebra as well; see there for the parameters."""

    architecture = "FracSegNet"

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 96, 128),
        dropout: float = 0.3,
        walls: bool = True,
        folded: bool = False,
        crop_shape: Sequence[int] = CROP_SHAPE_ZYX,
        crop_spacing_mm: float = CROP_SPACING_MM,
    ) -> None:
        super().__init__(widths, dropout, walls, folded, crop_shape, crop_spacing_mm)
        self.mask_head = nn.Conv3d(int(widths[0]), 8 if folded else 1, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits by `GRADE`, `MASK` and `WALL` for crops [b, 1, z, y, x]."""
        features = self.backbone(x)
        mask = self.mask_head(features)
        return {
            **self.judge(features),
            MASK: depth_to_space(mask) if self.backbone.folded else mask,
        }


class FracResNet(nn.Module):
    """Residual encoder with a decoder for each task (after Graham et al., 2023).

    Parameters
    ----------
    widths, depths : sequence of int
        Channels and blocks per stage of the encoder, finest (stride 2) first.
    dropout, walls, folded, crop_shape, crop_spacing_mm
        See `FracNet`.
    """

    architecture = "FracResNet"

    def __init__(
        self,
        widths: Sequence[int] = (24, 48, 96, 160),
        depths: Sequence[int] = (2, 2, 2, 2),
        dropout: float = 0.3,
        walls: bool = True,
        folded: bool = False,
        crop_shape: Sequence[int] = CROP_SHAPE_ZYX,
        crop_spacing_mm: float = CROP_SPACING_MM,
    ) -> None:
        super().__init__()
        widths, depths = [int(w) for w in widths], [int(d) for d in depths]
        self.folded = bool(folded)
        self.crop_shape, self.crop_spacing_mm = checked_crop(crop_shape, crop_spacing_mm)
        self._config = {
            "widths": widths,
            "depths": depths,
            "dropout": dropout,
            "walls": bool(walls),
            "folded": self.folded,
            "crop_shape": list(self.crop_shape),
            "crop_spacing_mm": self.crop_spacing_mm,
        }
        self.encoder = ResNet3d(1, widths, depths, folds=int(self.folded))
        self.grade_head = VectorHead(widths[-1], N_GRADES, dropout)
        self.wall_head = VectorHead(widths[-1], len(WALLS), dropout) if walls else None
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.ups = nn.ModuleList([nn.ConvTranspose3d(w, v, 2, stride=2) for v, w in pairs])
        self.fuses = nn.ModuleList([_fuse(2 * v, v) for v, _ in pairs])
        # The stem halves the grid; the image itself sharpens the last step.
        if self.folded:
            self.refine = _fuse(widths[0] + 8, widths[0])
            self.mask_head = nn.Conv3d(widths[0], 8, 1)
        else:
            self.last_up = nn.ConvTranspose3d(widths[0], widths[0] // 2, 2, stride=2)
            self.refine = _fuse(widths[0] // 2 + 1, widths[0] // 2)
            self.mask_head = nn.Conv3d(widths[0] // 2, 1, 1)

    def config(self) -> dict[str, object]:
        """Return what rebuilds this network: ``FracResNet(**config)``."""
        return dict(self._config)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits by `GRADE`, `MASK` and `WALL` for crops [b, 1, z, y, x]."""
        features = self.encoder(x)
        pooled = features[-1].mean((2, 3, 4))
        found = {GRADE: self.grade_head(pooled)}
        if self.wall_head is not None:
            found[WALL] = self.wall_head(pooled)
        y = features[-1]
        for level in reversed(range(len(self.fuses))):
            y = self.fuses[level](torch.cat([features[level], self.ups[level](y)], 1))
        if self.folded:
            y = self.refine(torch.cat([y, space_to_depth(x).to(y.dtype)], 1))
            return {**found, MASK: depth_to_space(self.mask_head(y))}
        y = self.refine(torch.cat([self.last_up(y), x.to(y.dtype)], 1))
        return {**found, MASK: self.mask_head(y)}


def checked_crop(shape_zyx: Sequence[int], spacing_mm: float) -> tuple[tuple[int, int, int], float]:
    """Return shape and spacing of a crop, or raise ValueError where its sides are no whole mm."""
    sides = [int(n) * float(spacing_mm) for n in shape_zyx]
    if len(sides) != 3 or min(sides) <= 0 or any(abs(s - round(s)) > 1e-6 for s in sides):
        raise ValueError(f"a crop of {sides} mm does not fit the grid of 1 mm")
    return tuple(int(n) for n in shape_zyx), float(spacing_mm)


def _fuse(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False),
        group_norm(out_channels),
        nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
    )
