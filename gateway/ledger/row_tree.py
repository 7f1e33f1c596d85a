"""The tree of a day's rows: its root, under the day's seal, commits to each row numbered since the seal before (decision 060).

A leaf is the SHA-256 of a row and its salt, or, for a number that no row has, octets that look like one. Leaves stand in an
order that only the gateway's key gives, so that a place tells nothing of when a row was booked. Branches are RFC 9162's, but
that one which is alone at the end of a level goes up as it is. Of the tree the roots of small subtrees are kept: the leaves
below one are made again from the rows, when a way to the root is asked for.
"""

import hashlib
import mmap
import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

HASH: Final = 32
SMALLEST: Final = 8
"""The height of a kept subtree, at least: 256 leaves, 1.5 ms to be made again."""
MOST_ROOTS: Final = 16
"""A power of two: as many subtrees are kept of a day at most, 2 MiB; the largest days have higher ones in return."""
MOST: Final = 1 << 26
"""Numbers of a tree at most: of a first one of a large store the latest, as each takes 32 octets while it is made."""
WINDOW_BITS: Final = 10
"""Numbers are looked at in windows of so many; one without a row is left out (a start skips up to a million numbers, the
restore of a backup 65,536 for each second that is lost)."""
ROUNDS: Final = 4
IN_MEMORY: Final = 1 << 25
"""Octets of leaves up to which no file is made for them."""


def joined(left: bytes, right: bytes) -> bytes:
    """Join two branches."""
    return hashlib.sha256(b"\1" + left + right).digest()


def levels_of(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return every level of a tree, the leaves first, the root last."""
    found = [list(leaves)]
    while len(found[-1]) > 1:
        level = found[-1]
        above = [joined(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        found.append([*above, level[-1]] if len(level) % 2 else above)
    return found


def beside(levels: Sequence[Sequence[bytes]], place: int) -> list[bytes]:
    """Return the branches beside the way from a place to the root."""
    found = []
    for level in levels[:-1]:
        if place ^ 1 < len(level):
            found.append(level[place ^ 1])
        place //= 2
    return found


def root_of(width: int, roots: bytes) -> bytes:
    """Return what a seal says of a tree: a hash of how many leaves there are and of their root, from the kept subtrees."""
    top = levels_of([roots[i : i + HASH] for i in range(0, len(roots), HASH)])[-1][0]
    return hashlib.sha256(b"\4" + width.to_bytes(8, "big") + top).digest()


def height_of(width: int) -> int:
    """Return the height of the kept subtrees of a tree."""
    return max(SMALLEST, (width - 1).bit_length() - MOST_ROOTS)


class Numbers:
    """The numbers that a tree is of, in their order: a few ranges of them, `[first, last]` each."""

    def __init__(self, ranges: Sequence[Sequence[int]]) -> None:
        """Take the ranges, lowest first."""
        self._firsts = [low for low, _ in ranges]
        self._before = [0, *accumulate(high - low + 1 for low, high in ranges)]
        self.width = self._before[-1]

    def place_of(self, number: int) -> int | None:
        """Return the how manieth a number is, from 0; None where it is none of them."""
        i = bisect_right(self._firsts, number) - 1
        if i < 0 or number - self._firsts[i] >= self._before[i + 1] - self._before[i]:
            return None
        return self._before[i] + number - self._firsts[i]

    def at(self, place: int) -> int:
        """Return the number at a place."""
        i = bisect_right(self._before, place) - 1
        return self._firsts[i] + place - self._before[i]


class Shuffle:
    """A permutation of places that a key gives: a Feistel network over tables, walked until it comes back within the width."""

    def __init__(self, key: bytes, width: int) -> None:
        """Take the key, and how many places there are."""
        bits = max((width - 1).bit_length(), 2)
        self._width, self._low = width, bits - bits // 2
        self._mask = (1 << self._low) - 1
        sizes = [self._low, bits // 2] * (ROUNDS // 2)
        octets = hashlib.shake_256(key).digest(sum(4 << size for size in sizes))
        self._tables, at = [], 0
        for size, wide in zip(sizes, reversed(sizes), strict=True):
            words = array("I", octets[at : at + (4 << size)])
            self._tables.append([word & ((1 << wide) - 1) for word in words])
            at += 4 << size

    def place_of(self, index: int) -> int:
        """Return where something goes."""
        one, two, three, four = self._tables
        low, mask, width = self._low, self._mask, self._width
        while True:
            left, right = index >> low, index & mask
            left ^= one[right]
            right ^= two[left]
            left ^= three[right]
            right ^= four[left]
            index = left << low | right
            if index < width:
                return index

    def at(self, place: int) -> int:
        """Return what came to a place."""
        one, two, three, four = self._tables
        low, mask, width = self._low, self._mask, self._width
        while True:
            left, right = place >> low, place & mask
            right ^= four[left]
            left ^= three[right]
            right ^= two[left]
            left ^= one[right]
            place = left << low | right
            if place < width:
                return place


class Leaves:
    """The leaves of a tree while it is made: 32 octets each, as many as a day has numbers; those of a large one in a file."""

    def __init__(self, width: int) -> None:
        """Make room for so many; OSError where the disk has none."""
        self._width, size = width, width * HASH
        self._octets: bytearray | mmap.mmap
        if size <= IN_MEMORY:
            self._octets = bytearray(size)
            return
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a disk that gets full later would end the process by a signal
            self._octets = mmap.mmap(file.fileno(), size)

    def put(self, place: int, leaf: bytes) -> None:
        """Put a leaf where it belongs."""
        self._octets[place * HASH : (place + 1) * HASH] = leaf

    def roots(self) -> bytes:
        """Return the roots of the subtrees that are kept, one after the other."""
        step, found = HASH << height_of(self._width), []
        for begin in range(0, len(self._octets), step):
            octets = self._octets[begin : begin + step]
            found.append(levels_of([bytes(octets[i : i + HASH]) for i in range(0, len(octets), HASH)])[-1][0])
        return b"".join(found)
