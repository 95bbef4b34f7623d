"""Chance without a generator's state: every draw is a hash of (seed, stream, index).

The same arguments give the same integers on every machine: 64-bit integer
arithmetic wraps the same way everywhere, and of floating point only operations
are used whose result IEEE 754 fixes to the last bit (+, -, x, /, square root).
The two tables that need a logarithm or an exponential are rounded to integers,
and refuse a value so near to a rounding boundary that a platform could differ.

The hash is the output function of SplitMix64 (Steele, Lea, Flood 2014,
doi 10.1145/2660193.2660195), applied to a counter.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

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


def stream_key(seed: int, stream: str) -> int:
    """The 64-bit key of a named stream of draws under a seed."""
    key = mix(seed + GOLDEN)
    for byte in stream.encode("utf-8"):
        key = mix((key ^ byte) + GOLDEN)
    return key


def draw(key: int, index: Ints) -> Words:
    """One uniform 64-bit word for each index (any shape) of a stream."""
    words: Words = index.astype(np.uint64)
    words *= np.uint64(GOLDEN)
    words += np.uint64(key)
    spare = words >> np.uint64(30)
    words ^= spare
    words *= np.uint64(_FIRST)
    np.right_shift(words, np.uint64(27), out=spare)
    words ^= spare
    words *= np.uint64(_SECOND)
    np.right_shift(words, np.uint64(31), out=spare)
    words ^= spare
    return words


def draw_one(key: int, index: int) -> int:
    """The word that `draw` gives for one index, as a Python integer."""
    return mix(index * GOLDEN + key)


def below(words: Words, limit: int) -> Ints:
    """Integers in [0, limit), from the high 32 bits of each word; limit < 2**31."""
    return (((words >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)).astype(
        np.int64
    )


def below_each(words: Words, limits: Ints) -> Ints:
    """The same with a limit of its own for each word."""
    scaled = (words >> np.uint64(32)) * limits.astype(np.uint64)
    return (scaled >> np.uint64(32)).astype(np.int64)


def shuffled(key: int, count: int) -> Ints:
    """The integers 0 to count - 1 in the order of their hashes."""
    return np.argsort(draw(key, np.arange(count)), kind="stable")


def rounded(value: float) -> int:
    """The nearest integer; an error where platforms could disagree on it.

    Raises:
        ArithmeticError: the value is too near to a half for a library's last digit.
    """
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
    """Normal quantiles in units of 1 / NORMAL_ONE, indexed by NORMAL_BITS bits."""
    return np.array(
        [rounded(value * NORMAL_ONE) for value in _quantiles(NORMAL_BITS)],
        dtype=np.int32,
    )


def normal(words: Words) -> NDArray[np.int32]:
    """A normal deviate in units of 1 / NORMAL_ONE for each word (its top bits)."""
    return normal_table()[(words >> np.uint64(64 - NORMAL_BITS)).astype(np.int64)]


@cache
def lognormal_table(median: float, sigma: float, scale: int = 1) -> Ints:
    """Quantiles of a lognormal, times scale, indexed by QUANTILE_BITS bits."""
    return np.array(
        [
            rounded(scale * median * math.exp(sigma * z))
            for z in _quantiles(QUANTILE_BITS)
        ],
        dtype=np.int64,
    )


def lognormal(words: Words, median: float, sigma: float, scale: int = 1) -> Ints:
    """A lognormal deviate, times scale, for each word (its top bits)."""
    index = (words >> np.uint64(64 - QUANTILE_BITS)).astype(np.int64)
    return lognormal_table(median, sigma, scale)[index]


def rank_weights(count: int, offset: int) -> Ints:
    """Integer weights near (rank + offset) ** -1.7, about 2**20 for rank 0.

    The power 1.6953125 is made of square roots alone, which are exact to the last
    bit everywhere; a library's pow() is not.
    """
    ratio = np.arange(offset, offset + count, dtype=np.float64) / offset
    half = np.sqrt(ratio)
    eighth = np.sqrt(np.sqrt(half))
    sixteenth = np.sqrt(eighth)
    one_of_128 = np.sqrt(np.sqrt(np.sqrt(sixteenth)))
    power = ratio * half * eighth * sixteenth * one_of_128
    return np.floor((1 << 20) / power).astype(np.int64) + 1


def pick_table(weights: Ints, bits: int) -> NDArray[np.int32]:
    """A table of 2**bits entries that holds each index in proportion to its weight.

    A uniform index into it is a draw by weight. Rounding is cumulative, so the
    table is always full; weights must add up to less than 2**(63 - bits).
    """
    cumulative = np.cumsum(weights)
    bounds = cumulative * np.int64(1 << bits) // cumulative[-1]
    counts = np.diff(bounds, prepend=0)
    return np.repeat(np.arange(len(weights), dtype=np.int32), counts)


def pick(table: NDArray[np.int32], words: Words) -> Ints:
    """An entry of a pick table (its length a power of two) for each word."""
    bits = len(table).bit_length() - 1
    return table[(words >> np.uint64(64 - bits)).astype(np.int64)].astype(np.int64)
