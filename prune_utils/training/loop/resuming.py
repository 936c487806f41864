"""Checkpoints of a training in progress: complete ones are marked, an interrupted training resumes from the last of them."""

import contextlib
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from transformers import TrainerCallback

from prune_utils.pruning.callbacks import GradualPruning
from prune_utils.study import paths
from prune_utils.study.files import once, read_json, write_json
from prune_utils.study.section import ParamsError

WHOLE = "whole.json"  # written last into a Trainer checkpoint: one without it is incomplete and not resumed from


class Checkpoints(TrainerCallback):
    """Adds the pruning state to each Trainer checkpoint, then marks it as complete.

    On SIGTERM, which a scheduler sends before a time limit, the step is finished, a checkpoint is saved, and the training
    is interrupted.
    """

    def __init__(self, pruning: GradualPruning | None):
        self.pruning, self.ending = pruning, False

    @contextlib.contextmanager
    def saving_on_sigterm(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # only that one can handle signals
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda *_: setattr(self, "ending", True))
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def on_step_end(self, args, state, control, **kwargs):
        control.should_save |= self.ending

    def on_save(self, args, state, control, **kwargs):
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self.pruning:
            self.pruning.save(folder)
        write_json(folder / WHOLE, {"step": state.global_step, "bytes": _sizes(folder)})
        if self.ending:
            raise KeyboardInterrupt(f"stopped by SIGTERM; step {state.global_step} is saved")


def finished(folder: Path, make: Callable[[], dict]) -> dict:
    """Return the result in `folder`; if it is missing, `make` and store it, and only then discard the checkpoints."""
    result = once(folder / paths.RESULT, make)
    for left in (*folder.glob("trainer*"), *folder.glob(".*-*")):  # and what a killed process was writing
        discard(left)
    return result


def discard(folder: Path) -> None:
    """Remove the checkpoints of a training; the marks go first, so that a half-removed one is not resumed from."""
    with contextlib.suppress(FileNotFoundError):  # another process discards it, too
        for mark in folder.glob(f"checkpoint-*/{WHOLE}"):
            mark.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _sizes(folder: Path) -> dict[str, int]:
    """The bytes of the files in a checkpoint, apart from the mark."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != WHOLE}


def _is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint is marked as complete, and its files still have the sizes that they had then."""
    try:
        return read_json(checkpoint / WHOLE)["bytes"] == _sizes(checkpoint)
    except (FileNotFoundError, ParamsError):
        return False


def resumable(folder: Path) -> Path | None:
    """The last complete checkpoint of an interrupted training; removes incomplete ones."""
    for checkpoint in folder.glob("checkpoint-*"):
        if not _is_whole(checkpoint):
            shutil.rmtree(checkpoint)
    return max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), default=None)
