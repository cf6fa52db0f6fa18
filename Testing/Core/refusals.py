"""Files that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from vertebra_core.errors import InputError
from vertebra_core.reading import read_ct


def refusal(path: Path, read=read_ct) -> InputError:
    """Return why a file is refused, in a sentence with a hint."""
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in caught.value.message and caught.value.hint.endswith(".")
    return caught.value
