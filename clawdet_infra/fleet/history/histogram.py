"""Counts of latencies in slots that grow by a constant factor, so that adding two of them is exact.

The value of a slot is at most `RELATIVE_ERROR` away from every latency in it, however many histograms were added, so a
percentile of a roll-up is as good as one of a single hour.  (The slots are those of DDSketch, VLDB 2019.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

RELATIVE_ERROR = 0.02
"""How far a percentile may be from the true one, as a share of it, for latencies from `SMALLEST_MICROSECONDS` up."""
SMALLEST_MICROSECONDS = 100
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)

Histogram = dict[int, int]
"""How many latencies are in each slot; slots without any are left out."""


def slot_of(microseconds: int) -> int:
    """Return the slot of a latency.  All that is shorter than `SMALLEST_MICROSECONDS` is in slot 0."""
    if microseconds <= SMALLEST_MICROSECONDS:
        return 0
    return math.ceil(math.log(microseconds / SMALLEST_MICROSECONDS) / _LOG_GAMMA)


def seconds_of(slot: int) -> float:
    """Return the latency, in seconds, that stands for all of a slot."""
    return SMALLEST_MICROSECONDS * 1e-6 * 2 * _GAMMA**slot / (_GAMMA + 1)


def percentile(histogram: Mapping[int, int], share: float) -> float | None:
    """Return the latency in seconds that this share of all latencies does not exceed; None where there are none.

    It stands for the element at floor(share * (count - 1)) of the sorted latencies.
    """
    count = sum(histogram.values())
    rank = math.floor(share * (count - 1))
    seen = 0
    for slot in sorted(histogram):
        seen += histogram[slot]
        if seen > rank:
            return seconds_of(slot)
    return None


def encode(histogram: Mapping[int, int]) -> bytes:
    """Return a histogram as bytes: for each slot its distance to the one before, and its count, 7 bits a byte."""
    out = bytearray()
    before = 0
    for slot in sorted(histogram):
        _append(out, slot - before)
        _append(out, histogram[slot])
        before = slot
    return bytes(out)


def decode(data: bytes) -> Histogram:
    """Return what `encode` was given."""
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    histogram: Histogram = {}
    slot = 0
    for distance, count in zip(numbers[::2], numbers[1::2], strict=True):
        slot += distance
        histogram[slot] = count
    return histogram


def _append(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
