"""Write one model of a finished study as a folder that needs nothing but transformers."""

from pathlib import Path

import pandas as pd
import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.export.card import Made, card
from prune_utils.export.shrinking import parameters, shrunk
from prune_utils.pruning.families import FAMILIES
from prune_utils.pruning.matrices import sparsities
from prune_utils.study import paths
from prune_utils.study.files import whole_folder
from prune_utils.study.grid import Cell, Run
from prune_utils.study.record import read_csv
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError

CLOSE = 1e-4  # largest relative difference of outputs that the order of sums explains in float32


def export(study: Study, arm: str, sparsity: float, seed: int, task: str | None = None) -> Path:
    """Write results/<study>/exported/<name>/ and return it: config, weights, tokenizer, and a model card.

    Without a task, it is the pre-trained model of an arm that is pruned in pre-training, with its heads; with one, the cell's
    fine-tuned model, which `machine.keep` has kept. Units that do not affect the output are cut out. Raises ParamsError for a
    model that the study does not have.
    """
    if not (paths.results(study.study) / paths.REGIMES).exists():
        raise ParamsError(f"study '{study.study}' has no analysis yet, which the model card quotes; run it first")
    chosen = _cell(study, arm, sparsity, seed, task)
    source = chosen.checkpoint(study.study) if task else _run(study, chosen).checkpoint(study.study)
    if not source.exists():
        raise ParamsError(f"{paths.shown(source)} was not kept; set machine.keep: [{arm}] before the cell is trained")
    full = _load(source, task).eval()
    small = shrunk(full).eval()
    apart = difference(full, small)
    if not apart <= CLOSE:  # nor NaN
        raise ParamsError(f"outputs of the smaller model differ by {apart:.1e} of their size; allowed is {CLOSE:g}")
    name = "-".join([arm, f"{round(100 * sparsity):02d}", f"seed-{seed}", *([task] if task else [])])
    target = paths.exported(study.study, name)
    with whole_folder(target) as unfinished:
        small.save_pretrained(unfinished)
        tokenizer_of(study).save_pretrained(unfinished)
        sizes = [sum(f.stat().st_size for f in place.glob(paths.WEIGHTS)) for place in (source, unfinished)]
        made = Made(study, chosen, task, sparsities(full), (parameters(full), parameters(small)), tuple(sizes), apart)
        (unfinished / "README.md").write_text(card(made), encoding="utf-8")
    return target


def _cell(study: Study, arm: str, sparsity: float, seed: int, task: str | None) -> Cell:
    """The first fine-tuning with these coordinates, of the learning rate selected for it. Raises ParamsError if there is none."""
    allowed = {
        "arm": (arm, study.grid.arms),
        "sparsity": (sparsity, [s for s in study.grid.sparsities if study.arm_table.has(arm, s)]),
        "seed": (seed, study.grid.seeds),
        "task": (task, [None, *(one.name for one in study.tasks)]),
    }
    for key, (value, values) in allowed.items():
        if value not in values:
            raise ParamsError(f"{key} is {value!r}; allowed are {', '.join(map(str, values))}")
    named = task or study.tasks[0].name
    cells = read_csv(paths.results(study.study) / paths.CELLS)
    coordinates = {"arm": arm, "target_sparsity": sparsity, "seed": seed, "task": named, "selected": True}
    cells = cells[cells.repeat == 0] if "repeat" in cells else cells  # each repeat has a rate of its own
    found = cells.loc[(cells[[*coordinates]] == pd.Series(coordinates)).all(axis=1)]
    if found.empty:
        raise ParamsError(f"study '{study.study}' has no finished cell of {arm}, {sparsity:g}, {named}, seed {seed}")
    return Cell(named, arm, sparsity, float(found.learning_rate.iloc[0]), seed)


def _run(study: Study, cell: Cell) -> Run:
    """The pre-training run whose zeros a cell has. Raises ParamsError for an arm that is not pruned in pre-training."""
    run = cell.pretrained(study)
    if run is None or (cell.sparsity and run.sparsity != cell.sparsity):
        raise ParamsError(f"arm {cell.arm} is not pruned in pre-training; give a task whose fine-tuned model was kept")
    return run


def _load(source: Path, task: str | None) -> PreTrainedModel:
    """A checkpoint as the class that its users know, without our masks."""
    if task:
        return AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32)
    kind = AutoConfig.from_pretrained(source).model_type
    return getattr(transformers, FAMILIES[kind].trained).from_pretrained(source, dtype=torch.float32)


@torch.no_grad()
def difference(full: PreTrainedModel, small: PreTrainedModel) -> float:
    """The largest difference of two models' logits on random tokens, as a share of the largest logit."""
    ids = torch.randint(5, full.config.vocab_size, (4, 16), generator=torch.Generator().manual_seed(0))
    ours, theirs = full(ids)[0], small(ids)[0]
    return float((ours - theirs).abs().max() / ours.abs().max())
