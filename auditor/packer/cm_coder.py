"""The arithmetic coder of the context-mixing carrier: bits to digits of a text alphabet and back, without an escape.

A digit is one character of the shim. The raw alphabet has 254 (every latin-1 character but NUL and CR), the ASCII one
126."""

from __future__ import annotations

import math
from collections.abc import Iterable

from auditor.errors import BudgetExceeded, UnpackError
from auditor.packer.cm_model import CmParams, walk

RAW = 254
ASCII = 126
LOW = 1 << 24
"""The interval is widened by one digit whenever it falls below this."""


def digit(char: str, radix: int) -> int:
    """Return the value of one payload character (14 is digit 0; the characters below 13 follow the highest)."""
    return (ord(char) - 14) % (radix + 1)


def char(value: int, radix: int) -> str:
    """Return the character of one digit."""
    return chr((value + 14) % (radix + 2) + (value + 14 >= radix + 2))


class Encoder:
    """Record a known text as an interval; `digits` closes it."""

    def __init__(self, text: str, bits: int, radix: int) -> None:
        self.plan = [ord(c) >> shift & 1 for c in text for shift in range(bits - 1, -1, -1)]
        self.at = 0
        self.radix = radix
        self.low, self.range, self.count = 0, 1, 0

    def code(self, odds: int) -> int:
        while self.range < LOW:
            self.low *= self.radix
            self.range *= self.radix
            self.count += 1
        part = self.range * odds >> 16
        bit = self.plan[self.at]
        self.at += 1
        if bit:
            self.range = part
        else:
            self.low += part
            self.range -= part
        return bit

    def digits(self) -> str:
        """Return the payload: the shortest run of characters that names a number inside the interval."""
        return to_chars(self.low + self.range - 1, self.radix, self.count)


class Decoder:
    """Read the bits of a payload back."""

    def __init__(self, payload: str, radix: int) -> None:
        self.payload, self.radix = payload, radix
        self.at, self.value, self.range = 0, 0, 1

    def code(self, odds: int) -> int:
        while self.range < LOW:
            if self.at >= len(self.payload):
                raise UnpackError("the payload of the context-mixing shim ends too early")
            self.value = self.value * self.radix + digit(self.payload[self.at], self.radix)
            self.range *= self.radix
            self.at += 1
        part = self.range * odds >> 16
        if self.value < part:
            self.range = part
            return 1
        self.value -= part
        self.range -= part
        return 0


def to_chars(number: int, radix: int, count: int) -> str:
    """Spell `number` as `count` digits, most significant first (halving, so that long numbers stay fast)."""
    if count <= 32:
        chars = []
        for _ in range(count):
            number, value = divmod(number, radix)
            chars.append(char(value, radix))
        return "".join(reversed(chars))
    half = count // 2
    high, low = divmod(number, radix**half)
    return to_chars(high, radix, count - half) + to_chars(low, radix, half)


def width(number: int, radix: int) -> int:
    """Return how many digits `number` has, without multiplying up to it."""
    count = int(number.bit_length() / math.log2(radix))
    while radix**count <= number:
        count += 1
    while count and radix ** (count - 1) > number:
        count -= 1
    return count


def from_chars(chars: str, radix: int) -> int:
    """Return the number that `to_chars` spelled."""
    if len(chars) <= 32:
        number = 0
        for one in chars:
            number = number * radix + digit(one, radix)
        return number
    half = len(chars) // 2
    scale: int = radix**half
    return from_chars(chars[:-half], radix) * scale + from_chars(chars[-half:], radix)


def encode(text: str, params: CmParams, radix: int) -> str:
    """Return the payload characters of `text` (symbols below 2 ** bits)."""
    encoder = Encoder(text, params.bits, radix)
    walk(encoder, params)
    return encoder.digits()


def spell(text: str, bits: int, odds: Iterable[int], radix: int) -> str:
    """Return the payload characters of `text` under odds that were worked out before (`cm_survey`)."""
    encoder = Encoder(text, bits, radix)
    for one in odds:
        encoder.code(one)
    return encoder.digits()


def decode(payload: str, params: CmParams, radix: int, most_symbols: int) -> str:
    """Return the text of a payload.

    Raises BudgetExceeded where the shim announces more than `most_symbols`, UnpackError where the payload is cut short.
    """
    if params.length > most_symbols:
        raise BudgetExceeded("symbols of a context-mixing layer", most_symbols, params.length)
    return walk(Decoder(payload, radix), params)
