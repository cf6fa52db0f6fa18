"""The learned grade head: a small 3D network that grades one body in its own frame.

After FracSegNet (VertFault): it looks at the CT together with the segmentation, so that it sees
endplates and cortex beside the outline. The height losses that morphometry found come in as
numbers. Beside grades it estimates the height loss itself, a number that tells more of a sample
than on which side of a threshold it lies. It has an opinion of its own; `joint_grade` puts it
together with that of morphometry.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..networks.blocks import space_to_depth
from ..networks.crop_encoder import crop_encoder, n_cells
from .shape_names import SHAPE_NAMES

CROP_SHAPE_ZYX = (48, 48, 48)
"""Voxels of 1 mm around the body's centre, along the body's own axes."""

CROP_SHIFT_Y_MM = 3.0
"""The crop reaches further back than forward: pedicles help to tell up from down."""

N_GRADES, N_SHAPES = 4, len(SHAPE_NAMES)
GRADES, SHAPES = slice(0, N_GRADES), slice(N_GRADES, N_GRADES + N_SHAPES)
"""Outputs: logits of grades 0-3, then of `shape_names.SHAPE_NAMES`."""

HEIGHT_LOSS = slice(SHAPES.stop, SHAPES.stop + 2)
"""Outputs: largest height loss of the body, if it is fractured; see `stated_height_loss`."""

N_OUTPUTS = HEIGHT_LOSS.stop

N_LOSSES = 3
"""Height losses (wedge, biconcave, crush; fractions) that accompany a crop."""


_USUAL_LOSS, _LOSS_SPREAD = 0.3, 0.1
_USUAL_SD, _LOG_SD_RANGE = 0.05, (-2.5, 1.8)


def stated_height_loss(output: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Height loss of bodies, if they are fractured, and its standard deviation, as fractions.

    Parameters
    ----------
    output : Tensor, shape (b, 10)
        Of `GradeNetwork`.

    Returns
    -------
    mean, sd : Tensor, shape (b,)
    """
    mean, log_sd = output[:, HEIGHT_LOSS].unbind(1)
    sd = _USUAL_SD * torch.exp(log_sd.clamp(*_LOG_SD_RANGE))
    return _USUAL_LOSS + _LOSS_SPREAD * mean, sd


class GradeNetwork(nn.Module):
    """Grade and shape of one vertebral body.

    Parameters
    ----------
    widths : sequence of int
        Channels of the three levels, finest (2 mm) first.
    hidden : int
        Width of the classifier.
    dropout : float
    """

    architecture = "GradeNetwork"

    def __init__(
        self, widths: Sequence[int] = (24, 48, 80), hidden: int = 96, dropout: float = 0.1
    ) -> None:
        super().__init__()
        widths = [int(w) for w in widths]
        self._config = {"widths": widths, "hidden": hidden, "dropout": dropout}
        self.stem, self.body = crop_encoder(3, widths)
        # Where in the body height is lost decides, so cells are not averaged away.
        cells = n_cells(CROP_SHAPE_ZYX)
        self.squeeze = nn.Conv3d(widths[2], 8, 1)
        self.classify = nn.Sequential(
            nn.Linear(8 * cells + 2 * widths[2] + N_LOSSES, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, N_OUTPUTS),
        )

    def config(self) -> dict[str, object]:
        """Return what rebuilds this network: ``GradeNetwork(**config)``."""
        return dict(self._config)

    def forward(self, crops: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
        """Grade bodies.

        Parameters
        ----------
        crops : Tensor, shape (b, 3, 48, 48, 48)
            Normalised CT, probability of the body, probability of the vertebra.
        losses : Tensor, shape (b, 3)
            Height losses by morphometry: wedge, biconcave, crush.

        Returns
        -------
        Tensor, shape (b, 10)
            See `GRADES`, `SHAPES` and `HEIGHT_LOSS`.
        """
        y = self.body(self.stem(space_to_depth(crops)))
        features = (
            self.squeeze(y).flatten(1),
            y.mean((2, 3, 4)),
            y.amax((2, 3, 4)),
            4.0 * losses.to(y.dtype),
        )
        return self.classify(torch.cat(features, 1))
