"""Turn the tissues and bones of a sampled scene into noiseless Hounsfield units."""

from __future__ import annotations

from statistics import NormalDist

import torch

from .appearance import Appearance
from .codes import BODY_BIT, CODE_MASK, Bone, Tissue
from .filters import filter_axis, gaussian_kernel
from .random_field import SmoothField
from .sampling import SampledScene

_VESSEL_CELL_MM = 8.0
_LESION_CELL_MM = 7.0
_LOW_CELL_MM = 32.0
_STREAK_START = 0.9
# Soft tissue is looked up voxel by voxel: its borders need smoothing before bone is laid over it.
_SOFT_EDGE_MM = 0.45
_SPOT_START = 1.9
# Trabeculae of vertebral bodies run upright.
_GRAIN_STRETCH = 1.6
_ARCH_DENSITY_HU = 40.0
_DISC_GAS_HU = -500.0
_SCLEROTIC_START = 0.2
# Bands of loose bone below endplates look like discs in blurred slices.
_BAND_WIDTH_MM = 13.0
# Depths where the loose zone below the shell ends and the core is reached.
_LOOSE_ZONE_MM = 3.5, 8.0
# How deep the denser lower end and the looser upper end of a body reach.
_END_ZONE_MM = 6.0
# Cortex of ribs, flat and long bones is thicker than the shell of a body.
_CORTEX_SCALE = {
    Bone.RIB: 1.9,
    Bone.SKULL: 3.5,
    Bone.FEMUR: 3.5,
    Bone.PELVIS: 2.4,
    Bone.SHOULDER: 2.2,
    Bone.STERNUM: 1.2,
    26: 1.3,
}


class Painter:
    """Paints slabs of one patient on a grid; fields run on seamlessly from slab to slab.

    Parameters
    ----------
    shape_zyx, spacing_zyx_mm
        The whole grid.
    appearance : Appearance
    generator : torch.Generator
    """

    def __init__(self, shape_zyx, spacing_zyx_mm, appearance: Appearance, generator) -> None:
        def field(cell_mm) -> SmoothField:
            return SmoothField(shape_zyx, spacing_zyx_mm, cell_mm, generator)

        self._appearance = appearance
        self._smoothing = [gaussian_kernel(_SOFT_EDGE_MM / float(s)) for s in spacing_zyx_mm]
        self._voxel_mm = float(torch.tensor(list(spacing_zyx_mm)).prod()) ** (1 / 3)
        # Nodes closer than the voxels would only cost time.
        fine = max(appearance.texture_cell_mm[0], 1.2 * self._voxel_mm)
        self._fine = field((_GRAIN_STRETCH * fine, fine, fine))
        self._middle = field(max(appearance.texture_cell_mm[1], 2.0 * self._voxel_mm))
        self._low = field(_LOW_CELL_MM)
        band = max(appearance.band_cell_mm, 1.2 * self._voxel_mm)
        self._bands = field((band, _BAND_WIDTH_MM, _BAND_WIDTH_MM))
        self._vessels = field(_VESSEL_CELL_MM), field(_VESSEL_CELL_MM)
        self._lesions = field(_LESION_CELL_MM) if appearance.lesion_threshold < 9 else None
        self._tables = torch.tensor(
            [appearance.tissue_hu, appearance.tissue_texture_hu, appearance.tissue_streak_hu]
        )

    def paint(self, sampled: SampledScene, z_start: int = 0) -> torch.Tensor:
        """Return HU of the slab of the grid that starts at slice `z_start`, shape (z, y, x)."""
        z_stop = z_start + sampled.tissue.shape[0]
        fine, middle, low = (
            f.evaluate(z_start, z_stop) for f in (self._fine, self._middle, self._low)
        )
        code = sampled.tissue.to(torch.int32).reshape(-1)
        hu, texture_sd, pull = (t.index_select(0, code).view(fine.shape) for t in self._tables)
        hu += texture_sd.mul_((fine + middle).mul_(0.7))
        hu += pull.mul_((middle - _STREAK_START).clamp_(min=0))
        present = torch.bincount(code, minlength=len(self._tables[0])) > 0
        self._add_vessels(hu, sampled.tissue, low, present, (z_start, z_stop))
        self._fill_bowel(hu, sampled.tissue, fine, middle, low, present)
        self._add_disc_gas(hu, sampled.tissue, middle, low, present)
        for axis, kernel in enumerate(self._smoothing):
            hu = filter_axis(hu, kernel, axis)
        self._add_bone(hu, sampled, fine, middle, low, (z_start, z_stop))
        if sampled.lesion_share is not None:
            self._add_lesions(hu, sampled, fine)
        for tissue in (Tissue.METAL, Tissue.CEMENT):
            if present[tissue]:
                implant = sampled.tissue == tissue
                sd = self._appearance.tissue_texture_hu[tissue]
                hu[implant] = self._appearance.tissue_hu[tissue] + sd * middle[implant]
        return hu

    def _add_vessels(self, hu, tissue, low, present, slab) -> None:
        """Small vessels: where two random fields both vanish there are winding lines."""
        if not (present[Tissue.LUNG] or present[Tissue.FAT]):
            return
        a, b = (f.evaluate(*slab) for f in self._vessels)
        distance2 = a.mul_(a).add_(b.mul_(b))
        for kind, width in ((Tissue.LUNG, 0.24), (Tissue.FAT, 0.13)):
            if not present[kind]:
                continue
            where = ((tissue == kind) & (distance2 < 4 * width**2)).view(-1).nonzero()[:, 0]
            local = width * (1 + 0.45 * low.view(-1)[where].clamp(-1.5, 2))
            # Vessels thinner than a voxel fade instead of vanishing.
            blur = (0.5 * self._voxel_mm / _VESSEL_CELL_MM) ** 2
            share = (1.5 - distance2.view(-1)[where] / (local**2 + blur)).clamp_(0, 1)
            share *= (local**2 / (local**2 + blur)).clamp_(max=1)
            flat = hu.view(-1)
            flat[where] += share * (self._appearance.vessel_hu - flat[where])

    def _fill_bowel(self, hu, tissue, fine, middle, low, present) -> None:
        if not (present[Tissue.BOWEL_CONTENT] or present[Tissue.STOMACH]):
            return
        look = self._appearance
        where = (tissue == Tissue.BOWEL_CONTENT) | (tissue == Tissue.STOMACH)
        where = where.view(-1).nonzero()[:, 0]
        mix = low.view(-1)[where]
        dense = mix > NormalDist().inv_cdf(1 - look.content_share)
        flat = hu.view(-1)
        values = flat[where]
        values = torch.where(dense, values + (look.content_hu - 25.0), values)
        mottle = middle.view(-1)[where] + 0.6 * fine.view(-1)[where] - (2.6 - 2.0 * look.faeces)
        gas = (2 * mottle).clamp_(0, 1) * (~dense) * (look.faeces > 0)
        flat[where] = values + gas * (-750.0 - values)

    def _add_disc_gas(self, hu, tissue, middle, low, present) -> None:
        """Gas gathers in single discs, in flat clefts of them."""
        look = self._appearance
        if not look.disc_gas_share or not present[Tissue.DISC]:
            return
        where = (tissue == Tissue.DISC).view(-1).nonzero()[:, 0]
        seed = 0.8 * low.view(-1)[where] + 0.6 * middle.view(-1)[where]
        gas = (3 * (seed - NormalDist().inv_cdf(1 - look.disc_gas_share))).clamp_(0, 1)
        flat = hu.view(-1)
        flat[where] += gas * (_DISC_GAS_HU - flat[where])

    def _add_bone(self, hu, sampled, fine, middle, low, slab) -> None:
        look, h = self._appearance, self._voxel_mm
        sdf = sampled.bone_sdf.reshape(-1)
        where = (sdf < h / 2).nonzero()[:, 0]
        if len(where) == 0:
            return
        s = sdf[where]
        label = sampled.labels.reshape(-1)[where].to(torch.int64)
        f, m, low_here = (t.view(-1)[where] for t in (fine, middle, low))
        thickness = self._cortex_table()[label]
        thickness *= (1 + look.cortical_variation * (0.6 * m + 0.6 * low_here)).clamp_(0.3, 2.2)
        slope = _slope(sdf, where, sampled.bone_sdf, h)
        thickness *= 1 + (look.endplate_ratio - 1) * slope * slope
        lower = -slope * ((label & BODY_BIT) > 0)
        if look.end_asymmetry:
            thickness *= 1 + 0.5 * look.end_asymmetry * lower
        occupied = (0.5 - s / h).clamp_(0, 1)
        inside = (0.5 - (s + thickness) / h).clamp_(0, 1)
        spongy = self._spongy_table(sampled)[label & CODE_MASK]
        arch = label < Bone.RIB
        spongy[arch] += _ARCH_DENSITY_HU
        if look.arthrosis_hu:
            spongy[arch] += look.arthrosis_hu * (low_here[arch] - _SCLEROTIC_START).clamp_(0, 1)
        spongy += look.trabecular_fine_hu * f + look.trabecular_patch_hu * (m + 0.25 * low_here)
        if look.trabecular_band_hu:
            spongy += look.trabecular_band_hu * self._bands.evaluate(*slab).view(-1)[where]
        if look.loose_zone_hu:
            ends, core = _LOOSE_ZONE_MM
            share = ((core + s) / (core - ends)).clamp_(0, 1) * ((label & BODY_BIT) > 0)
            spongy -= look.loose_zone_hu * share
        depth = (1 + (s + thickness) / look.sclerosis_depth_mm).clamp_(0, 1)
        sclerosis = look.sclerosis_hu * depth * depth
        if look.end_asymmetry:
            sclerosis *= 1 + look.end_asymmetry * lower
        spongy += sclerosis
        if look.end_gradient_hu:
            near_shell = (1 + (s + thickness) / _END_ZONE_MM).clamp_(0, 1)
            spongy += look.end_gradient_hu * lower * near_shell
        spongy += look.spot_hu * (f - _SPOT_START).clamp_(min=0)
        if self._lesions is not None:
            seed = self._lesions.evaluate(*slab).view(-1)[where] + 0.15 * m
            spongy += look.lesion_hu * (3 * (seed - look.lesion_threshold)).clamp_(0, 1)
        for level in look.cement_levels:
            filled = (label == (level | BODY_BIT)) & (s < -2.5) & (low_here + 0.5 * m > -0.3)
            spongy[filled] = look.tissue_hu[Tissue.CEMENT] + 100 * f[filled]
        cortex = look.cortical_hu * (1 + 0.08 * low_here + 0.08 * f)
        flat = hu.view(-1)
        flat[where] = flat[where] * (1 - occupied) + cortex * (occupied - inside) + spongy * inside

    def _add_lesions(self, hu, sampled, fine) -> None:
        """Replace bone, cortex included, by what lesions hold."""
        bone = (0.5 - sampled.bone_sdf / self._voxel_mm).clamp_(0, 1)
        share = (sampled.lesion_share * bone).view(-1)
        where = share.nonzero()[:, 0]
        texture = 0.5 * self._appearance.trabecular_fine_hu * fine.view(-1)[where]
        flat = hu.view(-1)
        density = sampled.lesion_hu.view(-1)[where] + texture
        flat[where] += share[where] * (density - flat[where])

    def _cortex_table(self) -> torch.Tensor:
        """Thickness of the cortex per label (with the body's bit), mm."""
        look = self._appearance
        thickness = torch.full((256,), look.cortical_thickness_mm)
        thickness[1:BODY_BIT] *= look.arch_cortex_scale
        for bone, scale in _CORTEX_SCALE.items():
            thickness[bone] = look.cortical_thickness_mm * scale
        return thickness

    def _spongy_table(self, sampled: SampledScene) -> torch.Tensor:
        return torch.from_numpy(self._appearance.trabecular_table(sampled.trabecular_hu.numpy()))


def _slope(flat_sdf, where, sdf, voxel_mm: float) -> torch.Tensor:
    """z component of the surface normal: 1 on upper endplates, -1 on lower ones, 0 on walls."""
    stride, last = sdf.shape[1] * sdf.shape[2], len(flat_sdf)
    # One-sided in the first and last slice, as nothing is known beyond.
    above = torch.where(where + stride < last, where + stride, where)
    below = torch.where(where >= stride, where - stride, where)
    rise = flat_sdf[above] - flat_sdf[below]
    return (rise * stride / ((above - below).clamp_(min=1) * voxel_mm)).clamp_(-1, 1)
