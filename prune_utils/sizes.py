"""How large things are, known before anything is loaded."""

import shutil

from prune_utils import paths
from prune_utils.schema import Study
from prune_utils.sources import Task

GLUE_TRAIN = {"MNLI": 392_702, "QQP": 363_846, "QNLI": 104_743, "SST-2": 67_349, "CoLA": 8_551}  # Wang et al. 2018


def train_size(task: Task) -> int:
    """Training examples of a task: as asked for, as many as its file has lines, or as GLUE is known to have."""
    if task.source == "embedded":
        return task.train
    if task.source == "local":
        with (paths.given(task.folder) / task.train).open("rb") as lines:
            return sum(1 for _ in lines)
    return GLUE_TRAIN.get(task.name, 100_000)


def parameters(study: Study) -> int:
    """Weights of the study's model, roughly: BERT-Base's where it is a named one."""
    shape = study.model
    if shape.pretrained:
        return 110_000_000
    layer = 4 * shape.hidden_size**2 + 2 * shape.hidden_size * shape.intermediate_size
    vocabulary = 1_000 if study.corpus.source == "embedded" else 30_522
    return shape.num_hidden_layers * layer + vocabulary * shape.hidden_size


def pairs_bytes(study: Study) -> int:
    """Bytes of the prepared sentence pairs at most, twice: they are cached while they are written."""
    recipe = study.pretraining
    examples = recipe.batch_size * max(recipe.burn_in_steps, recipe.steps)
    return 2 * examples * study.corpus.max_length * 3 * 4  # three columns of int32


def free_bytes(study: Study) -> int:
    """Bytes free where the results go."""
    folder = paths.results(study.study)
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
