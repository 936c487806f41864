"""Checks before any training: files, hub names and disk space."""

import re

from prune_utils.analysis.replay import read_table
from prune_utils.data.inputs import DATASETS, asked, named
from prune_utils.study import paths
from prune_utils.study.grid import all_runs
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import Fact, ParamsError
from prune_utils.training.sizes import free_bytes, pairs_bytes, parameters, sparse_bytes

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
BYTES_PER_WEIGHT = 4
CHECKPOINT_COPIES = 12  # per job: at most two checkpoints of two trainings, each with weights and two moments


def check_machine(study: Study | Replay) -> Study | Replay:
    """Check the disk and the hub; return the study with the revisions of its hub inputs.

    Raises ParamsError if disk space is too small or a hub name cannot be reached.
    """
    if isinstance(study, Study):
        _check_disk(study)
        return pinned(study)
    return study


def check_local_files(study: Study | Replay) -> list[Fact]:
    """Check every local input of a study; return facts about them. Raises ParamsError for a missing or invalid one."""
    if isinstance(study, Replay):
        for key, name in zip(("cells", "movement"), study.tables, strict=False):
            if not paths.given(name).is_file():
                raise ParamsError(f"table.{key}: file {paths.given(name)} does not exist")
        read_table(paths.given(study.table.cells))
        return []
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
            f"model.pretrained: folder {paths.given(name)} does not exist, and this is not a valid name on the hub"
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


def pinned(study: Study) -> Study:
    """The study with the current revision of every hub input that has none yet.

    Offline, models and tasks are assumed to be in the cache, and are not pinned. Raises ParamsError for a hub name that
    cannot be reached.
    """
    away = {key: name for key, name in named(study).items() if not paths.given(name).exists()}
    wanted = {key: name for key, name in away.items() if key not in study.inputs}
    if not wanted:
        return study
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        if study.corpus.source == "hub":
            raise ParamsError(
                "corpus.source is 'hub', which is streamed and needs the network, but HF_HUB_OFFLINE is set; allowed "
                "offline: 'local' and 'embedded'"
            )
        return study
    revisions = {}
    for key, name in wanted.items():
        kind = "dataset" if key.startswith(("tasks.", DATASETS)) else "model"
        try:
            info = HfApi().repo_info(name, repo_type=kind, revision=asked(study, key), timeout=5)
            revisions[key] = f"{name}@{info.sha}"
        except Exception as error:  # any failure, from DNS to a wrong name, has the same remedy
            raise ParamsError(
                f"{kind} {name!r} of the Hugging Face hub could not be reached ({type(error).__name__}); to run "
                "without it, set corpus.source, the tasks' source and model.pretrained to local files and folders as "
                "params/local_glue.yaml does"
            ) from None
    return study.model_copy(update={"inputs": study.inputs | revisions})


def told(facts: list[Fact]) -> str:
    """Format facts about the inputs of a study, one per line; "!" marks values worth checking."""
    lines = [f"{'!' if fact.odd else ' '} {fact.about}: {fact.what} {fact.value}" for fact in facts]
    return "\n".join(["\ninputs:", *lines]) if facts else ""
