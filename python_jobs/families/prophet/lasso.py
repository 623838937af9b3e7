"""Solve the lasso problems of one Newton step, for every series at once."""

from __future__ import annotations

import numpy as np

from python_jobs.families.prophet.arrays import BoolArray, FloatArray

_MAX_SWEEPS = 12


def solve_lasso(
    schur: FloatArray, pull: FloatArray, weight: FloatArray, start: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Minimise d' S d / 2 - pull' d + weight |d|_1 for each series.

    Args:
        schur: S, positive semidefinite, shape (n_series, n, n).
        pull: shape (n_series, n).
        weight: shape (n_series,).
        start: where coordinate descent starts, shape (n_series, n).

    Returns:
        d, and where it is the exact minimum; elsewhere it is what coordinate descent reached.
    """
    polished, is_exact = _polish(schur, pull, weight, start)
    delta = np.where(is_exact[:, None], polished, start)
    rest = np.flatnonzero(~is_exact)
    if len(rest):
        descended = _descend(schur[rest], pull[rest], weight[rest], start[rest])
        polished, exact = _polish(schur[rest], pull[rest], weight[rest], descended)
        delta[rest] = np.where(exact[:, None], polished, descended)
        is_exact[rest] = exact
    return delta, is_exact


def _descend(
    schur: FloatArray, pull: FloatArray, weight: FloatArray, start: FloatArray
) -> FloatArray:
    """Coordinate descent, a few sweeps."""
    columns = np.ascontiguousarray(schur.transpose(2, 0, 1))
    diagonal = np.einsum("bii->bi", schur)
    has_any = diagonal > 1e-14
    curve = np.where(has_any, diagonal, 1.0)
    delta = start.copy()
    slope = pull - np.einsum("bij,bj->bi", schur, delta)
    for _ in range(_MAX_SWEEPS):
        largest = 0.0
        for j in range(delta.shape[1]):
            old = delta[:, j]
            aim = slope[:, j] + curve[:, j] * old
            new = np.sign(aim) * np.maximum(np.abs(aim) - weight, 0) / curve[:, j]
            change = np.where(has_any[:, j], new - old, 0.0)
            slope -= columns[j] * change[:, None]
            delta[:, j] = old + change
            largest = max(largest, float(np.abs(change).max()))
        if largest < 1e-11:
            break
    return delta


def _polish(
    schur: FloatArray, pull: FloatArray, weight: FloatArray, delta: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Solve exactly for the changepoints in use, and check that they are the right ones."""
    sign = np.sign(delta)
    in_use = sign != 0
    matrix = schur * (in_use[:, :, None] & in_use[:, None, :])
    n = delta.shape[1]
    matrix[:, np.arange(n), np.arange(n)] += np.where(in_use, 1e-15, 1.0)
    side = np.where(in_use, pull - weight[:, None] * sign, 0.0)
    try:
        answer = np.linalg.solve(matrix, side[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:  # one singular matrix refuses them all: descend instead
        return delta, np.zeros(len(delta), dtype=bool)
    slope = pull - np.einsum("bij,bj->bi", schur, answer)
    same_sign = ((np.sign(answer) == sign) | ~in_use).all(axis=1)
    bound = weight[:, None] * (1 + 1e-9) + 1e-13
    is_within = (in_use | (np.abs(slope) <= bound)).all(axis=1)
    return np.where(in_use, answer, 0.0), same_sign & is_within & np.isfinite(answer).all(axis=1)
