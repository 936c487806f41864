"""Checks before any training: files, hub names and disk space."""

import re

from prune_utils.analysis.foreign import replay
from prune_utils.data.hub import repository
from prune_utils.data.hub.faults import DATASETS
from prune_utils.data.inputs import asked, named, place, revision, task_of
from prune_utils.study import paths
from prune_utils.study.grid import all_cells, all_runs
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
    ParamsError if disk space is too small, or if a hub input cannot be downloaded or cannot be right.
    """
    if isinstance(study, Replay):
        return study, facts
    _check_reports(study)
    away = of_hub(study)
    if away:
        study, revisions = pinned(study)
        for key in filter(away.get, ("corpus.vocabulary", "model.pretrained")):
            repository.model_folder(key, away[key], revision(study, key))
    _check_disk(study)
    return study, [*revisions, *check_inputs(study, whole=True)] if away else facts


def check_inputs(study: Study | Replay, whole: bool = False) -> list[Fact]:
    """Read every local input of a study once, as training will, and with `whole` those of the hub; return facts about them.

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
    if whole or study.vocabulary is None or place(study, "corpus.vocabulary"):
        tokenizer = vocabulary.tokenizer_of(study)
        facts += vocabulary.check(study, tokenizer)
        facts += model_folder.check(study, tokenizer)
    if tokenizer and (whole or study.corpus.source == "local"):
        facts += text_check.check(study, tokenizer)
    for task in study.tasks:
        if whole or task.source == "local":
            facts += tasks.check(task_of(study, task.name), tokenizer, study.corpus.max_length)
    return facts


def _check_files(study: Study) -> None:
    """Raise ParamsError for a file or folder that does not exist and cannot be the name of something on the hub."""
    names = {"corpus.vocabulary", "model.pretrained"} | {f"tasks.{task.name}" for task in study.tasks}
    for key, name in named(study).items():
        remote = key in names or key.startswith(DATASETS)
        if not paths.given(name).exists() and not (remote and HUB_NAME.fullmatch(name)):
            also = ", and this cannot be a name on the hub" if remote else ""
            raise ParamsError(f"{key}: {paths.given(name)} does not exist{also}")


def _check_reports(study: Study) -> None:
    """Raise ParamsError if curves are to be sent where transformers cannot send them."""
    if study.machine.report_to:
        from transformers.integrations import get_available_reporting_integrations

        there = get_available_reporting_integrations()
        if missing := [name for name in study.machine.report_to if name not in there]:
            raise ParamsError(
                f"machine.report_to is {missing[0]!r}, which transformers does not know or which is not installed; "
                f"available here: {', '.join(there) or 'none'}"
            )


def _check_disk(study: Study) -> None:
    kept = [cell for cell in all_cells(study) if cell.arm in ("dense", *study.machine.keep)]
    left = [one for one in (*all_runs(study), *kept) if not one.checkpoint(study.study).exists()]
    checkpoints = len(left) + CHECKPOINT_COPIES * study.machine.jobs if left else 0
    needed = checkpoints * shape(study).weights * BYTES_PER_WEIGHT
    needed += 0 if paths.data(study.study, "pairs").exists() else pairs_bytes(study)
    needed += 0 if paths.inside(study.study).exists() else sparse_bytes(study)
    free = free_bytes(study)
    if needed > free:
        raise ParamsError(
            f"{paths.results(study.study)} needs about {needed / 1e9:.1f} GB for {checkpoints} checkpoints and its data, "
            f"and the disk has {free / 1e9:.1f} GB free"
        )


def pinned(study: Study) -> tuple[Study, list[Fact]]:
    """The study with a revision of every hub input, and facts about them: from the hub, or else from its cache.

    A revision that the study has already is kept even if the hub has a newer one, which is reported. Raises
    ParamsError for an input that the hub does not have, or that can neither be reached nor found in the cache.
    """
    from huggingface_hub import constants

    inputs, facts, ask = dict(study.inputs), [], not constants.HF_HUB_OFFLINE
    for key, name in of_hub(study).items():
        wanted, said = asked(study).get(key), ""
        if key in inputs:
            here, newest = revision(study, key), repository.newest(key, name, wanted) if ask else None
            if odd := newest not in (None, here):
                said = f"; {wanted or 'main'} on the hub is now {newest[:12]}"
            ask = newest is not None  # wait for a silent hub once
        else:
            here, ask = repository.commit(key, name, wanted, ask)
            inputs[key], odd = f"{name}@{here}", not ask and not constants.HF_HUB_OFFLINE
            if not ask:
                said = "; the newest in the cache, since the hub cannot be reached"
        facts.append(Fact(key, "revision of the hub", f"{here[:12]}{said}", odd))
    return study.model_copy(update={"inputs": inputs}), facts


def told(facts: list[Fact]) -> str:
    """Format facts about the inputs of a study, one per line; "!" marks values worth checking."""
    lines = [f"{'!' if fact.odd else ' '} {fact.about}, {fact.what}: {fact.value}" for fact in facts]
    return "\n".join(["\ninputs:", *lines]) if facts else ""
