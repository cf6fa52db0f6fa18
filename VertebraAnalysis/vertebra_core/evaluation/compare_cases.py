"""The scans that every system of a comparison sees: phantoms of unused seeds, and real CTs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..grading.fracture_networks import WALLS
from ..levels import level_numbered
from ..phantom.fracture_truth import broken_walls
from ..phantom.lesions import with_lesions
from ..phantom.scan_case import scan
from ..training.imaging_domains import draw_protocol
from ..volume import CtVolume
from .case_files import CaseFiles, find_cases
from .case_loading import load_case
from .case_sources import sources_of
from .perturbations import PERTURBATIONS
from .phantom_cases import SceneStore, draw_field_of_view, phantom_truth
from .public_cases import ABDOMEN, CHEST, files_below
from .records import PHANTOM, REAL, TrueVertebra
from .truth import CaseTruth

DATA = {PHANTOM: "phantoms", REAL: "real CTs"}
KIND_SEPARATOR = ", "
WALL_SEPARATOR = " + "


Extras = dict[str, CaseTruth]
"""Stop -> truth, for stops whose things are not vertebrae with levels and grades."""

Loaded = tuple[CtVolume, CaseTruth, Extras]


@dataclass(frozen=True)
class CompareCase:
    """One scan.

    Attributes
    ----------
    name : str
    kind : str
        `records.PHANTOM` or `records.REAL`; perturbed scans add a comma and the perturbation.
    """

    name: str
    kind: str

    def load(self) -> Loaded | None:
        """Return CT, truth, and the truth of other stops where it is known.

        None where a perturbation leaves the scan as it is.
        """
        raise NotImplementedError

    def sources(self) -> dict[str, str]:
        """Return fingerprints of the files it is read from; none of phantoms."""
        return {}


@dataclass(frozen=True)
class PhantomCase(CompareCase):
    """A phantom, built and scanned when it is loaded.

    Attributes
    ----------
    seed : int
    scenes : SceneStore
    spacing_mm : float
        Of slices and pixels.
    lesion_share : float
        Probability that it has lesions.
    domains : frozenset of int
        Imaging domains its scan is drawn from; empty for any.
    """

    seed: int
    scenes: SceneStore
    spacing_mm: float = 1.0
    lesion_share: float = 0.0
    domains: frozenset[int] = frozenset()

    def load(self) -> Loaded:
        """Build and scan the phantom."""
        scene = with_lesions(self.scenes.get(self.seed), self.lesion_share)
        # The same view of a phantom, whatever lesions and domains are asked for.
        rng = np.random.default_rng([self.seed, 1])
        view = draw_field_of_view(scene, rng)
        protocol = draw_protocol(rng, self.domains, whole=True) if self.domains else None
        ct, labels, bodies = scan(scene, (self.spacing_mm,) * 3, rng, view, protocol)
        truth = phantom_truth(scene, ct, labels, bodies)
        extras = {"walls": wall_truth(scene, truth)}
        if self.lesion_share > 0:
            extras["lesions"] = lesion_truth(scene.lesions, ct)
        return ct, truth, extras


@dataclass(frozen=True)
class RealCase(CompareCase):
    """A CT with labels or centres on disk."""

    files: CaseFiles | None = None

    def load(self) -> Loaded:
        """Read CT and truth."""
        return *load_case(self.files), {}

    def sources(self) -> dict[str, str]:
        """Return fingerprints of CT and truth."""
        return sources_of(self.files)


@dataclass(frozen=True)
class PerturbedCase(CompareCase):
    """Another case after a perturbation; `kind` names it too, so that its figures stay apart.

    Attributes
    ----------
    case : CompareCase
    perturbation : str
        One of `PERTURBATIONS`.
    """

    case: CompareCase | None = None
    perturbation: str = ""

    def load(self) -> Loaded | None:
        """Load the other case and change CT and truth alike; None where nothing changes."""
        ct, truth, extras = self.case.load()
        change = PERTURBATIONS[self.perturbation]
        changed, new_truth = change(ct, truth, np.random.default_rng(0))
        if changed is ct:
            return None
        extras = {k: change(ct, t, np.random.default_rng(0))[1] for k, t in extras.items()}
        return changed, new_truth, extras

    def sources(self) -> dict[str, str]:
        """Return fingerprints of the other case's files."""
        return self.case.sources()


def with_perturbations(
    cases: Iterable[CompareCase], names: Collection[str]
) -> Iterator[CompareCase]:
    """Yield every case as it is, then after each perturbation."""
    for case in cases:
        yield case
        for name in names:
            kind = f"{case.kind}{KIND_SEPARATOR}{name}"
            yield PerturbedCase(f"{case.name}_{name}", kind, case, name)


def data_title(kind: str) -> str:
    """Describe a kind of data, with its perturbation."""
    base, _, perturbation = kind.partition(KIND_SEPARATOR)
    return DATA[base] + (f" with {perturbation}" if perturbation else "")


def phantom_cases(
    count: int,
    seed: int,
    scenes: SceneStore,
    spacing_mm: float,
    lesion_share: float,
    domains: Collection[int],
    first_seed: int,
) -> Iterator[PhantomCase]:
    """Yield `count` phantoms; `first_seed` is where those of evaluations start."""
    from .evaluate_phantoms import MAX_PHANTOMS

    tags = f"{spacing_mm:g}mm_lesions{lesion_share:g}{scenes.wanted.tag}"
    if domains:
        tags += "_domains" + "-".join(str(d) for d in sorted(domains))
    for index in range(count):
        own = first_seed + seed * MAX_PHANTOMS + index
        name = f"phantom_{own}_{tags}"
        yield PhantomCase(name, PHANTOM, own, scenes, spacing_mm, lesion_share, frozenset(domains))


def real_cases(public_data: Path | None, folder: Path | None) -> Iterator[RealCase]:
    """Yield the real CTs of the public data and of a folder of CTs with labels."""
    for files in (ABDOMEN, CHEST) if public_data else ():
        here = files_below(files, public_data)
        if here.ct.exists():
            yield RealCase(here.name, REAL, here)
    for files in find_cases(folder) if folder else ():
        yield RealCase(files.name, REAL, files)


def wall_truth(scene, truth: CaseTruth) -> CaseTruth:
    """Return the graded vertebrae of a phantom with the walls that broke as their `shape`.

    Bodies whose endplates are not known are left out.
    """
    walls = {level_numbered(v.level).name: broken_walls(v) for v in scene.vertebrae}
    known = []
    for vertebra in truth.vertebrae:
        broken = walls[vertebra.level]
        if vertebra.grade is None or not vertebra.complete or not np.isfinite(broken).all():
            continue
        names = [name for name, b in zip(WALLS, broken, strict=True) if b]
        known.append(replace(vertebra, shape=WALL_SEPARATOR.join(names)))
    return CaseTruth(tuple(known), kind=PHANTOM)


def lesion_truth(lesions, ct: CtVolume) -> CaseTruth:
    """Return the lesions that a scan shows as a truth: `shape` is the kind, levels do not count."""
    low = np.asarray(ct.origin_lps_mm)
    high = low + (np.asarray(ct.size_xyz) - 1) * np.asarray(ct.spacing_xyz_mm)
    found = []
    for lesion in lesions:
        center = np.asarray(lesion.center_zyx_mm)[::-1]
        if (center >= low).all() and (center <= high).all():
            found.append(TrueVertebra("C1", tuple(float(c) for c in center), shape=lesion.kind))
    return CaseTruth(tuple(found), kind=PHANTOM)
