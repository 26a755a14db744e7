"""The figures of one exchange and kind, while they grow."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from candle_core.statistics.histogram import Histogram
from candle_hookspecs import CallStatistics, Costs

Key: TypeAlias = tuple[str, str]
"""An exchange in upper case, and a kind."""

_PLAIN: Final = ("calls", "retries", "pauses", "hits", "misses", "rows", "size", "seconds")


@dataclass(slots=True)
class Counts:
    """See `CallStatistics`."""

    calls: int = 0
    retries: int = 0
    pauses: int = 0
    hits: int = 0
    misses: int = 0
    rows: int = 0
    size: int = 0
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)

    def spend(self, costs: Costs) -> None:
        """Count what was taken from limits."""
        for limit, cost in costs.items():
            self.spent[limit] = self.spent.get(limit, 0) + cost

    def fail(self, error: BaseException) -> None:
        """Count a call that ended so."""
        name = type(error).__name__
        self.errors[name] = self.errors.get(name, 0) + 1

    def add(self, other: "Counts") -> None:
        """Count what another has counted."""
        for name in _PLAIN:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.spend(other.spent)
        for name, count in other.errors.items():
            self.errors[name] = self.errors.get(name, 0) + count
        self.latency.merge(other.latency)

    def to_json(self) -> dict[str, Any]:
        """Everything, in values that JSON knows; what is zero or empty is left out."""
        plain = {name: getattr(self, name) for name in (*_PLAIN, "spent", "errors")}
        buckets = {str(bucket): count for bucket, count in self.latency.counts.items()}
        return {name: value for name, value in (plain | {"latency": buckets}).items() if value}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> "Counts":
        """The other way round."""
        latency = Histogram({int(bucket): count for bucket, count in values.get("latency", {}).items()})
        plain = {name: values[name] for name in (*_PLAIN, "spent", "errors") if name in values}
        return cls(**plain, latency=latency)

    def told(self, key: Key) -> CallStatistics:
        """As users get it."""
        return CallStatistics(
            exchange=key[0],
            kind=key[1],
            **{name: getattr(self, name) for name in _PLAIN},
            spent=dict(self.spent),
            errors=dict(self.errors),
            p50=self.latency.quantile(0.5),
            p90=self.latency.quantile(0.9),
            p99=self.latency.quantile(0.99),
        )
