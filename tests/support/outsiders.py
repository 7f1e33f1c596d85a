"""What an outsider does who has all that leaves about giving: a subset solver, an integer programme, sparse regression."""

import os
from math import comb

import numpy as np

SECONDS = float(os.environ.get("TPO_OUTSIDER_SECONDS", "0.5"))
"""What a solver may take of its own accord; in the time that it has it names somebody, or nobody."""


def subset(values, target):
    """Every set of rows of `values` (integers) whose sum is `target`: all halves on each side, met in the middle."""
    middle = len(values) // 2
    left, right = _sums(values[:middle]), _sums(values[middle:])
    known = {tuple(row): place for place, row in enumerate(right)}
    found = [(place, known.get(tuple(target - row))) for place, row in enumerate(left)]
    return [_members(a, 0) | _members(b, middle) for a, b in found if b is not None]


def _sums(values):
    sums = np.zeros((1, values.shape[1]), dtype=np.int64)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def _members(bits, first):
    return {first + place for place in range(bits.bit_length()) if bits >> place & 1}


def matching_pursuit(tenths, told, picks):
    """Orthogonal matching pursuit: the lines (columns) whose tenths, row by row, explain what was told best, one by one."""
    columns, rest = tenths - tenths.mean(0), told - told.mean()
    norms, aim, chosen = np.linalg.norm(columns, axis=0) + 1e-12, rest, []
    for _ in range(min(picks, len(told) - 2)):
        fit = np.abs(columns.T @ rest) / norms
        fit[chosen] = -1
        chosen.append(int(fit.argmax()))
        weights, *_ = np.linalg.lstsq(columns[:, chosen], aim, rcond=None)
        rest = aim - columns[:, chosen] @ weights
    return chosen


def linear_relaxation(tenths, told, picks, seconds=SECONDS):
    """The fewest lines, whole or in part, whose running sums lie where the told ones do: the most certain of them."""
    from scipy.optimize import linprog  # takes longest of all that tests import, and one worker needs it

    running, reached = np.cumsum(tenths, axis=0), np.cumsum(told)
    found = linprog(
        np.ones(tenths.shape[1]), A_ub=np.vstack([running, -running]), b_ub=np.concatenate([reached + 1, -reached]),
        bounds=(0, 1), method="highs", options={"time_limit": seconds},
    )  # fmt: skip
    return [] if found.x is None else [int(line) for line in np.argsort(-found.x)[:picks]]


def integer_programme(tenths, told, picks, seconds=SECONDS):
    """The fewest whole lines whose running sums lie where the told ones do, if that is found in time."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    running, reached = np.cumsum(tenths, axis=0), np.cumsum(told)
    number = tenths.shape[1]
    found = milp(
        np.ones(number), constraints=LinearConstraint(running, reached, reached + 1), integrality=np.ones(number),
        bounds=Bounds(0, 1), options={"time_limit": seconds},
    )  # fmt: skip
    return [] if found.x is None else [int(line) for line in np.flatnonzero(found.x > 0.5)[:picks]]


def luck(hits, picks, givers, lines):
    """The probability that so many of the lines picked are givers, or more, for who draws them blindly."""
    ways = sum(comb(givers, n) * comb(lines - givers, picks - n) for n in range(hits, min(picks, givers) + 1))
    return ways / comb(lines, picks)
