"""The dashboard's process: Streamlit, listening on this machine only and sending nothing out."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from harness.errors import AblateError
from harness.store.root import results_root

_APP = Path(__file__).resolve().parents[1] / "dashboard" / "app.py"
_ADDRESS = "127.0.0.1"


def serve_dashboard(results: Path | None, port: int, headless: bool) -> int:
    """Serve the dashboard until it is interrupted, and return its exit code.

    Raises:
        AblateError: nothing can listen on `port`.
    """
    _check_port(port)
    root = results_root(results).absolute()
    process = subprocess.Popen(
        _command(port, headless), env={**os.environ, "ABLATE_RESULTS": str(root)}
    )
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return 0


def _command(port: int, headless: bool) -> list[str]:
    options = {
        "server.address": _ADDRESS,
        "server.port": port,
        "server.headless": str(headless).lower(),
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        "browser.gatherUsageStats": "false",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(_APP), *flags]


def _check_port(port: int) -> None:
    if not 1 <= port <= 65_535:
        raise AblateError(f"--port must be from 1 to 65535, but got {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((_ADDRESS, port))
        except OSError as error:
            raise AblateError(
                f"cannot listen on port {port}: {error.strerror}. Choose another with --port."
            ) from None
