"""Imaging domains of phantoms: what scanner models differ by, kernel and slice thickness."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..phantom.scan_protocol import ScanProtocol

KERNELS = ("smooth", "standard", "sharp")
SLICES = ("thin", "medium", "thick")
DOMAINS = tuple(f"{kernel}-{thickness}" for kernel in KERNELS for thickness in SLICES)
"""Names of the domains, in the order of their numbers."""

SHARP_FROM = 0.35
"""Edge enhancement from which a kernel counts as sharp."""

SLICE_LIMITS_MM = (1.5, 3.2)

_TRIES = 500


def domain_of(protocol: ScanProtocol) -> int:
    """Return the number of the domain that a scan belongs to."""
    kernel = int(protocol.sharpening > 0) + int(protocol.sharpening > SHARP_FROM)
    thickness = int(np.searchsorted(SLICE_LIMITS_MM, protocol.slice_mm, side="right"))
    return kernel * len(SLICES) + thickness


def domain_numbers(names: Collection[str]) -> frozenset[int]:
    """Return the numbers of domains by name; a kernel or thickness alone stands for all its own.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    chosen: set[int] = set()
    for name in names:
        fitting = {i for i, d in enumerate(DOMAINS) if d == name or name in d.split("-")}
        if not fitting:
            raise ValueError(f"there is no imaging domain {name!r}; there are {', '.join(DOMAINS)}")
        chosen |= fitting
    return frozenset(chosen)


def draw_protocol(
    rng: np.random.Generator, domains: Collection[int] | None = None, whole: bool = False
) -> ScanProtocol:
    """Draw a scan protocol of one of `domains`, or any without them.

    Parameters
    ----------
    rng : numpy.random.Generator
    domains : collection of int, optional
    whole : bool
        A protocol for a whole scan instead of a training block.
    """
    draw = ScanProtocol.random_whole if whole else ScanProtocol.random
    protocol = draw(rng)
    for _ in range(_TRIES):
        if not domains or domain_of(protocol) in domains:
            break
        protocol = draw(rng)
    return protocol
