"""Files that are whole or absent, and work that is done by one process at a time."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to write in, which becomes `folder` in one move once all is written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield unfinished
        unfinished.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Writes a text file that is never seen half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def write_json(path: Path, content: dict) -> None:
    # NaN is no JSON: better no file than one that other readers refuse
    write_whole(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict:
    return json.loads(path.read_text())


@contextlib.contextmanager
def alone(folder: Path, wait: bool = True) -> Iterator[None]:
    """Holds `folder` for this process; the kernel lets go when it ends, however it ends.

    Another holder is waited for; with `wait=False`, BlockingIOError is raised at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
