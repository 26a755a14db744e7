"""`candle plugins`, also with distributions that are broken in one way or another."""

from pathlib import Path

from .conftest import Candle


def install(folder: Path, name: str, entry_points: str, source: str) -> dict[str, str]:
    """A tiny distribution `candle-<name>`, as pip leaves one; the environment in which Python finds it."""
    site = folder / "site"
    info = site / f"candle_{name}-1.2.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: candle-{name}\nVersion: 1.2.3\n")
    (info / "entry_points.txt").write_text(entry_points)
    (site / f"candle_{name}.py").write_text(source)
    return {"PYTHONPATH": str(site)}


BROKEN = "[candle.providers]\nbroken = candle_broken:Provider\n"
RAISES = "raise RuntimeError('no luck today')\n"


def test_the_table(candle: Candle) -> None:
    outcome = candle("plugins")
    assert outcome.code == 0
    header, *rows = [line.split() for line in outcome.out.splitlines()]
    assert header == ["distribution", "version", "kind", "name"]
    assert ["candle-binance", "0.1.0", "provider", "binance"] in rows
    assert ["candle-sqlite", "0.1.0", "storage", "sqlite"] in rows
    assert ["candle-testkit", "0.1.0", "command", "sandbox"] in rows


def test_the_document(candle: Candle) -> None:
    entry = {"distribution": "candle-binance", "version": "0.1.0", "kind": "provider", "name": "binance"}
    assert entry in candle("plugins", "--json").document["plugins"]


def test_check_shows_hooks(candle: Candle, config: Path) -> None:
    states = {one["name"]: one for one in candle("plugins", "--check", "--json").document["plugins"]}
    assert states["binance"]["state"] == "ok"
    assert {"candle_fetch", "candle_markets"} <= set(states["binance"]["hooks"])
    assert {"candle_save", "candle_load"} <= set(states["sqlite"]["hooks"])


def test_what_needs_a_table_and_has_none_is_no_failure(candle: Candle, config: Path) -> None:
    outcome = candle("plugins", "--check", "--json")
    (state,) = [one for one in outcome.document["plugins"] if one["name"] == "postgres"]
    assert (outcome.code, state["state"]) == (0, "unset")
    assert "'url': Field required" in state["error"]
    config.write_text(config.read_text() + '[storage]\nbackend = "postgres"\n')
    outcome = candle("plugins", "--check", "--json")
    (state,) = [one for one in outcome.document["plugins"] if one["name"] == "postgres"]
    assert (outcome.code, state["state"]) == (1, "error")


def test_check_writes_nothing(candle: Candle, folder: Path) -> None:
    candle("plugins", "--check")
    assert list(folder.iterdir()) == []


def test_a_plugin_that_raises_at_import_is_listed_all_the_same(shell: Candle, tmp_path: Path) -> None:
    outcome = shell("plugins", **install(tmp_path, "broken", BROKEN, RAISES))
    assert (outcome.code, outcome.err) == (0, "")
    assert ["candle-broken", "1.2.3", "provider", "broken"] in [line.split() for line in outcome.out.splitlines()]


def test_check_says_what_is_wrong_with_it(shell: Candle, tmp_path: Path) -> None:
    outcome = shell("plugins", "--check", "--json", **install(tmp_path, "broken", BROKEN, RAISES))
    assert outcome.code == 1
    (state,) = [one for one in outcome.document["plugins"] if one["name"] == "broken"]
    assert state["state"] == "error"
    assert "RuntimeError: no luck today" in state["error"]
    assert "candle-broken 1.2.3" in state["error"]


def test_using_it_is_one_clear_line(shell: Candle, tmp_path: Path) -> None:
    outcome = shell("markets", "BROKEN", **install(tmp_path, "broken", BROKEN, RAISES))
    outcome.failed_with(2, "candle-broken 1.2.3", "'broken'", "RuntimeError: no luck today")


def test_a_command_that_raises_at_import_harms_nobody_else(shell: Candle, tmp_path: Path) -> None:
    environment = install(tmp_path, "broken", "[candle.commands]\nbroken = candle_broken:command\n", RAISES)
    listed = shell("--help", **environment)
    assert (listed.code, listed.err) == (0, "")
    assert "broken  (from candle-broken 1.2.3)" in " ".join(listed.out.split()).replace("broken (", "broken  (")
    shell("broken", **environment).failed_with(2, "candle-broken 1.2.3", "no luck today")


def test_a_command_of_another_distribution_runs(shell: Candle, tmp_path: Path) -> None:
    source = "import click\n\n@click.command()\ndef greet():\n    click.echo('hello')\n"
    environment = install(tmp_path, "greet", "[candle.commands]\ngreet = candle_greet:greet\n", source)
    outcome = shell("greet", **environment)
    assert (outcome.code, outcome.out, outcome.err) == (0, "hello\n", "")


def test_what_is_no_command_is_refused(shell: Candle, tmp_path: Path) -> None:
    environment = install(tmp_path, "greet", "[candle.commands]\ngreet = candle_greet:greet\n", "greet = 'hello'\n")
    shell("greet", **environment).failed_with(2, "candle-greet 1.2.3", "not a click command")


def test_two_distributions_that_claim_one_command(shell: Candle, tmp_path: Path) -> None:
    source = "import click\n\n@click.command()\ndef greet():\n    pass\n"
    install(tmp_path, "greet", "[candle.commands]\ngreet = candle_greet:greet\n", source)
    environment = install(tmp_path, "salute", "[candle.commands]\ngreet = candle_salute:greet\n", source)
    shell("greet", **environment).failed_with(2, "candle-greet 1.2.3", "candle-salute 1.2.3")


def test_a_missing_plugin_names_the_line_that_installs_it(candle: Candle) -> None:
    candle("markets", "KRAKEN").failed_with(2, "'kraken'", "`pip install candle-kraken`")


def test_a_missing_database_too(candle: Candle, folder: Path) -> None:
    (folder / "candle.toml").write_text('[storage]\nbackend = "parchment"\n')
    outcome = candle("load", "BINANCE", "SPOT", "BTC/USDT", "1m")
    outcome.failed_with(2, "'parchment'", "`pip install candle-parchment`")
