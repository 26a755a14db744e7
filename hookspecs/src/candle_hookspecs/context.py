"""What the kernel hands to every plugin it builds."""

import logging
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from pydantic import BaseModel, ConfigDict, SecretStr

from candle_hookspecs.limits import Costs, LimitFeedback, Priority


class Settings(BaseModel):
    """Base of a plugin's settings.

    What may stand in its TOML table. Unknown keys are errors; keep secrets in `pydantic.SecretStr`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Account(BaseModel):
    """Somebody's account at an exchange, as ``[[accounts]]`` names it. Its keys are never shown.

    Attributes:
        name: the user's own name for it.
        exchange: lower case, the provider's name.
        active: an account that is not is never used.
        api_key, api_secret, passphrase: None where the account has none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    exchange: str
    active: bool = True
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    passphrase: SecretStr | None = None

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: keys do not leave the process.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"the account {self.name!r} holds keys and cannot be pickled; look them up where they are used")


class Clock(Protocol):
    """The time as the kernel sees it; tests may run it fast."""

    def now(self) -> int:
        """UTC milliseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long on this clock."""
        ...


class BudgetGate(Protocol):
    """The one gate that every request to an exchange passes, so that a limit or a ban holds for all of them.

    The kernel passes it before each `candle_fetch`. A plugin passes it itself for what it sends on its own account:
    listings, warm-up, a library's hidden calls.
    """

    async def spend(self, costs: Costs, priority: Priority = Priority.NORMAL) -> None:
        """Wait until every limit named has room and no pause is on, then take the costs.

        Raises:
            BadInputError: a cost names a limit that the provider does not declare, or is larger than the limit itself.
        """
        ...

    def under_way(self, costs: Costs, priority: Priority = Priority.NORMAL) -> AbstractAsyncContextManager[None]:
        """The same around one request that is sent and answered in the block: ``async with gate.under_way(costs):``.

        It counts for as long as the exchange may come to count it. What `spend` takes counts from then on, as if it
        arrived at once.
        """
        ...

    def under_way_blocking(self, costs: Costs, priority: Priority = Priority.NORMAL) -> AbstractContextManager[None]:
        """`under_way` for a plain `def` hook, which runs in a worker thread. Never enter it on the event loop."""
        ...

    def observe(self, feedback: LimitFeedback) -> None:
        """Correct the count from what an answer's headers say. Any thread may call it."""
        ...

    def pause(self, seconds: float) -> None:
        """Let nothing of this provider's limits pass for so long (429, 418). Any thread may call it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """A plugin's surroundings.

    Attributes:
        name: the name it stands under in the TOML (the exchange in lower case, the backend).
        clock: use this and not `time`.
        base_dir: where relative paths in the settings start: the folder of the TOML file.
        cache_dir: a folder of its own for what may be lost; the plugin makes it when it first needs it.
        logger: a child of the ``candle`` logger.
        budget: see `BudgetGate`.
        account: the first active account of this exchange; None where there is none. A key goes to the exchange only
            where a request needs it.
    """

    name: str
    clock: Clock
    base_dir: Path
    cache_dir: Path
    logger: logging.Logger
    budget: BudgetGate
    account: Account | None = None
