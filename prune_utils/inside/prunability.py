"""How far fine-tuning moves weights and masks, and what fine-tuning first gains (paper §5)."""

import pandas as pd
from tqdm.auto import tqdm

from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.movement import mask_differences, movement
from prune_utils.study import paths, record
from prune_utils.study.grid import Run, cells, delayed
from prune_utils.study.schema import Study
from prune_utils.training.fine_tune_first import fine_tune_first
from prune_utils.training.finetuning import fine_tuned, finetune, run_masks
from prune_utils.training.modeling import MaskedEncoder


def measure(study: Study, seeds: list[int]) -> dict[str, pd.DataFrame]:
    """Make the frames of `compared` and `fine_tuned_first` for several seeds, and write them as CSV per seed."""
    found: dict[str, list[pd.DataFrame]] = {}
    for seed in seeds:
        for name, frame in {**compared(study, seed), "fine_tune_first": fine_tuned_first(study, seed)}.items():
            record.write_csv(frame, study, paths.prunability_frame(study.study, seed, name))
            found.setdefault(name, []).append(frame)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def compared(study: Study, seed: int) -> dict[str, pd.DataFrame]:
    """Compare every dense fine-tuned model of a seed with its pre-trained model; missing ones are trained.

    `movement`: mean and std (fractions of n) by task and learning rate. `movement_by_rank`: mean by decile of
    starting rank, where 1 has the smallest magnitudes. `mask_difference`: by sparsity, see `mask_differences`.
    """
    rows: dict[str, list[dict]] = {"movement": [], "movement_by_rank": [], "mask_difference": []}
    dense = [cell for task in study.tasks for cell in cells(study, task.name, seed, [0.0], ["dense"])]
    for cell in tqdm(dense, desc="fine-tuned models"):
        if finetune(study, cell)["dev_accuracy"] is None:
            continue  # diverged: weights that are not finite have no rank
        key = {"task": cell.task, "seed": seed, "learning_rate": cell.learning_rate}
        start, _, _ = load_checkpoint(MaskedEncoder, cell.pretrained(study).checkpoint(study.study), 0.0)
        before, after = prunable_matrices(start), prunable_matrices(fine_tuned(study, cell))
        moved = movement(before, after)
        epochs = study.finetuning.epochs.dense
        rows["movement"].append({**key, "epochs": epochs, "mean": moved.mean, "std": moved.std})
        rows["movement_by_rank"] += [
            {**key, "decile": decile, "mean": mean} for decile, mean in enumerate(moved.by_starting_rank, start=1)
        ]
        rows["mask_difference"] += [
            {**key, "sparsity": s, **mask_differences(run_masks(study, Run("gradual", s, seed)), before, after, s)}
            for s in study.grid.sparsities[1:]
        ]
    return {name: pd.DataFrame(table) for name, table in rows.items()}


def fine_tuned_first(study: Study, seed: int) -> pd.DataFrame:
    """One row per task and number of epochs, see `fine_tune_first`."""
    wanted = [cell for task in study.tasks for cell in delayed(study, task.name, seed)]
    return pd.DataFrame([fine_tune_first(study, cell) for cell in tqdm(wanted, desc="fine-tuned first")])
