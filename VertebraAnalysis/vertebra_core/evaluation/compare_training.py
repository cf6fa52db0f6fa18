"""What the networks of a comparison were trained with: figures mean little without their budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from ..localisation.dbscan import INSTALLING
from ..models import WeightsRecord
from .tables import Cell, Table, decimals

NOTE = (
    "Samples are steps times batch, replayed ones among them. Minutes are those of the last "
    "training run alone, of the processor where so stated: bundled weights went on from earlier "
    "ones."
)


def training_table(
    networks: Mapping[str, nn.Module],
    records: Mapping[str, WeightsRecord],
    without_dbscan: Sequence[str] = (),
) -> Table:
    """Return a row for each network with its size and the length of its training.

    Parameters
    ----------
    networks : mapping
        Name of the weights -> network.
    records : mapping
        Name of the weights -> record; what their header does not state is left out.
    without_dbscan : sequence of str
        Names of weights that are in no other table, as scikit-learn is not installed.
    """
    columns = ("weights", "network", "clock", "parameters", "steps", "samples", "minutes")
    rows = tuple(_row(name, networks[name], records[name].metadata) for name in networks)
    note = NOTE
    if without_dbscan:
        note += (
            f" {', '.join(without_dbscan)}: in no other table, as scikit-learn is not installed "
            f"({INSTALLING})."
        )
    return Table("Training", columns, rows, note, n_left=3)


def _row(name: str, network: nn.Module, header: Mapping[str, str]) -> tuple[Cell, ...]:
    parameters = sum(p.numel() for p in network.parameters()) / 1e6
    steps, batch, seconds = (
        int(header[key]) if key in header else None
        for key in ("steps", "batch_size", "training_seconds")
    )
    return (
        name,
        type(network).__name__,
        header.get("training_clock"),
        f"{parameters:.2f} M",
        steps,
        steps * batch if steps is not None and batch is not None else None,
        None if seconds is None else decimals(seconds / 60, 1),
    )
