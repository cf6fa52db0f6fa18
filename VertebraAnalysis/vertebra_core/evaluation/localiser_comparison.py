"""LocNet-F (votes) and LocNet-H (heat peaks) side by side on one CT, as VertFault compares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from ..localisation.localise import LocalisationOptions, centres_from_output, locnet_output
from ..localisation.outputs import WORKING_SPACING_MM
from ..models import load_network
from ..volume import CtVolume, resample_to_working_grid
from .records import Point

LOCALISERS: Mapping[str, LocalisationOptions] = {
    "LocNet-F": LocalisationOptions(method="votes"),
    "LocNet-H": LocalisationOptions(method="heat"),
    "LocNet-F without chain": LocalisationOptions(method="votes", keep_chain_only=False),
    "LocNet-H without chain": LocalisationOptions(method="heat", keep_chain_only=False),
}
"""Name -> options. The chain keeps candidates that line up as a spine; the paper has none."""


def comparison(
    models_folder: Path | None = None, device: str = "cpu"
) -> Callable[[CtVolume], dict[str, tuple[Point, ...]]]:
    """Return what finds centres in a CT with every localiser.

    Raises
    ------
    WeightsError
        If LocNet's weights cannot be loaded.
    """
    network, _ = load_network("locnet", models_folder, device)
    return lambda ct: compare_localisers(ct, network, device)


def compare_localisers(
    ct: CtVolume, network: nn.Module, device: str = "cpu"
) -> dict[str, tuple[Point, ...]]:
    """Find centres in `ct` with every localiser; positions are LPS mm, head to foot."""
    grid = resample_to_working_grid(ct, WORKING_SPACING_MM)
    output = locnet_output(grid, network, LocalisationOptions(), device=device)
    return {
        name: tuple(c.position_lps_mm for c in centres_from_output(output, grid, o).centres)
        for name, o in LOCALISERS.items()
    }
