"""End a notebook before its end without loss: on SIGTERM, or because a new start of the study asks for it."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

import psutil

from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow.progress import sitting

GRACE = 100  # seconds that a training has to finish its step and save, of the two minutes before a time limit
STARTED = "PRUNE_UTILS_STARTED"  # when the start of the study that submitted a job began, seconds since 1970
EVERY = 5  # seconds between two looks at the last start of the study


@contextlib.contextmanager
def graceful(study: Study | Replay) -> Iterator[threading.Event]:
    """While a notebook of a study is executed here: yields an event that is set once the notebook is to end.

    SIGTERM is passed on to its kernel, whose training then saves a checkpoint. After GRACE seconds, the wait for the
    kernel is interrupted, as by Ctrl-C. A start of the study that is to end the jobs of earlier ones ends this one too.
    """
    ending, over = threading.Event(), threading.Event()
    # of the start that submitted this job; the study may have been started again since
    started = float(os.environ.get(STARTED, 0)) or sitting(study).get("started")

    def end(*_) -> None:
        if not ending.is_set():
            ending.set()
            signal.alarm(GRACE)
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()

    def watch() -> None:
        while not over.wait(EVERY):
            with contextlib.suppress(OSError, ParamsError):  # a file system that hangs is asked again
                last = sitting(study)
                if last.get("started") != started and last.get("ends_earlier"):
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

    handlers = {signal.SIGTERM: end, signal.SIGALRM: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield ending
    finally:
        over.set()
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
