"""Where phantoms get their vertebrae from: formulas and, where there are any, real templates."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..levels import level_numbered
from .parametric_pelvis import parametric_pelvis
from .parametric_sacrum import parametric_sacrum
from .parametric_vertebra import parametric_vertebra
from .shape import BoneShape, VertebraShape
from .template_shapes import load_pelvis, load_sacrum, load_template_shapes
from .vertebra_parameters import TYPICAL

_TEMPLATE_SHARE = 0.5
"""Share of templates among the vertebrae of a level that has some."""

_NEIGHBOUR_SHARE = 0.35
"""Share of neighbouring levels among the templates drawn."""

# Vertebrae that look alike enough to stand in for each other, by VerSe number, head to foot. C1,
# C2, C7 and L5 look like no other.
_ALIKE = (
    (3, 4, 5, 6),
    (8, 9, 10, 11, 12, 13, 14, 15, 16, 17),
    (18, 19, 28),
    (20, 21, 22, 23),
    (24, 25),
)
_REACH = 2


@dataclass(frozen=True)
class ShapeLibrary:
    """A store of shapes.

    Attributes
    ----------
    templates : tuple of VertebraShape
        Real vertebrae.
    template_sacrum, template_pelvis : BoneShape or None
        Both in the frame of the S1 body.
    evaluation_only : bool
        True for geometry that is kept from all training (see `independent_meshes`): every vertebra
        is then drawn from it as far as it reaches, and no bank can be built from it.
    """

    templates: tuple[VertebraShape, ...] = ()
    template_sacrum: BoneShape | None = None
    template_pelvis: BoneShape | None = None
    evaluation_only: bool = False

    @classmethod
    def parametric_only(cls) -> ShapeLibrary:
        """Return a library that needs no data at all."""
        return cls()

    @classmethod
    def chosen(cls, data_folder: Path | None, cache: Path | None = None) -> ShapeLibrary:
        """Return `with_templates` where a data folder is given, else `parametric_only`."""
        if data_folder is None:
            return cls.parametric_only()
        return cls.with_templates(data_folder, cache)

    @classmethod
    def with_templates(cls, data_folder: Path, cache: Path | None = None) -> ShapeLibrary:
        """Return a library of formulas and the public templates.

        Parameters
        ----------
        data_folder : Path
            Public data folder, holding ``masks`` and ``meshes``.
        cache : Path, optional
            Read from there if a library was saved in it, else saved to it once built.

        Raises
        ------
        FileNotFoundError
            If `data_folder` holds neither masks nor meshes and there is no cache.
        InputError
            ``other_shapes`` if `cache` holds geometry that is kept from training.
        """
        if cache is not None and (Path(cache) / "library.json").exists():
            return cls.load(cache).checked(cache, evaluation_only=False)
        folder = Path(data_folder)
        if not (folder / "masks").is_dir() and not (folder / "meshes").is_dir():
            raise FileNotFoundError(f"no masks or meshes in {folder}")
        library = cls(load_template_shapes(folder), load_sacrum(folder), load_pelvis(folder))
        if cache is not None:
            library.save(cache)
        return library

    def draw(self, level_number: int, rng: np.random.Generator) -> VertebraShape:
        """Draw a vertebra for a level (VerSe number of a mobile level).

        Templates of the level itself and, scaled to it, of levels up to two away that look alike
        are mixed with parametric individuals. The result's ``level`` is `level_number`.
        A library that is for evaluation only lends to a neighbour, or turns to formulas, where a
        level has no template of its own, and never else.
        """
        own, near = self.candidates(level_number)
        if self.evaluation_only and (own or near):
            return _drawn_from(own or near, level_number, rng)
        if not own and not near or rng.random() >= _TEMPLATE_SHARE:
            return parametric_vertebra(level_number, rng)
        pool = near if near and (not own or rng.random() < _NEIGHBOUR_SHARE) else own
        return _drawn_from(pool, level_number, rng)

    def candidates(
        self, level_number: int
    ) -> tuple[tuple[VertebraShape, ...], tuple[VertebraShape, ...]]:
        """Return the templates of a level and those of levels that may stand in for it."""
        alike = look_alikes(level_number)
        own = tuple(t for t in self.templates if t.level == level_number)
        near = tuple(t for t in self.templates if t.level in alike)
        return own, near

    def sacrum(self, rng: np.random.Generator | None = None) -> BoneShape:
        """Return a sacrum in the frame of the S1 body; parametric where there is no template."""
        rng = rng or np.random.default_rng(0)
        if self.template_sacrum is not None and rng.random() < 0.6:
            return self.template_sacrum
        return parametric_sacrum(rng)

    def pelvis(self, rng: np.random.Generator | None = None) -> BoneShape:
        """Return hip bones in the frame of the S1 body; parametric where there is no template."""
        rng = rng or np.random.default_rng(0)
        if self.template_pelvis is not None and rng.random() < 0.6:
            return self.template_pelvis
        return parametric_pelvis(rng)

    def save(self, folder: Path) -> None:
        """Write the templates to a folder: one .npz a shape and ``library.json``, written last."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        entries = []
        for i, shape in enumerate(self.templates):
            name = f"vertebra_{i:03d}.npz"
            np.savez_compressed(folder / name, sdf=shape.sdf, body_sdf=shape.body_sdf)
            entries.append({"file": name, **_facts(shape)})
        bones = {}
        for key, bone in (("sacrum", self.template_sacrum), ("pelvis", self.template_pelvis)):
            if bone is not None:
                np.savez_compressed(folder / f"{key}.npz", sdf=bone.sdf)
                bones[key] = {"file": f"{key}.npz", **_facts(bone)}
        temporary = folder / "library.json.tmp"
        content = {
            "evaluation_only": self.evaluation_only,
            "vertebrae": entries,
            "bones": bones,
        }
        temporary.write_text(json.dumps(content, indent=1))
        temporary.replace(folder / "library.json")

    @classmethod
    def load(cls, folder: Path) -> ShapeLibrary:
        """Read a library that `save` wrote."""
        folder = Path(folder)
        content = json.loads((folder / "library.json").read_text())
        vertebrae = tuple(VertebraShape(**_read(folder, e)) for e in content["vertebrae"])
        bones = {k: BoneShape(**_read(folder, e)) for k, e in content["bones"].items()}
        # Libraries saved by earlier versions hold nothing that is kept from training.
        evaluation_only = content.get("evaluation_only", False)
        return cls(vertebrae, bones.get("sacrum"), bones.get("pelvis"), evaluation_only)

    def checked(self, cache: Path, evaluation_only: bool) -> ShapeLibrary:
        """Return the library if it is of the kind asked for.

        Raises
        ------
        InputError
            ``other_shapes``.
        """
        if self.evaluation_only != evaluation_only:
            kept = "kept for evaluation" if self.evaluation_only else "used for training"
            raise InputError(
                "other_shapes",
                f"The folder {cache} holds shapes that are {kept}.",
                "Use another folder for --shape-cache.",
            )
        return self


def look_alikes(level_number: int) -> frozenset[int]:
    """Return the levels, by VerSe number, whose vertebrae may stand in for one of a level."""
    order = level_numbered(level_number).order
    group = next((g for g in _ALIKE if level_number in g), ())
    return frozenset(
        n for n in group if n != level_number and abs(level_numbered(n).order - order) <= _REACH
    )


def _facts(shape: BoneShape) -> dict:
    return {k: v for k, v in vars(shape).items() if not isinstance(v, np.ndarray)}


def _read(folder: Path, entry: dict) -> dict:
    facts = {k: v for k, v in entry.items() if k != "file"}
    facts["origin_zyx_mm"] = tuple(facts["origin_zyx_mm"])
    with np.load(folder / entry["file"], allow_pickle=False) as arrays:
        return facts | {k: arrays[k] for k in arrays.files}


def _drawn_from(pool, level_number: int, rng: np.random.Generator) -> VertebraShape:
    shape = pool[rng.integers(len(pool))]
    return shape if shape.level == level_number else _scaled_to(shape, level_number)


def _scaled_to(shape: VertebraShape, level_number: int) -> VertebraShape:
    """Let a template stand in for another level: its size changes as the typical sizes do.

    Only the header changes scale (spacing and sizes); anisotropic fitting is the scene's business.
    """
    source, target = (TYPICAL[level_numbered(n).name] for n in (shape.level, level_number))
    ratio = (
        (target.height / source.height)
        * (target.depth / source.depth)
        * (target.width / source.width)
    ) ** (1 / 3)
    return replace(
        shape,
        sdf=(shape.sdf.astype(np.float32) * ratio).astype(np.float16),
        body_sdf=(shape.body_sdf.astype(np.float32) * ratio).astype(np.float16),
        origin_zyx_mm=tuple(v * ratio for v in shape.origin_zyx_mm),
        spacing_mm=shape.spacing_mm * ratio,
        level=level_number,
        height_mm=shape.height_mm * ratio,
        depth_mm=shape.depth_mm * ratio,
        width_mm=shape.width_mm * ratio,
        canal_depth_mm=shape.canal_depth_mm * ratio,
        source=f"{shape.source} ({level_numbered(shape.level).name})",
    )
