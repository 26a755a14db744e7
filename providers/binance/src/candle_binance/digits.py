"""Candles straight from the bytes of a body, eight digits at a time, without an object per number.

Binance writes every decimal with eight places, ``"42000.12345678"``. Eight digits are one 64-bit word, and a word of
digits becomes its number in three multiplications (D. Lemire, "Quickly parsing eight digits", 2018). Whole and
fraction together stay below 2**53, so that dividing by 10**8 gives the float nearest to the text.
"""

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint64]
Places: TypeAlias = NDArray[np.int64]

_FIELDS: Final = 12
_TIME, _CLOSE_TIME, _TRADES, _TAKER_QUOTE = 0, 6, 8, 10
_NAMES: Final = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")
_DECIMALS: Final = [1, 2, 3, 4, 5, 7, 9]
_TIME_DIGITS: Final = 13
_DIGITS: Final = 8
_UNIT: Final = 10**8
_EXACT: Final = 2**53


def _bytes(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101_0101_0101_0101)


_ZEROS, _ABOVE_NINE, _HIGH_BITS = _bytes(ord("0")), _bytes(0x80 - 10), _bytes(0x80)
_PAIRS: Final = np.uint64(0x0000_00FF_0000_00FF)


def columns(body: bytes) -> dict[str, NDArray[Any]] | None:
    """The columns of a klines body in its usual form; every byte that becomes a number is checked to be a digit.

    Returns:
        Columns by name, in the order of the wire: int64 open times (UTC ms) and trades, float64 for the rest. None when
        anything is not as usual: another form, nine digits before a point; then another reader decides.
    """
    if len(body) < 4 * _FIELDS or body[:2] != b"[[" or body[-2:] != b"]]":
        return None
    letters = np.frombuffer(body, np.uint8)
    commas = np.flatnonzero(letters == ord(","))
    if (len(commas) + 1) % _FIELDS:
        return None
    # A row for each field. The brackets of a candle belong to its first and last field, the quotes to their decimal.
    starts = np.append(1, commas + 1).reshape(-1, _FIELDS).T
    stops = np.append(commas, len(body) - 1).reshape(-1, _FIELDS).T
    quoted, unquoted = starts[_DECIMALS], stops[_DECIMALS] - 1
    points = unquoted - _DIGITS - 1
    time, time_stop, count = starts[_TIME] + 1, stops[_TIME], len(_DECIMALS)
    # First the numbers of any length, then those of eight digits.
    ends = np.vstack((points, stops[_TRADES], time_stop, time + _DIGITS, unquoted))
    lengths = np.vstack((points - quoted - 1, stops[_TRADES] - starts[_TRADES], time_stop - time - _DIGITS))
    if lengths.min() < 1 or lengths.max() > _DIGITS or (lengths[-1] != _TIME_DIGITS - _DIGITS).any():
        return None
    if any(
        (letters[places] != ord(letter)).any()
        for letter, places in (
            ("[", starts[_TIME]), ("]", stops[-1] - 1), ('"', quoted), (".", points), ('"', unquoted),
            ('"', starts[_TAKER_QUOTE]), ('"', stops[_TAKER_QUOTE] - 1),
        )
    ):  # fmt: skip
        return None
    numbers = _numbers(body, ends, lengths)
    if numbers is None or (stops[_CLOSE_TIME] - starts[_CLOSE_TIME] != _TIME_DIGITS).any():
        return None
    whole, (trades, time_low, time_high), fraction = np.split(numbers, (count, count + 3))
    units = whole * _UNIT + fraction
    if units.max() >= _EXACT:
        return None
    times = time_high * 10 ** (_TIME_DIGITS - _DIGITS) + time_low
    return {"open_time": times, "trades": trades, **dict(zip(_NAMES, units / _UNIT, strict=True))}


def _numbers(body: bytes, ends: Places, lengths: Places) -> Places | None:
    """The numbers that end before these places, or None when something in them is no digit.

    Args:
        body: where they stand.
        ends: one row of places for each field.
        lengths: how many digits, one to eight, for the first of these rows; the numbers of the others have eight.
    """
    # The word at every byte, whatever its alignment; a view, no copy.
    every: Words = np.ndarray((len(body) - 7,), np.dtype("<u8"), buffer=body, strides=(1,))
    words = every[ends - _DIGITS]
    words ^= _ZEROS
    # What stands before the first digit is in the low bytes: out with it.
    idle = ((_DIGITS - lengths) << 3).view(np.uint64)
    words[: len(idle)] >>= idle
    words[: len(idle)] <<= idle
    if (((words + _ABOVE_NINE) | words) & _HIGH_BITS).any():
        return None
    words = words * np.uint64(10) + (words >> np.uint64(8))
    upper = words & _PAIRS
    upper *= np.uint64(100 + (1_000_000 << 32))
    words >>= np.uint64(16)
    words &= _PAIRS
    words *= np.uint64(1 + (10_000 << 32))
    words += upper
    words >>= np.uint64(32)
    return words.view(np.int64)
