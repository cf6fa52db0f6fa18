"""Work on several vertebrae at once.

Half of the work on a vertebra runs on one core whatever PyTorch may use, so that cores are busier
with a vertebra each than all with the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

MAX_WORKERS = 4
"""Each holds the activations of a network, some 150 MB."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def for_each(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield what `function` makes of each of `items`, in their order.

    PyTorch's threads are shared out among the workers while they are at work. Leaving the iterator
    early waits for items at work and drops the others.

    Parameters
    ----------
    function : callable
        May run in several threads at once.
    items : sequence
    workers : int
        With 1, or a single item, `function` runs in this thread.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(function, items)
        return
    threads = torch.get_num_threads()
    share = max(1, threads // workers)
    pool = ThreadPoolExecutor(workers, "vertebra", torch.set_num_threads, (share,))
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
