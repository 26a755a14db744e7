"""What every sabotaged provider is made of, and how one learns what the contract says of it."""

import inspect
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from xml.etree import ElementTree

import pytest

from candle_hookspecs import (
    BadRequestError,
    CandleBatch,
    FetchRequest,
    Market,
    MarketGoneError,
    MarketQuery,
    Page,
    PluginContext,
    RateLimitedError,
    TransientError,
)


class Sabotage:
    """Put before a contract: it is adopted by a provider that is broken in one way.

    Attributes:
        check: the test that must notice, its parameters included.
        complaint: a word of what that test says.
        provider: the broken one.
        address: the setting that says where the exchange is.
        settings: the others.
    """

    check: ClassVar[str]
    complaint: ClassVar[str]
    provider: ClassVar[type[Any]]
    address: ClassVar[str] = "rest_url"
    settings: ClassVar[dict[str, Any]] = {}

    def build(self, url: str, context: PluginContext) -> Any:
        settings = self.provider.Settings.model_validate({self.address: url, **self.settings})
        return self.provider(settings, context)


# ── ways to break a provider, each to be put before its class ───────────────────────────────────────────────────────


class ChangesPages:
    """Spoils what was fetched."""

    async def candle_fetch(self, request: FetchRequest) -> Page:
        return self.spoilt_page(await super().candle_fetch(request))  # type: ignore[misc]

    def spoilt_page(self, page: Page) -> Page:
        return replace(page, batch=self.spoilt_batch(page.batch))

    def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
        raise NotImplementedError


class ChangesRequests:
    """Asks for something else than it was asked for."""

    async def candle_fetch(self, request: FetchRequest) -> Page:
        page: Page = await super().candle_fetch(self.spoilt_request(request))  # type: ignore[misc]
        return replace(page, request=request)

    def spoilt_request(self, request: FetchRequest) -> FetchRequest:
        raise NotImplementedError


class ChangesListings:
    """Spoils what was listed."""

    async def candle_markets(self, query: MarketQuery) -> list[Market]:
        return self.spoilt_listing(query, await super().candle_markets(query))  # type: ignore[misc]

    def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
        raise NotImplementedError


class ForgetsTheWait:
    """Tells of a limit, and not how long it lasts."""

    async def candle_fetch(self, request: FetchRequest) -> Page:
        try:
            return await super().candle_fetch(request)  # type: ignore[misc,no-any-return]
        except RateLimitedError as error:
            raise RateLimitedError(str(error), banned=error.banned) from error


class TakesGoneForWrong:
    """Takes an unknown market for a wrong request."""

    async def candle_fetch(self, request: FetchRequest) -> Page:
        try:
            return await super().candle_fetch(request)  # type: ignore[misc,no-any-return]
        except MarketGoneError as error:
            raise BadRequestError(str(error)) from error


class TriesTwice:
    """Repeats what failed, which is the kernel's to do."""

    async def candle_fetch(self, request: FetchRequest) -> Page:
        try:
            return await super().candle_fetch(request)  # type: ignore[misc,no-any-return]
        except TransientError:
            return await super().candle_fetch(request)  # type: ignore[misc,no-any-return]


# ── what the contract says ──────────────────────────────────────────────────────────────────────────────────────────


def sabotages(*modules: ModuleType) -> list[type[Sabotage]]:
    """Every sabotage that is written there."""
    classes = (one for module in modules for one in vars(module).values() if inspect.isclass(one))
    return [one for one in classes if issubclass(one, Sabotage) and "provider" in vars(one)]


def name_of(sabotage: type[Sabotage]) -> str:
    """File and class."""
    return f"{Path(inspect.getfile(sabotage)).stem}.{sabotage.__name__}"


def complaints(found: Sequence[type[Sabotage]], folder: Path) -> Mapping[str, str]:
    """By `name_of`: what the named check said when it failed, "" where it passed. A process of its own runs them all.

    Args:
        found: which to run.
        folder: where the process may write.
    """
    report = folder / "report.xml"
    nodes = [f"{inspect.getfile(one)}::{one.__name__}::{one.check}" for one in found]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *nodes]
    run = subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, check=False)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    said = dict.fromkeys(map(name_of, found), "")
    for case in ElementTree.parse(report).iter("testcase"):
        assert case.find("error") is None, f"a check must fail, not break: {ElementTree.tostring(case, 'unicode')}"
        failure = case.find("failure")
        if failure is not None:
            name = ".".join(case.attrib["classname"].rsplit(".", 2)[1:])
            said[name] += failure.attrib["message"] + (failure.text or "")
    return said
