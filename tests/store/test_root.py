"""Where results are kept."""

from pathlib import Path

from harness.store.root import results_root


def test_the_option_wins_over_the_environment_and_that_over_the_default(monkeypatch):
    monkeypatch.delenv("ABLATE_RESULTS", raising=False)
    assert results_root(None) == Path("results")
    monkeypatch.setenv("ABLATE_RESULTS", "/elsewhere")
    assert results_root(None) == Path("/elsewhere")
    assert results_root(Path("here")) == Path("here")
