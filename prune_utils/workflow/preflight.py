"""Checks before any training: files, hub names and disk space."""

import re

from prune_utils.analysis.foreign import replay
from prune_utils.data.inputs import DATASETS, asked, named, task_of
from prune_utils.study import paths
from prune_utils.study.grid import all_runs
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import Fact, ParamsError
from prune_utils.training.sizes import free_bytes, pairs_bytes, shape, sparse_bytes

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(?<!\.txt)(?<!\.json)")
BYTES_PER_WEIGHT = 4
CHECKPOINT_COPIES = 12  # per job: at most two checkpoints of two trainings, each with weights and two moments


def of_hub(study: Study | Replay) -> dict[str, str]:
    """The inputs of a study that are not on this machine, {key: name on the hub}."""
    return {key: name for key, name in named(study).items() if not paths.given(name).exists()}


def check_machine(study: Study | Replay, facts: list[Fact]) -> tuple[Study | Replay, list[Fact]]:
    """Check the disk and the hub, and read what comes from there.

    Returns the study with the revisions of its hub inputs, and `facts`, those of its local inputs, completed. Raises
    ParamsError if disk space is too small, or if a hub input cannot be reached or cannot be right.
    """
    if isinstance(study, Study):
        _check_disk(study)
        study = pinned(study)
    return study, check_inputs(study, hub=True) if of_hub(study) else facts


def check_inputs(study: Study | Replay, hub: bool = False) -> list[Fact]:
    """Read every local input of a study once, as training will, and with `hub` the others; return what is told of them.

    Raises ParamsError for what is missing or cannot be right.
    """
    if isinstance(study, Replay):
        return replay.check(study)
    if not named(study) and study.model.family in (None, "bert"):
        return []  # the embedded language and a new BERT
    _check_files(study)
    # imported here because transformers takes seconds
    from prune_utils.data import tasks, text_check, vocabulary
    from prune_utils.training.model_folder import check as model_folder

    tokenizer, facts = None, []
    if hub or study.vocabulary is None or paths.given(study.vocabulary).exists():
        tokenizer = vocabulary.tokenizer_of(study)
        facts += vocabulary.check(study, tokenizer)
        facts += model_folder.check(study, tokenizer)
    if tokenizer and (hub or study.corpus.source == "local"):
        facts += text_check.check(study, tokenizer)
    for task in study.tasks:
        if hub or task.source == "local":
            facts += tasks.check(task_of(study, task.name), tokenizer, study.corpus.max_length)
    return facts


def _check_files(study: Study) -> None:
    """Raise ParamsError for a file or folder that does not exist and cannot be the name of something on the hub."""
    names = {"corpus.vocabulary", "model.pretrained"} | {f"tasks.{task.name}" for task in study.tasks}
    for key, name in named(study).items():
        hub = key in names or key.startswith(DATASETS)
        if not paths.given(name).exists() and not (hub and HUB_NAME.fullmatch(name)):
            also = ", and this cannot be a name on the hub" if hub else ""
            raise ParamsError(f"{key}: {paths.given(name)} does not exist{also}")


def _check_disk(study: Study) -> None:
    seeds, tasks = study.grid.seeds, study.tasks
    checkpoints = len(all_runs(study)) + CHECKPOINT_COPIES * study.machine.jobs
    checkpoints += len(seeds) * len(tasks) * len(study.finetuning.learning_rates)  # dense cells
    needed = checkpoints * shape(study).weights * BYTES_PER_WEIGHT + pairs_bytes(study) + sparse_bytes(study)
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
    wanted = {key: name for key, name in of_hub(study).items() if key not in study.inputs}
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
    lines = [f"{'!' if fact.odd else ' '} {fact.about}, {fact.what}: {fact.value}" for fact in facts]
    return "\n".join(["\ninputs:", *lines]) if facts else ""
