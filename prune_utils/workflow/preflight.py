"""Checks before any training: files, hub names and disk space."""

import re

from prune_utils.analysis import replay
from prune_utils.study import paths
from prune_utils.study.grid import all_runs
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.training.sizes import free_bytes, pairs_bytes, parameters, sparse_bytes

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
BYTES_PER_WEIGHT = 4
CHECKPOINT_COPIES = 12  # per job: at most two checkpoints of two trainings, each with weights and two moments


def check(study: Study | Replay) -> None:
    """Raise ParamsError if a file, a hub name or the disk space that a study needs is not available."""
    check_local_files(study)
    if isinstance(study, Study):
        _check_disk(study)
        _check_hub(study)


def check_local_files(study: Study | Replay) -> None:
    """Raise ParamsError if a file named in the params is missing or has the wrong columns."""
    if isinstance(study, Replay):
        for key, name in zip(("cells", "movement"), study.tables, strict=False):
            if not paths.given(name).is_file():
                raise ParamsError(f"table.{key}: file {paths.given(name)} does not exist")
        replay.check(study)
        return
    from prune_utils.data.tasks import check_columns, local_files

    corpus = study.corpus
    if corpus.source == "local":
        for key, names in (
            ("files", corpus.files),
            ("held_out_files", corpus.held_out_files),
            ("vocabulary", [corpus.vocabulary]),
        ):
            for name in names:
                if not paths.given(name).is_file():
                    raise ParamsError(f"corpus.{key}: file {paths.given(name)} does not exist")
    name = study.model.pretrained
    if name and HUB_NAME.fullmatch(name) is None and not paths.given(name).is_dir():
        raise ParamsError(
            f"model.pretrained: folder {paths.given(name)} does not exist, and this cannot be the name of a model on the hub"
        )
    for task in study.tasks:
        if task.source == "local":
            for path in local_files(task):
                check_columns(path, task.name)


def _check_disk(study: Study) -> None:
    seeds, tasks = study.grid.seeds, study.tasks
    checkpoints = len(all_runs(study)) + CHECKPOINT_COPIES * study.machine.jobs
    checkpoints += len(seeds) * len(tasks) * len(study.finetuning.learning_rates)  # dense cells
    needed = checkpoints * parameters(study) * BYTES_PER_WEIGHT + pairs_bytes(study) + sparse_bytes(study)
    free = free_bytes(study)
    if needed > free:
        raise ParamsError(
            f"{paths.results(study.study)} needs about {needed / 1e9:.1f} GB for {checkpoints} checkpoints and its data, "
            f"and the disk has {free / 1e9:.1f} GB free"
        )


def _check_hub(study: Study) -> None:
    """Check that hub names can be reached. Offline, models and tasks are assumed to be in the cache."""
    names = [("dataset", task.dataset) for task in study.tasks if task.source == "hub"]
    if study.corpus.source == "hub":
        names += [("dataset", text.path) for text in study.corpus.datasets]
        names.append(("model", study.corpus.vocabulary))
    if study.model.pretrained and not paths.given(study.model.pretrained).is_dir():
        names.append(("model", study.model.pretrained))
    if not names:
        return
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        if study.corpus.source == "hub":
            raise ParamsError(
                "corpus.source is 'hub', which is streamed and needs the network, but HF_HUB_OFFLINE is set; allowed "
                "offline: 'local' and 'embedded'"
            )
        return
    for kind, name in dict.fromkeys(names):
        try:
            HfApi().repo_info(name, repo_type=kind, timeout=5)
        except Exception as error:  # any failure, from DNS to a wrong name, has the same remedy
            raise ParamsError(
                f"{kind} {name!r} of the Hugging Face hub could not be reached ({type(error).__name__}); to run "
                "without it, set corpus.source, the tasks' source and model.pretrained to local files and folders as "
                "params/local_glue.yaml does"
            ) from None
