"""Text similarity by MinHash over character shingles, in bands that a database index finds. Pure.

Broder (1997), "On the resemblance and containment of documents", for the signature; Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", section 3.4, for the bands. With four bands of three rows, two texts share a band with
probability 0.94 if their Jaccard similarity is 0.8, 0.62 if it is 0.6, and 0.10 if it is 0.3. With sixteen bands, for
uses that must miss as few as possible, these are 0.99998, 0.98 and 0.35.
"""

import re
import zlib

import numpy as np
import numpy.typing as npt

BANDS, MOST_BANDS, ROWS = 4, 16, 3
SHINGLE = 5
READ_CHARACTERS = 2_000
MIN_SIMILARITY = 0.6
"""Texts of at least this Jaccard similarity are near-duplicates."""

_PLACES = np.arange(0, 8 * SHINGLE, 8, dtype=np.uint64)
_NUMBERS = re.compile(r"\d+")
_OTHER = re.compile(r"[\W_]+")
# Any fixed odd numbers work. They must never change, because stored bands depend on them.
_FACTORS = np.array(
    [0x9E3779B97F4A7C15 * (2 * row + 1) & (2**61 - 1) | 1 for row in range(MOST_BANDS * ROWS)], np.uint64
)
_SHIFTS = np.array([0xC2B2AE3D27D4EB4F * (row + 1) & (2**61 - 1) for row in range(MOST_BANDS * ROWS)], np.uint64)


def shingles(text: str) -> frozenset[int]:
    """The text's overlapping sequences of SHINGLE bytes; digits become 0, case and punctuation are ignored."""
    plain = _OTHER.sub(" ", _NUMBERS.sub("0", text[:READ_CHARACTERS].casefold())).strip() or text[:READ_CHARACTERS]
    encoded = np.frombuffer(plain.encode(errors="replace").ljust(SHINGLE, b"\0"), np.uint8).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(encoded, SHINGLE)
    return frozenset((windows << _PLACES).sum(axis=1, dtype=np.uint64).tolist())


def bands(hashes_of_text: frozenset[int], number: int = BANDS) -> tuple[int, ...]:
    """`number` signed 64-bit integers: texts that share one are candidates. A smaller number gives a prefix."""
    hashes, rows = np.fromiter(hashes_of_text, np.uint64, len(hashes_of_text)), number * ROWS
    signature = _mixed(hashes[:, None] * _FACTORS[:rows] + _SHIFTS[:rows]).min(axis=0).reshape(number, ROWS)
    return tuple(int(zlib.crc32(row.tobytes()) << 31 ^ zlib.crc32(row.tobytes()[::-1])) for row in signature)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix all bits (MurmurHash3's finaliser); a product alone leaves the low bits unmixed."""
    values = values ^ (values >> np.uint64(33))
    values = values * np.uint64(0xFF51AFD7ED558CCD)
    return values ^ (values >> np.uint64(33))


def similarity(first: frozenset[int], second: frozenset[int]) -> float:
    """The Jaccard similarity of two sets of shingles, in [0, 1]."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)


def are_near_duplicates(first: frozenset[int], second: frozenset[int]) -> bool:
    return similarity(first, second) >= MIN_SIMILARITY
