"""The posterior mode of Prophet's model with a piecewise linear trend, many series at once.

Prophet's Stan program (Taylor and Letham 2018) is, in shares of the largest |y| and with time from
0 to 1,

    y ~ normal(trend * (1 + X_m beta) + X_a beta, sigma)
    trend = m + k t + sum_j delta_j max(t - c_j, 0)
    k, m ~ normal(0, 5), delta ~ Laplace(0, tau), beta ~ normal(centre, spread),
    sigma ~ half-normal(0.5)

and its mode is a lasso in delta with a ridge in everything else. Stan's L-BFGS stalls on the kinks
of the lasso; here they are handled as what they are. For a given sigma the ridge block is
eliminated, coordinate descent finds the changepoints that are in use (Friedman, Hastie and
Tibshirani 2010), and a linear solve on those gives the lasso's exact answer. sigma then has a
closed form, and the two alternate. Multiplicative terms make the mean bilinear: Gauss-Newton with
a line search around the same step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from python_jobs.families.prophet.arrays import BoolArray, FloatArray, IntArray
from python_jobs.families.prophet.lasso import solve_lasso

MIN_SIGMA = 1e-4
"""Noise is at least this share of the largest |y|: with as many terms as rows the posterior has no
mode otherwise, for it grows without end as sigma nears zero."""

_TREND_RIDGE = 1 / 5.0**2
_MAX_ROUNDS = 300
_LINE_SEARCH_HALVINGS = 25


@dataclass(frozen=True)
class Problem:
    """Several series with the same terms, padded with zero rows to the longest.

    Attributes:
        t: time, 0 at the first row and 1 at the last, shape (n_series, n_rows).
        y: in shares of the largest |y|, shape (n_series, n_rows).
        is_row: False where a series has no such row, shape (n_series, n_rows).
        hinge: max(t - c_j, 0), shape (n_series, n_rows, n_changepoints); a column of zeros is a
            changepoint that a series does not have.
        x: seasons and regressors, scaled, shape (n_series, n_rows, n_terms).
        is_multiplicative: which terms multiply the trend, shape (n_terms,).
        has_slope: False for a flat trend, shape (n_series,).
        centre: of the normal prior of each term, shape (n_series, n_terms).
        spread: its standard deviation, shape (n_series, n_terms).
        tau: scale of the Laplace prior of the changes of slope.
    """

    t: FloatArray
    y: FloatArray
    is_row: BoolArray
    hinge: FloatArray
    x: FloatArray
    is_multiplicative: BoolArray
    has_slope: BoolArray
    centre: FloatArray
    spread: FloatArray
    tau: float

    def __getitem__(self, chosen: IntArray) -> Problem:
        """Keep some of the series."""
        shared = ("is_multiplicative", "tau")
        return Problem(
            **{
                name: values if name in shared else values[chosen]
                for name, values in vars(self).items()
            }
        )


@dataclass(frozen=True)
class Mode:
    """The parameters at the mode, a series a row, in Prophet's scaled units.

    Attributes:
        k: slope before any change, shape (n_series,).
        m: height at t = 0, shape (n_series,).
        delta: changes of slope, shape (n_series, n_changepoints).
        beta: coefficients, shape (n_series, n_terms).
        sigma: noise, shape (n_series,).
        objective: the negative log posterior without its constants, shape (n_series,).
        is_converged: a further round would change nothing, shape (n_series,).
        beta_sd: standard deviation of beta given the changepoints in use and sigma (Laplace's
            approximation), shape (n_series, n_terms).
        residual: y less the mean, zero in padding, shape (n_series, n_rows).
    """

    k: FloatArray
    m: FloatArray
    delta: FloatArray
    beta: FloatArray
    sigma: FloatArray
    objective: FloatArray
    is_converged: BoolArray
    beta_sd: FloatArray
    residual: FloatArray

    def put(self, chosen: IntArray, other: Mode) -> None:
        """Take the parameters of some series from another solution, which has these alone."""
        for name, values in vars(self).items():
            values[chosen] = getattr(other, name)


def solve(problem: Problem, tolerance: float = 1e-10) -> Mode:
    """Find the posterior mode of every series.

    Args:
        problem: the series.
        tolerance: relative change of the objective below which a series is done.

    Returns:
        Mode; a series that did not converge is marked, with the best parameters found.
    """
    n_series, n_terms = problem.centre.shape
    theta = np.zeros((n_series, 2 + n_terms + problem.hinge.shape[2]))
    theta[:, 2 : 2 + n_terms] = problem.centre
    n_rows = problem.is_row.sum(axis=1)
    theta[:, 1] = (problem.y * problem.is_row).sum(axis=1) / n_rows
    state = _State(problem, theta, n_rows.astype(float))
    is_additive = not bool(problem.is_multiplicative.any())
    live = np.arange(n_series)
    for _ in range(_MAX_ROUNDS):
        if not len(live):
            break
        still = state.step(live, is_additive, tolerance)
        live = live[still]
    converged = np.ones(n_series, dtype=bool)
    converged[live] = False
    return state.mode(converged)


def objective(problem: Problem, theta: FloatArray, sigma: FloatArray) -> FloatArray:
    """The negative log posterior without constants, as Prophet's Stan program has it.

    Args:
        problem: the series.
        theta: k, m, beta, delta side by side, shape (n_series, 2 + n_terms + n_changepoints).
        sigma: noise, shape (n_series,).

    Returns:
        One number a series.
    """
    residual = _residual(problem, theta)[2]
    rss = np.einsum("bt,bt->b", residual, residual)
    n_rows = problem.is_row.sum(axis=1)
    fit = n_rows * np.log(sigma) + rss / (2 * sigma**2) + 2 * sigma**2
    return np.asarray(fit + _penalty(problem, theta))


def optimality_gap(problem: Problem, theta: FloatArray, sigma: FloatArray) -> FloatArray:
    """How far a point is from the conditions of a mode: the largest slope of the objective.

    For a change of slope that is zero the kink allows any slope up to 1 / tau.

    Returns:
        One number a series, zero at a mode.
    """
    trend, factor, residual = _residual(problem, theta)
    weight = residual / sigma[:, None] ** 2
    x = _term_effect(problem, trend)
    n_terms = problem.centre.shape[1]
    beta, delta = theta[:, 2 : 2 + n_terms], theta[:, 2 + n_terms :]
    pull_k = np.einsum("bt,bt->b", problem.t * factor, weight) - _TREND_RIDGE * theta[:, 0]
    pull_m = np.einsum("bt,bt->b", factor, weight) - _TREND_RIDGE * theta[:, 1]
    pull_beta = np.einsum("btk,bt->bk", x, weight) - (beta - problem.centre) / problem.spread**2
    pull_delta = np.einsum("bts,bt->bs", problem.hinge, factor * weight)
    bound = 1 / problem.tau
    off = np.where(
        delta == 0,
        np.maximum(np.abs(pull_delta) - bound, 0),
        np.abs(pull_delta - np.sign(delta) * bound),
    )
    parts = [np.abs(pull_k) * problem.has_slope, np.abs(pull_m)]
    gap = np.max(np.column_stack([*parts, np.abs(pull_beta), off]), axis=1)
    return np.asarray(gap)


class _State:
    """The series while they are being solved: parameters, noise and objective so far."""

    def __init__(self, problem: Problem, theta: FloatArray, n_rows: FloatArray) -> None:
        self.problem, self.theta, self.n_rows = problem, theta, n_rows
        n_terms = problem.centre.shape[1]
        self.n_ridge = 2 + n_terms
        self.ridge = np.column_stack(
            [np.full((len(theta), 2), _TREND_RIDGE), 1 / problem.spread**2]
        )
        self.prior = np.zeros_like(theta)
        self.prior[:, 2 : self.n_ridge] = problem.centre
        residual = _residual(problem, theta)[2]
        self.sigma = _best_sigma(np.einsum("bt,bt->b", residual, residual), n_rows)
        self.objective = objective(problem, theta, self.sigma)
        self.history = np.full((3, len(theta)), np.nan)
        self.trust = np.ones(len(theta))
        self.gram: FloatArray | None = None
        self.moment: FloatArray | None = None

    def step(self, live: IntArray, is_additive: bool, tolerance: float) -> BoolArray:
        """Take one round for the live series; returns which are not done."""
        problem = self.problem[live]
        gram, moment = self._normal_equations(problem, live, is_additive)
        aim, is_exact = self._lasso(live, gram, moment)
        if is_additive:
            theta, sigma, value = self._accept(problem, live, aim)
        else:
            theta, sigma, value = self._line_search(problem, live, aim)
        gain = self.objective[live] - value
        done = is_exact & (np.abs(gain) <= tolerance * np.maximum(1, np.abs(value)))
        if not is_additive:
            done |= np.abs(gain) <= 1e-3 * tolerance * np.maximum(1, np.abs(value))
        self.theta[live], self.objective[live] = theta, value
        self.trust[live] *= np.where(gain < 0, 0.5, 1.0)
        self.sigma[live] = self._extrapolated(live, sigma) if is_additive else sigma
        self.sigma[live[done]] = sigma[done]
        return ~done

    def _normal_equations(
        self, problem: Problem, live: IntArray, is_additive: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Gram matrix and moments of the (linearised) model around the prior's centre."""
        if is_additive and self.gram is not None and self.moment is not None:
            return self.gram[live], self.moment[live]
        theta = self.theta[live]
        trend, factor, residual = _residual(problem, theta)
        design = _design(problem, trend, factor)
        target = residual + np.einsum("btn,bn->bt", design, theta - self.prior[live])
        gram = np.matmul(design.transpose(0, 2, 1), design)
        moment = np.einsum("btn,bt->bn", design, target)
        if is_additive:
            self.gram, self.moment = gram, moment
        return gram, moment

    def _lasso(
        self, live: IntArray, gram: FloatArray, moment: FloatArray
    ) -> tuple[FloatArray, BoolArray]:
        """Minimise over all parameters for the present sigma; exact where the flag says so."""
        q = self.n_ridge
        variance = self.sigma[live] ** 2
        block = gram[:, :q, :q].copy()
        diagonal = np.arange(q)
        block[:, diagonal, diagonal] += variance[:, None] * self.ridge[live]
        cross = gram[:, :q, q:]
        sides = np.concatenate([cross, moment[:, :q, None]], axis=2)
        solved = np.linalg.solve(block, sides)
        reach, base = solved[:, :, :-1], solved[:, :, -1]
        schur = gram[:, q:, q:] - np.matmul(cross.transpose(0, 2, 1), reach)
        pull = moment[:, q:] - np.einsum("bqs,bq->bs", cross, base)
        delta, is_exact = solve_lasso(
            schur, pull, variance / self.problem.tau, self.theta[live, q:]
        )
        theta = np.concatenate([base - np.einsum("bqs,bs->bq", reach, delta), delta], axis=1)
        return theta + self.prior[live], is_exact

    def _accept(
        self, problem: Problem, live: IntArray, theta: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        residual = _residual(problem, theta)[2]
        rss = np.einsum("bt,bt->b", residual, residual)
        sigma = _best_sigma(rss, self.n_rows[live])
        return theta, sigma, self._value(live, theta, sigma, rss)

    def _value(
        self, live: IntArray, theta: FloatArray, sigma: FloatArray, rss: FloatArray
    ) -> FloatArray:
        off = theta - self.prior[live]
        q = self.n_ridge
        penalty = (off[:, :q] ** 2 * self.ridge[live]).sum(axis=1) / 2
        penalty += np.abs(theta[:, q:]).sum(axis=1) / self.problem.tau
        fit = self.n_rows[live] * np.log(sigma) + rss / (2 * sigma**2) + 2 * sigma**2
        return np.asarray(fit + penalty)

    def _line_search(
        self, problem: Problem, live: IntArray, aim: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Halve the step until the objective does not rise."""
        start = self.theta[live]
        best_theta, best_sigma = start.copy(), self.sigma[live].copy()
        best = self.objective[live].copy()
        share = np.ones(len(live))
        open_ = np.arange(len(live))
        for _ in range(_LINE_SEARCH_HALVINGS):
            theta = start[open_] + share[open_, None] * (aim - start)[open_]
            tried = self._accept(problem[open_], live[open_], theta)
            good = tried[2] <= best[open_]
            taken = open_[good]
            best_theta[taken], best_sigma[taken] = theta[good], tried[1][good]
            best[taken] = tried[2][good]
            open_ = open_[~good]
            if not len(open_):
                break
            share[open_] /= 2
        return best_theta, best_sigma, best

    def _extrapolated(self, live: IntArray, sigma: FloatArray) -> FloatArray:
        """Speed the alternation up by Aitken's rule on ln(sigma), every third round.

        A leap after which the objective rose went too far, into where other changepoints are in
        use: later ones of that series are half as long, or it may come back there for ever.
        """
        logs = np.log(sigma)
        self.history[:, live] = np.vstack([self.history[1:, live], logs])
        first, second, third = self.history[:, live]
        change, bend = third - second, third - 2 * second + first
        with np.errstate(divide="ignore", invalid="ignore"):
            limit = third - self.trust[live] * change**2 / bend
        usable = np.isfinite(limit) & (np.abs(limit - third) < 20 * np.abs(change))
        usable &= np.abs(change) > 1e-13
        self.history[:, live[usable]] = np.nan
        return np.asarray(np.where(usable, np.exp(np.where(usable, limit, third)), sigma))

    def mode(self, converged: BoolArray) -> Mode:
        """Take the parameters apart."""
        q = self.n_ridge
        return Mode(
            k=self.theta[:, 0] * self.problem.has_slope,
            m=self.theta[:, 1],
            delta=self.theta[:, q:],
            beta=self.theta[:, 2:q],
            sigma=self.sigma,
            objective=self.objective,
            is_converged=converged,
            beta_sd=self._beta_sd(),
            residual=_residual(self.problem, self.theta)[2],
        )

    def _beta_sd(self) -> FloatArray:
        trend, factor, _ = _residual(self.problem, self.theta)
        design = _design(self.problem, trend, factor)
        q = self.n_ridge
        in_use = np.ones(self.theta.shape, dtype=bool)
        in_use[:, q:] = self.theta[:, q:] != 0
        design *= in_use[:, None, :]
        gram = np.matmul(design.transpose(0, 2, 1), design)
        variance = self.sigma**2
        extra = np.where(in_use, 0.0, 1.0)
        extra[:, :q] += variance[:, None] * self.ridge
        n = gram.shape[1]
        gram[:, np.arange(n), np.arange(n)] += extra
        inverse = np.linalg.inv(gram)
        spread = np.sqrt(np.maximum(np.einsum("bii->bi", inverse)[:, 2:q], 0))
        return np.asarray(spread * self.sigma[:, None])


def _residual(problem: Problem, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Trend, what it is multiplied by, and y less the mean; the last two zero in padding."""
    n_terms = problem.centre.shape[1]
    beta, delta = theta[:, 2 : 2 + n_terms], theta[:, 2 + n_terms :]
    slope = theta[:, 0] * problem.has_slope
    trend = theta[:, 1, None] + slope[:, None] * problem.t
    trend = trend + np.matmul(problem.hinge, delta[:, :, None])[:, :, 0]
    added = np.matmul(problem.x, (beta * ~problem.is_multiplicative)[:, :, None])[:, :, 0]
    times = 1 + np.matmul(problem.x, (beta * problem.is_multiplicative)[:, :, None])[:, :, 0]
    factor = times * problem.is_row
    return trend, factor, (problem.y - added) * problem.is_row - trend * factor


def _term_effect(problem: Problem, trend: FloatArray) -> FloatArray:
    """Change of the mean per unit of each coefficient, zero in padding."""
    if not problem.is_multiplicative.any():
        return problem.x * problem.is_row[:, :, None]
    by = np.where(problem.is_multiplicative, trend[:, :, None], 1.0)
    return np.asarray(problem.x * by * problem.is_row[:, :, None])


def _design(problem: Problem, trend: FloatArray, factor: FloatArray) -> FloatArray:
    """The derivatives of the mean: k, m, beta, delta side by side."""
    slope = (problem.t * factor * problem.has_slope[:, None])[:, :, None]
    hinge = problem.hinge * factor[:, :, None]
    x = _term_effect(problem, trend)
    return np.concatenate([slope, factor[:, :, None], x, hinge], axis=2)


def _penalty(problem: Problem, theta: FloatArray) -> FloatArray:
    n_terms = problem.centre.shape[1]
    beta, delta = theta[:, 2 : 2 + n_terms], theta[:, 2 + n_terms :]
    off = (beta - problem.centre) / problem.spread
    trend = _TREND_RIDGE * (theta[:, :2] ** 2).sum(axis=1)
    return np.asarray((trend + (off**2).sum(axis=1)) / 2 + np.abs(delta).sum(axis=1) / problem.tau)


def _best_sigma(rss: FloatArray, n_rows: FloatArray) -> FloatArray:
    """The root of 4 s^4 + n s^2 - rss, where the objective is least in sigma."""
    root = (-n_rows + np.sqrt(n_rows**2 + 16 * rss)) / 8
    return np.asarray(np.maximum(np.sqrt(np.maximum(root, 0)), MIN_SIGMA))
