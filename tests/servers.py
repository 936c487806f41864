"""JupyterLab and Voilà as `make lab` and `make app` start them, for tests that use them through a browser."""

import contextlib
import os
import socket
import subprocess
import sys
import time

from prune_utils.study import paths

TOKEN = "of-a-test"
# a test asks nothing of the network, and nothing of the settings of who runs it
LAB = [
    "--allow-root",
    f"--IdentityProvider.token={TOKEN}",
    "--LabApp.news_url=",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    "--ServerApp.terminals_enabled=False",
]


@contextlib.contextmanager
def serving(module, arguments, out, folder):
    """The address of a server that runs while the block does; `folder` is for its settings and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", module, "--no-browser", f"--port={port}", *arguments]
    homes = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    environment = {**os.environ, **{name: str(folder / name) for name in homes}, "PRUNE_UTILS_OUT": str(out)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, cwd=paths.ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(process, port, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:  # it waits for a kernel that does not end; nothing is tested from here on
            process.kill()
            process.wait()


def _wait(process, port, log):
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
