"""Resampling along the axes of an array, with the smoothing that coarser grids need."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def axis_weights(positions: np.ndarray, n_in: int, half_width: float) -> sparse.csr_array:
    """Weights that take a line of `n_in` samples to the samples at `positions`.

    The kernel is a triangle. With a half width of 1 this is linear interpolation; a half width of
    the ratio of output to input spacing averages over one output voxel, which keeps noise and
    fine structure from aliasing. The kernel is symmetric, so a flipped line gives flipped samples.

    Parameters
    ----------
    positions : ndarray, shape (n_out,)
        Continuous input indices; positions off the line take its end sample.
    n_in : int
    half_width : float
        Half width of the triangle in input samples, >= 1.

    Returns
    -------
    csr_array of float32, shape (n_out, n_in)
        Rows sum to 1.
    """
    at = np.clip(np.asarray(positions, float), 0, n_in - 1)
    reach = np.arange(-int(np.ceil(half_width)), int(np.ceil(half_width)) + 1)
    columns = np.floor(at + 0.5).astype(int)[:, None] + reach
    weights = np.clip(1 - np.abs(at[:, None] - columns) / half_width, 0, None)
    weights[(columns < 0) | (columns >= n_in)] = 0
    weights /= weights.sum(1, keepdims=True)
    rows = np.broadcast_to(np.arange(len(at))[:, None], columns.shape)
    used = weights > 0
    entries = (weights[used].astype(np.float32), (rows[used], columns[used]))
    return sparse.csr_array(entries, shape=(len(at), n_in))


def apply_axis_weights(
    array: np.ndarray,
    weights_zyx: tuple[sparse.csr_array, sparse.csr_array, sparse.csr_array],
    dtype: np.dtype | type = np.float32,
) -> np.ndarray:
    """Apply one weight matrix per axis to `array`, slice by slice.

    Only a few slices are ever held as floating point, so the memory needed beyond the input is
    that of the result.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Any numeric type; may be a strided view.
    weights_zyx : tuple of csr_array
        As `axis_weights` makes them, for z, y and x.
    dtype : dtype
        Type of the result; integers are rounded.

    Returns
    -------
    ndarray of `dtype`, shape (z', y', x')
    """
    along_z, along_y, along_x = weights_zyx
    out = np.empty((along_z.shape[0], along_y.shape[0], along_x.shape[0]), dtype)
    rounded = np.issubdtype(out.dtype, np.integer)
    for k in range(out.shape[0]):
        terms = slice(along_z.indptr[k], along_z.indptr[k + 1])
        plane = np.zeros(array.shape[1:], np.float32)
        for j, weight in zip(along_z.indices[terms], along_z.data[terms], strict=True):
            plane += weight * array[j].astype(np.float32)
        plane = (along_x @ (along_y @ plane).T).T
        out[k] = np.rint(plane) if rounded else plane
    return out
