"""Entry points of distributions that are really on the path."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from candle_core.discovery import InstalledPlugin, PluginKind, find_plugin, installed_plugins
from candle_hookspecs import BrokenPluginError, DuplicatePluginError, MissingPluginError

Install = Callable[..., None]

EXAMPLE = """
    [candle.providers]
    example = example_plugin:Plugin
    [candle.storage]
    example = example_plugin:Plugin
    [console_scripts]
    example = example_plugin:main
"""


def test_what_is_installed_is_found_and_not_imported(install: Install) -> None:
    install("candle-example", EXAMPLE, example_plugin="raise RuntimeError('imported too early')")
    found = [plugin for plugin in installed_plugins() if plugin.distribution == "candle-example"]
    assert found == [
        InstalledPlugin(kind, "example", "candle-example", "1.0", "example_plugin:Plugin")
        for kind in (PluginKind.PROVIDER, PluginKind.STORAGE)
    ]
    assert find_plugin(PluginKind.PROVIDER, "example") == found[0]
    assert "example_plugin" not in sys.modules
    assert str(found[0]) == "provider 'example' of candle-example 1.0 (example_plugin:Plugin)"


def test_a_family_is_told_from_an_exchange(install: Install) -> None:
    points = "[candle.providers]\nkraken = p:P\nmany = p:P\n[candle.storage]\nmany = p:P\n[candle.families]\nmany = p:P"
    install("candle-example", points)
    found = [plugin for plugin in installed_plugins() if plugin.distribution == "candle-example"]
    assert [(str(one.kind), one.name, one.family) for one in found] == [
        ("provider", "kraken", False), ("provider", "many", True), ("storage", "many", False),
    ]  # fmt: skip


def test_a_class_is_imported_when_asked_for(install: Install) -> None:
    install("candle-example", EXAMPLE, example_plugin="class Plugin: answer = 42")
    assert find_plugin(PluginKind.STORAGE, "example").load().answer == 42


def test_two_distributions_may_not_claim_one_name(install: Install) -> None:
    install("candle-example", EXAMPLE, example_plugin="")
    install("other-example", EXAMPLE, "2.5", other_plugin="")
    with pytest.raises(DuplicatePluginError) as caught:
        find_plugin(PluginKind.PROVIDER, "example")
    text = str(caught.value)
    assert [word for word in ("'example'", "candle-example 1.0", "other-example 2.5") if word not in text] == []


def test_an_older_copy_further_down_the_path_is_shadowed(install: Install) -> None:
    install("candle-example", EXAMPLE, "1.0")
    install("candle-example", EXAMPLE, "2.0")
    assert find_plugin(PluginKind.PROVIDER, "example").version == "2.0", "what Python would import"


def test_a_folder_that_lost_its_metadata_is_no_plugin(install: Install, tmp_path: Path) -> None:
    install("candle-example", EXAMPLE)
    (tmp_path / "site-candle-example-1.0" / "candle_example-1.0.dist-info" / "METADATA").unlink()
    with pytest.raises(MissingPluginError):
        find_plugin(PluginKind.PROVIDER, "example")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("nosuch", "installed: "),
        ("nosuch", '`plugin = "ccxt"` under [providers.nosuch]'),
        ("nosuch", "stock exchanges come with candle-stocks"),
        ("nosuch", "`pip install candle-nosuch`"),
    ],
)
def test_a_missing_plugin_comes_with_the_line_that_installs_it(install: Install, name: str, advice: str) -> None:
    install("candle-example", EXAMPLE)
    with pytest.raises(MissingPluginError) as caught:
        find_plugin(PluginKind.PROVIDER, name)
    assert advice in str(caught.value)


def test_a_misspelled_plugin_is_not_to_be_installed(install: Install) -> None:
    install("candle-example", EXAMPLE)
    with pytest.raises(MissingPluginError) as caught:
        find_plugin(PluginKind.PROVIDER, "exampel")
    assert "did you mean 'example'? Else `plugin = \"ccxt\"` under [providers.exampel]" in str(caught.value)
    assert "pip install" not in str(caught.value)


def test_nothing_installed_at_all() -> None:
    with pytest.raises(MissingPluginError, match="installed: none"):
        find_plugin(PluginKind.EXTENSION, "redis", installed=[])


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("import a_library_that_nobody_has", "a_library_that_nobody_has"),
        ("class Plugin", "SyntaxError"),
        ("", "Plugin"),
    ],
    ids=["raises", "missing-library", "syntax", "no-such-name"],
)
def test_a_plugin_that_cannot_be_imported(install: Install, source: str, cause: str) -> None:
    install("candle-example", EXAMPLE, example_plugin=source)
    with pytest.raises(BrokenPluginError) as caught:
        find_plugin(PluginKind.PROVIDER, "example").load()
    text = str(caught.value)
    assert [
        word for word in ("'example'", "candle-example 1.0", "example_plugin:Plugin", cause) if word not in text
    ] == []
    assert caught.value.__cause__ is not None


def test_the_distributions_of_this_workspace_are_found() -> None:
    names = {(plugin.kind, plugin.name) for plugin in installed_plugins()}
    assert {(PluginKind.PROVIDER, "binance"), (PluginKind.STORAGE, "sqlite"), (PluginKind.STORAGE, "memory")} <= names
