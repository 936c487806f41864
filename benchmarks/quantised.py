"""Measure what int8 costs in accuracy: dev accuracy of the fine-tuned models that a finished study keeps, in float32 and in int8.

int8 is torch's dynamic quantisation of the linear layers, as in inference.py. A study keeps its dense models and those of the arms
of `machine.keep`. Tasks of regression are left out.
"""

import argparse

import numpy as np
import pandas as pd
from inference import int8
from transformers import AutoModelForSequenceClassification

from prune_utils.analysis.noise.estimates import Estimate
from prune_utils.data import prepared
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.study.grid import all_cells
from prune_utils.study.params import load_study
from prune_utils.study.words import POINTS
from prune_utils.training.loop.trainer import predict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("params", help="params of a finished study")
    study = load_study(parser.parse_args().params)
    tokenizer, rows = tokenizer_of(study), []
    machine = study.machine.model_copy(update={"precision": "float32"})  # which int8 kernels read
    for cell in all_cells(study):
        if not (place := cell.checkpoint(study.study)).exists():
            continue
        row = study.arm_table.rows.get(cell.arm)
        pattern = row.pattern if row else "matrix"
        model, _, sparsity = load_checkpoint(AutoModelForSequenceClassification, place, cell.sparsity, pattern)
        _, dev = prepared.task_data(study, cell.task, tokenizer)
        labels, unlabelled = np.asarray(dev[:]["labels"]), dev.remove_columns("labels")
        if labels.dtype.kind == "f":
            continue
        found = [predict(each, unlabelled, machine, tokenizer)[0].argmax(1) for each in (model, int8(model))]
        shares = [POINTS * float((predicted == labels).mean()) for predicted in found]
        rows.append(
            [cell.arm, cell.sparsity, cell.task, cell.seed, *shares, POINTS * float((found[0] != found[1]).mean())]
        )
    names = ["arm", "sparsity", "task", "seed", "float32", "int8", "changed"]
    frame = pd.DataFrame(rows, columns=names).assign(change=lambda f: f.int8 - f.float32)
    for (arm, sparsity), part in frame.groupby(["arm", "sparsity"]):
        by_seed = part.groupby("seed").change.mean()
        low, high = Estimate.over_seeds(by_seed).interval() or (np.nan, np.nan)
        print(
            f"{arm} {POINTS * sparsity:.0f} %: float32 {part.float32.mean():.2f} %, int8 {part.int8.mean():.2f} %, change "
            f"{by_seed.mean():+.2f} points [{low:.2f}, {high:.2f}], at worst {part.change.min():+.2f}; predictions changed "
            f"{part.changed.mean():.2f} %; {len(part)} models, {len(by_seed)} seeds"
        )


if __name__ == "__main__":
    main()
