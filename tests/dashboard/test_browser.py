"""The dashboard as a user sees it: started by its command, in a real browser, offline."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SLOW = 30_000  # milliseconds: the catalogue of components waits for torch


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _command(results, port):
    command = [sys.executable, "-m", "harness.cli", "dashboard", "--headless"]
    return [*command, f"--port={port}", f"--results={results}"]


def _wait_for(url, process):
    for _ in range(300):
        assert process.poll() is None, "the dashboard has stopped"
        try:
            return urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the dashboard did not start within 30 s")


@pytest.fixture(scope="module")
def server(results, tmp_path_factory):
    port = _free_port()
    cwd = tmp_path_factory.mktemp("elsewhere")
    process = subprocess.Popen(_command(results, port), cwd=cwd, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}", process)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM.exists(), f"{CHROMIUM} is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server):
    """A page that fails the test for an exception, a console error or a foreign request."""
    page = browser.new_page(base_url=f"http://127.0.0.1:{server}", viewport=None)
    errors, hosts = [], set()
    page.on("console", lambda said: errors.append(said) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(error))
    page.on("request", lambda request: hosts.add(urlparse(request.url).hostname))
    yield page
    exceptions = page.get_by_test_id("stException").count()
    page.close()
    assert exceptions == 0
    # Streamlit first looks for its server below a page's own path, and finds it at the root
    probes = ("/_stcore/health", "/_stcore/host-config")
    unexpected = [
        str(said)
        for said in errors
        if not getattr(said, "location", {}).get("url", "").endswith(probes)
    ]
    assert not unexpected
    assert hosts <= {"127.0.0.1", None}  # None: data: and blob:


def test_components_come_from_the_registry_with_links(page):
    page.goto("/components?slot=attention")
    expect(page.get_by_text("gqa", exact=True)).to_be_visible(timeout=SLOW)
    link = page.get_by_role("link", name="arXiv:2305.13245")
    expect(link).to_have_attribute("href", "https://arxiv.org/abs/2305.13245")


def test_stored_text_is_shown_literally(page):
    page.goto("/?experiment=positions")
    question = "Does *sharing* key-value heads cost <b>quality</b> :smile: :red[now] $x$?"
    expect(page.get_by_text(question)).to_be_visible(timeout=SLOW)
    cause = "none, seed 3: failed (out of *memory* :smile: :material/home: :red[x])"
    expect(page.get_by_text(cause)).to_be_visible()


def test_a_link_restores_its_view_and_a_choice_changes_the_link(page):
    page.goto("/curves?experiment=heads&x=seconds&metric=train_loss")
    expect(page.locator(".xtitle")).to_have_text("training time (seconds)", timeout=SLOW)
    expect(page.locator(".ytitle")).to_have_text("training loss (nats per token)")
    page.get_by_role("radio", name="FLOPs").click()
    expect(page.locator(".xtitle", has_text="training FLOPs")).to_be_visible()
    assert "x=FLOPs" in page.url
    page.reload()
    expect(page.locator(".xtitle")).to_have_text("training FLOPs", timeout=SLOW)


def test_the_choice_of_experiment_goes_from_page_to_page(page):
    page.goto("/?experiment=positions")
    expect(page.get_by_text("of 8 runs done")).to_be_visible(timeout=SLOW)
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_text("8 of 8 runs")).to_be_visible(timeout=SLOW)
    page.get_by_role("link", name="Curves").click()
    expect(page.locator(".xtitle")).to_be_visible(timeout=SLOW)
    assert "experiment=positions" in page.url


def test_a_download_is_named_after_what_it_holds(page):
    page.goto("/runs?experiment=positions&status=failed")
    expect(page.get_by_text("1 of 8 runs")).to_be_visible(timeout=SLOW)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV", exact=True).click()
    assert download.value.suggested_filename == "positions-runs.csv"
    _, row = Path(download.value.path()).read_text().splitlines()
    assert row.startswith("none,")


def test_a_taken_port_is_said_before_anything_starts(results):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = _command(results, taken.getsockname()[1])
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--port" in done.stderr and "Traceback" not in done.stderr
