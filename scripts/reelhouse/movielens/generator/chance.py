"""Random draws without a generator's state: each is a hash of (seed, stream, index).

The same arguments give the same integers on every machine: 64-bit integer
arithmetic wraps the same way everywhere, and of floating point only operations
are used whose result IEEE 754 fixes to the last bit (+, -, x, /, square root).
The two tables that need a logarithm or an exponential are rounded to integers,
and reject a value so near to a rounding boundary that platforms could differ.

The hash is the output function of SplitMix64 (Steele, Lea, Flood 2014,
doi 10.1145/2660193.2660195), applied to a counter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
T = TypeVar("T")

GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_MASK = (1 << 64) - 1

NORMAL_BITS = 16
NORMAL_ONE = 4096
QUANTILE_BITS = 12


def mix(value: int) -> int:
    """SplitMix64's output function of one integer, as a Python integer."""
    value &= _MASK
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return value ^ (value >> 31)


@cache
def stream_key(seed: int, stream: str) -> int:
    """The 64-bit key of a named stream of draws under a seed."""
    key = mix(seed + GOLDEN)
    for byte in stream.encode("utf-8"):
        key = mix((key ^ byte) + GOLDEN)
    return key


class Dice:
    """Draws in sequence for one item: a counter over its own part of a stream."""

    def __init__(self, seed: int, stream: str, item: int = 0) -> None:
        self._key = stream_key(seed, stream)
        self._next = item << 10

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        self._next += 1
        return (mix(self._next * GOLDEN + self._key) >> 32) * limit >> 32

    def choose(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]


@dataclass(frozen=True)
class Draws:
    """Uniform 64-bit words (any shape), whose high bits become random values."""

    words: Words

    @property
    def high(self) -> Ints:
        """The high 32 bits."""
        return (self.words >> np.uint64(32)).astype(np.int64)

    def more(self, bits: int) -> Draws:
        """Return the draws that are left in the words after `bits` high bits."""
        return Draws(self.words << np.uint64(bits))

    def below(self, limit: int | Ints) -> Ints:
        """Integers in [0, limit); limit < 2**31 is one number, or one for each word."""
        return self.high * limit >> 32

    def of(self, table: NDArray[np.int32] | Ints) -> Ints:
        """An entry of a table (its length a power of two) for each word."""
        bits = len(table).bit_length() - 1
        return table[(self.words >> np.uint64(64 - bits)).astype(np.int64)].astype(
            np.int64
        )

    def normal(self, sigma: int) -> Ints:
        """Normal deviates, as whole numbers."""
        return self.of(normal_table()) * sigma // NORMAL_ONE

    def lognormal(self, median: float, sigma: float, scale: int = 1) -> Ints:
        """Lognormal deviates, times scale."""
        return self.of(lognormal_table(median, sigma, scale))


def draw(seed: int, stream: str, index: Ints) -> Draws:
    """A draw for each index (any shape) of a stream."""
    words: Words = index.astype(np.uint64)
    words *= np.uint64(GOLDEN)
    words += np.uint64(stream_key(seed, stream))
    spare = words >> np.uint64(30)
    words ^= spare
    words *= np.uint64(_FIRST)
    np.right_shift(words, np.uint64(27), out=spare)
    words ^= spare
    words *= np.uint64(_SECOND)
    np.right_shift(words, np.uint64(31), out=spare)
    words ^= spare
    return Draws(words)


def shuffled(seed: int, stream: str, count: int) -> Ints:
    """The integers 0 to count - 1 in the order of their hashes."""
    return np.argsort(draw(seed, stream, np.arange(count)).words, kind="stable")


def rounded(value: float) -> int:
    """Return the nearest integer; raise ArithmeticError if platforms could disagree."""
    if abs(value - math.floor(value) - 0.5) < max(1e-9, abs(value) * 1e-14):
        raise ArithmeticError(f"{value!r} is too near to a rounding boundary")
    return math.floor(value + 0.5)


def _quantiles(bits: int) -> list[float]:
    """Standard normal quantiles at the middles of 2**bits equal shares."""
    inverse = NormalDist().inv_cdf
    count = 1 << bits
    upper = [inverse((2 * i + 1) / (2 * count)) for i in range(count // 2, count)]
    return [-value for value in reversed(upper)] + upper


@cache
def normal_table() -> NDArray[np.int32]:
    """Normal quantiles in units of 1 / NORMAL_ONE."""
    return np.array(
        [rounded(value * NORMAL_ONE) for value in _quantiles(NORMAL_BITS)],
        dtype=np.int32,
    )


@cache
def lognormal_table(median: float, sigma: float, scale: int = 1) -> Ints:
    """Quantiles of a lognormal, times scale."""
    return np.array(
        [
            rounded(scale * median * math.exp(sigma * z))
            for z in _quantiles(QUANTILE_BITS)
        ],
        dtype=np.int64,
    )


def rank_weights(count: int, offset: int) -> Ints:
    """Integer weights near (rank + offset) ** -1.7, about 2**20 for rank 0.

    The power 1.6953125 is made of square roots only, which are exact to the last bit
    on every platform; a library's pow() is not.
    """
    ratio = np.arange(offset, offset + count, dtype=np.float64) / offset
    half = np.sqrt(ratio)
    eighth = np.sqrt(np.sqrt(half))
    sixteenth = np.sqrt(eighth)
    one_of_128 = np.sqrt(np.sqrt(np.sqrt(sixteenth)))
    power = ratio * half * eighth * sixteenth * one_of_128
    return np.floor((1 << 20) / power).astype(np.int64) + 1


def pick_table(weights: Sequence[int] | Ints, bits: int) -> NDArray[np.int32]:
    """A table of 2**bits entries that holds each index in proportion to its weight.

    A uniform index into it is a draw by weight. Rounding is cumulative, so the
    table is always full; weights must add up to less than 2**(63 - bits).
    """
    cumulative = np.cumsum(weights)
    bounds = cumulative * np.int64(1 << bits) // cumulative[-1]
    counts = np.diff(bounds, prepend=0)
    return np.repeat(np.arange(len(weights), dtype=np.int32), counts)
