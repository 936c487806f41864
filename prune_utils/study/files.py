"""Atomic writes of files and folders, and locks on folders."""

import contextlib
import errno
import fcntl
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from prune_utils.study.section import ParamsError

LOCK = ".lock"


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `folder` on success. If two processes write at once, the later one wins."""
    with _scratch(folder) as unfinished:
        unfinished.mkdir()
        yield unfinished
        while unfinished.exists():
            with contextlib.suppress(FileNotFoundError):
                os.replace(folder, tempfile.mkdtemp(dir=unfinished.parent))
            try:
                os.replace(unfinished, folder)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # another writer came between the two moves
                    raise


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path; the file written there replaces `path` on success."""
    with _scratch(path) as unfinished:
        yield unfinished
        unfinished.chmod(0o644)
        os.replace(unfinished, path)


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder beside `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        yield Path(folder) / f"unfinished{path.suffix}"


def write_whole(path: Path, text: str) -> None:
    """Write a text file that no reader ever sees half-written."""
    with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, content: dict) -> None:
    """Write JSON. Numbers that are not finite become null, since JSON cannot represent them."""
    finite = json.loads(json.dumps(content), parse_constant=lambda name: None)
    write_whole(path, json.dumps(finite, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict:
    """Read a JSON file. Raises ParamsError if it is damaged: the package itself never leaves a part of one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ParamsError(f"{path} is damaged ({error}); delete it to make it again") from None


def of_machine(error: Exception) -> bool:
    """Whether an error is of the machine, such as too many open files or a stale mount, and says nothing of a file's content."""
    return isinstance(error, OSError) and error.errno not in (None, errno.ENOENT)


@contextlib.contextmanager
def alone(folder: Path, wait: bool = True, name: str = LOCK) -> Iterator[int]:
    """Lock `folder`, or what the file `name` in it stands for, for this process.

    The operating system releases the lock when the process ends, however it ends.

    Yields the file descriptor of the lock; a child process that inherits it holds the lock too. If another process
    holds the lock, waits for it, or raises BlockingIOError if `wait` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "a") as file:  # what its holder wrote stays until the lock is ours
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0 if wait else 0.1)  # `held` takes the lock briefly
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            fault = f"the file system has no locks ({error.strerror}); set PRUNE_UTILS_OUT to a folder on one that has"
            raise OSError(error.errno, fault, str(folder)) from None
        file.truncate(0)
        file.write(this_process())
        file.flush()
        os.fsync(file.fileno())  # other machines see it at once
        yield file.fileno()


def this_process() -> str:
    """Where this process runs, for messages: the machine, or the node and the job of a Slurm cluster."""
    if job := os.environ.get("SLURM_JOB_ID"):
        return f"{os.environ.get('SLURMD_NODENAME', socket.gethostname())}, job {job}"
    return socket.gethostname()


def holder(folder: Path, name: str = LOCK) -> str:
    """Where the process runs, or ran, that last held a lock; empty if none did."""
    file = folder / name
    return file.read_text(encoding="utf-8") if file.exists() else ""


def held(folder: Path, name: str = LOCK) -> bool:
    """Whether a process holds the lock `name` of `folder`. Takes a shared lock briefly."""
    try:
        with open(folder / name) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never locked, or a file system without locks
        pass
    return False


def holders(folder: Path) -> dict[int, str]:
    """The command lines of the processes on this machine that hold `folder`, by id, as far as their open files may be listed."""
    lock, found = str((folder / LOCK).resolve()), {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has ended, or belongs to somebody else
            if any(file.path == lock for file in process.open_files()):
                found[process.pid] = " ".join(process.cmdline())
    return found


def lives(process: int | None) -> bool:
    """Whether a process of this id runs on this machine."""
    return process is not None and psutil.pid_exists(process)


def once(path: Path, make: Callable[[], dict]) -> dict:
    """Read the JSON file `path`; if it is missing, lock its folder and write what `make` returns.

    If several processes ask for the same result, one makes it and the others wait.
    """
    if not path.exists():
        with alone(path.parent):
            if not path.exists():
                write_json(path, make())
    return read_json(path)
