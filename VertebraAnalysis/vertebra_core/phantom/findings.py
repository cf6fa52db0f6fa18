"""What is to be found in phantoms, beyond what is drawn as in patients."""

from __future__ import annotations

from dataclasses import dataclass

FUSED_SHARE = 0.05
"""Share of spines with fused vertebrae. Diffuse idiopathic hyperostosis alone is seen in a tenth
of elderly patients' CTs; in most of them no bridge is whole."""

MOST_DEFORMED = 12
"""More deformed bodies of one kind a spine is not given: as many as Genant's method grades."""


@dataclass(frozen=True)
class WantedFindings:
    """Findings of the scenes of a bank.

    Attributes
    ----------
    lesion_share : float
        Probability that a scene has lytic or sclerotic lesions.
    n_fractures : int or None
        Fractures in every spine, in view or not; None draws their number.
    n_mild : int
        Bodies in every spine that have lost height, but too little for grade 1.
    fused_share : float
        Probability that vertebrae are fused.
    """

    lesion_share: float = 0.0
    n_fractures: int | None = None
    n_mild: int = 0
    fused_share: float = FUSED_SHARE

    @property
    def tag(self) -> str:
        """Tell scenes with these numbers of deformed bodies from others, for names of files."""
        fractures = "" if self.n_fractures is None else f"_fractures{self.n_fractures}"
        return fractures + (f"_mild{self.n_mild}" if self.n_mild else "")


DRAWN_FINDINGS = WantedFindings()
