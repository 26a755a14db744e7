"""`ExchangeService`: warming up by the names that users' programs call."""

import time
from typing import Any, Protocol

from candle_core.directory.form import SUPPORTED, encode_supported
from candle_core.discovery import PluginKind, find_plugin
from candle_core.kernel import Kernel
from candle_core.warmup.choice import account_of, by_exchange, supported
from candle_core.warmup.run import warm_up
from candle_hookspecs import Account, PluginError


class _Opened(Protocol):
    """What `candle_core.open` gives, as far as it matters here."""

    @property
    def kernel(self) -> Kernel: ...


class ExchangeService:
    """Warming up, for what `candle_core.open` gives.

    Every method gives a dict that JSON can say: ``success`` (false if any exchange failed), ``refreshed_exchanges``,
    ``total_markets``, ``execution_time`` (seconds) and ``exchange_details``, by exchange as `ExchangeWarmup.as_dict`
    has them.

    Args:
        candles: whose exchanges, accounts and cache to use.
    """

    def __init__(self, candles: _Opened) -> None:
        self._kernel = candles.kernel

    async def refresh_api_based_market_info(self, *, force: bool = False) -> dict[str, Any]:
        """Ask the exchanges of all active accounts for their markets, once each, however many accounts there are.

        Where there are no accounts, the exchanges that `Candles.warm_up` chooses.

        Args:
            force: ask also where what is kept is still believed.

        Raises:
            ConfigError: no exchange is configured at all.
        """
        return (await warm_up(self._kernel, force=force)).as_dict()

    async def warm_up_market_precision_cache(self, account: Account | str, *, force: bool = False) -> dict[str, Any]:
        """Let ticks, steps and limits be known at the exchange of an account: ``precision:cache:{exchange}``.

        They come with the markets, by one and the same question.

        Args:
            account: its name in the configuration, or the account.
            force: ask also where what is kept is still believed.

        Raises:
            BadInputError: no account of that name, or it is not active.
        """
        return await self._of_account(account, force=force)

    async def warm_up_all_market_info(self, account: Account | str, *, force: bool = False) -> dict[str, Any]:
        """Let the markets be known at the exchange of an account: ``market:info:{exchange}``.

        Args:
            account: its name in the configuration, or the account.
            force: ask also where what is kept is still believed.

        Raises:
            BadInputError: no account of that name, or it is not active.
        """
        return await self._of_account(account, force=force)

    async def warm_up_all_market_precision_cache(self, *, force: bool = False) -> dict[str, Any]:
        """Let ticks, steps and limits be known at the exchanges of all active accounts, once each.

        Where there are no accounts, at the exchanges that `Candles.warm_up` chooses.

        Args:
            force: ask also where what is kept is still believed.

        Raises:
            ConfigError: no exchange is configured at all.
        """
        return (await warm_up(self._kernel, force=force)).as_dict()

    async def warm_up_supported_exchanges_cache(self) -> dict[str, Any]:
        """Write down which exchanges can be asked, those installed and those configured: ``supported:exchanges``.

        It reads what is installed and the configuration; no plugin is imported and nobody is asked.

        Returns:
            ``exchange_details`` have ``plugin``, ``distribution``, ``version``, ``configured`` and ``accounts``. An
            exchange that is configured and whose plugin is not installed has failed.
        """
        began = time.perf_counter()
        kernel = self._kernel
        tables, accounts = kernel.config.providers, by_exchange(kernel.config)
        details: dict[str, dict[str, Any]] = {}
        for name in supported(kernel.config):
            table = kernel.config.provider(name)
            details[name] = {
                **_installed(table.plugin),
                "plugin": table.plugin,
                "configured": name in tables,
                "accounts": list(accounts.get(name, ())),
            }
        usable = {name: one for name, one in details.items() if one["success"]}
        told = {name: {key: value for key, value in one.items() if key != "success"} for name, one in usable.items()}
        await kernel.keeper.put(SUPPORTED, encode_supported(told))
        return {
            "success": len(usable) == len(details),
            "refreshed_exchanges": list(usable),
            "total_markets": 0,
            "execution_time": round(time.perf_counter() - began, 3),
            "exchange_details": details,
        }

    async def _of_account(self, account: Account | str, *, force: bool) -> dict[str, Any]:
        exchange = account_of(self._kernel.config, account)
        return (await warm_up(self._kernel, [exchange], force=force)).as_dict()


def _installed(plugin: str) -> dict[str, Any]:
    try:
        found = find_plugin(PluginKind.PROVIDER, plugin)
    except PluginError as error:
        return {"success": False, "error": str(error), "error_type": type(error).__name__}
    return {"success": True, "distribution": found.distribution, "version": found.version}
