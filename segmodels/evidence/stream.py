"""Numbers in one xz stream: what packed counts are written with, and read without trust."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segmodels.core.files import canonical_json

#: The most that a stream may unpack to, so that a small one from somebody else cannot fill the
#: memory: bytes of its first line, places for counts, counts that are not zero. The 5,000 images
#: of COCO-Stuff have 147 million places and a million such counts.
_HEAD, _PLACES, _FILLED = 2**24, 2**31, 2**26
#: The last place that gaps may lead to: ImageNet has fifty thousand million.
_FURTHEST = 2.0**60
_PRESET = 9 | lzma.PRESET_EXTREME
#: Bytes of bits above which gaps are written; unpacking bits takes eight times as many.
_MOST_BITS = 2**26


def packed(head: Mapping[str, Any], body: bytes) -> bytes:
    """An xz stream of a line of JSON and what follows it."""
    return lzma.compress(canonical_json(head).encode() + b"\n" + body, preset=_PRESET)


def width_of(numbers: NDArray[Any]) -> int:
    """How many bytes the largest takes."""
    return (int(numbers.max(initial=0)).bit_length() + 7) // 8


def planes(numbers: NDArray[Any], width: int) -> bytes:
    """The lowest bytes of all numbers, then the next ones."""
    return numbers.astype("<u8").view(np.uint8).reshape(-1, 8).T[:width].tobytes()


def filled(
    place: NDArray[np.int64], count: NDArray[np.uint64], places: int
) -> tuple[dict[str, Any], bytes]:
    """Counts at some of many places, as fields of a head and the bytes that they tell of.

    First a bit for each place that says whether it has a count, then the counts by place, their
    lowest bytes first. Where the bits would be very many, `gaps` stand in their stead: how many
    places are empty before each count.

    Args:
        place: of each count, in any order, none twice.
        count: none is zero.
        places: how many there are.
    """
    order = np.argsort(place)
    head = {"bytes": width_of(count)}
    if (size := -(-places // 8)) <= _MOST_BITS:
        where = _bits(place, size)
    else:
        gaps = np.diff(place[order], prepend=-1) - 1
        head |= {"gaps": width_of(gaps), "counts": len(gaps)}
        where = planes(gaps, head["gaps"])
    return head, where + planes(count[order], head["bytes"])


def _bits(place: NDArray[np.int64], size: int) -> bytes:
    """A bit for each place, the first the highest of its byte."""
    bits = np.zeros(size, np.uint8)
    np.bitwise_or.at(bits, place // 8, (128 >> (place % 8)).astype(np.uint8))
    return bits.tobytes()


class Stream:
    """What one xz stream holds, taken out in pieces (ValueError if it is broken or another size).

    Of each piece no more is unpacked than was asked for.
    """

    def __init__(self, block: bytes) -> None:
        self._stream = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
        self._block, self._before = block, b""

    def head(self) -> dict[str, Any]:
        """The first line."""
        line, end, self._before = self._more(_HEAD).partition(b"\n")
        if not end:
            raise ValueError("no line of JSON at the beginning")
        head: dict[str, Any] = json.loads(line)
        return head

    def filled(
        self, head: Mapping[str, Any], places: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """What `filled` wrote: places, ascending below `places`, and counts. Nothing may follow."""
        place = self._by_gaps(head, places) if "gaps" in head else self._by_bits(places)
        count = self.numbers(int(head["bytes"]), len(place))
        self._end()
        return place, count

    def _by_bits(self, places: int) -> NDArray[np.int64]:
        if not 0 <= places <= _PLACES:
            raise ValueError(f"{places} cells of all images")
        bits = np.frombuffer(self._read(-(-places // 8)), np.uint8)
        if (number := int(np.bitwise_count(bits).sum())) > _FILLED:
            raise ValueError(f"{number} counts")
        return np.flatnonzero(np.unpackbits(bits, count=places))

    def _by_gaps(self, head: Mapping[str, Any], places: int) -> NDArray[np.int64]:
        gaps = self.numbers(int(head["gaps"]), int(head["counts"]))
        if gaps.sum(dtype=np.float64) < _FURTHEST:  # else their sum could wrap around
            place = np.cumsum(gaps.astype(np.int64) + 1) - 1
            if not len(place) or place[-1] < places:
                return place
        raise ValueError(f"a count beyond the {places} cells of all images")

    def numbers(self, width: int, number: int) -> NDArray[np.uint64]:
        """So many numbers, from their lowest bytes and the next ones."""
        if not 0 <= width <= 8 or not 0 <= number <= _FILLED:
            raise ValueError(f"{number} numbers of {width} bytes")
        found = np.zeros((number, 8), np.uint8)
        every = np.frombuffer(self._read(width * number), np.uint8)
        found[:, :width] = every.reshape(width, number).T
        return found.view("<u8")[:, 0].astype(np.uint64)

    def _read(self, size: int) -> bytes:
        """The next bytes."""
        found, self._before = self._before[:size], self._before[size:]
        while len(found) < size and (more := self._more(size - len(found))):
            found += more
        if len(found) < size:
            raise ValueError(f"{len(found)} bytes where {size} should stand")
        return found

    def _end(self) -> None:
        """Nothing may follow."""
        if self._before or self._more(1) or not self._stream.eof or self._stream.unused_data:
            raise ValueError("more than its head tells, or not one xz stream")

    def _more(self, most: int) -> bytes:
        block, self._block = self._block, b""
        try:
            return b"" if self._stream.eof else self._stream.decompress(block, most)
        except (lzma.LZMAError, EOFError) as error:
            raise ValueError(str(error)) from None
