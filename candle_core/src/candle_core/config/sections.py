"""The tables that are the kernel's own: what may stand in them, and what holds if nothing does."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from candle_core.timeframes import parse_timeframe

LOCAL_CACHES: Final = ("memory", "file")
"""Caches that need no extension."""
LOCAL_BUDGET: Final = "file"
"""The budget's store that needs none."""

_Seconds = Annotated[float, Field(gt=0, le=10 * 366 * 86_400)]
"""Up to ten years: a moment that is further off cannot be written down as a date."""


class Defaults(BaseModel):
    """``[defaults]``: what a call may leave out.

    Attributes:
        exchange, tradetype: of a market that is given by its name.
        timeframes: in which an active update keeps each market.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    exchange: str | None = None
    tradetype: str | None = None
    timeframes: tuple[str, ...] = Field(default=("1d",), min_length=1)

    @field_validator("timeframes")
    @classmethod
    def _are_timeframes(cls, timeframes: tuple[str, ...]) -> tuple[str, ...]:
        for timeframe in timeframes:
            parse_timeframe(timeframe)
        return timeframes


class Collecting(BaseModel):
    """``[collect]``: how history is fetched.

    Attributes:
        concurrency: most requests of one symbol under way at once; None: as many as the provider says pay.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: PositiveInt | None = None


class Caching(BaseModel):
    """``[cache]``: where listings and precisions are remembered.

    Attributes:
        backend: ``memory`` (this process), ``file`` (all processes of this machine), or an extension that offers a
            cache (``redis``).
        ttl: seconds for which a listing is believed.
        keep: seconds for which one that is older still stands in for an exchange that does not answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: str = "memory"
    ttl: _Seconds = 6 * 3_600.0
    keep: _Seconds = 7 * 86_400.0


class Budgeting(BaseModel):
    """``[budget]``: who shares the counts of limits.

    Attributes:
        backend: ``file`` (all processes of this machine), or an extension that offers a store (``redis``: all machines
            behind one address).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: str = "file"
