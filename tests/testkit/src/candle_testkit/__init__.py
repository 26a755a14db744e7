"""Contract suites and a sandbox exchange for authors of plugins. Import what you need: this module imports nothing."""
