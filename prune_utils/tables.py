"""Tables and captions of the report."""

import pandas as pd

from prune_utils.frames import missing
from prune_utils.schema import ARMS, Study


def gathered(study: Study, cells: pd.DataFrame, runs: pd.DataFrame) -> str:
    """What there is and what there is not, a line each."""
    holes = missing(study)
    lines = [
        f"study {study.study}: {len(cells)} fine-tuned cells, {len(runs)} pre-training runs, {len(holes)} cells missing"
    ]
    return "\n".join(lines + [f"missing: {cell}" for cell in holes])


def origin(study: Study) -> str:
    """What may be concluded from the text that a study was made with."""
    if study.corpus.source == "embedded":
        return (
            "The text is the package's own small English, **built to show the effect**: its tasks need what pre-training "
            "on it teaches. What is found here shows how the analysis works; real text is what tests the claim."
        )
    return "The text and the tasks are real."


def caption(cells: pd.DataFrame) -> str:
    """What a figure over all cells is made of."""
    sizes = cells.groupby("task").dev_examples.first()
    tasks = ", ".join(f"{task} ({count:,} dev examples)" for task, count in sizes.items())
    seeds = ", ".join(map(str, sorted(cells.seed.unique())))
    return (
        f"*Means over {tasks}; seeds {seeds}: each small dot is one seed, a line joins their means. "
        "Sparsity counts zeros in the prunable matrices.*"
    )


def table_one(cells: pd.DataFrame) -> pd.DataFrame:
    """Dev accuracy in percent | train loss in nats, means over seeds: rows arm and sparsity, a column a task."""
    chosen = cells[cells.selected]
    means = chosen.groupby(["arm", "target_sparsity", "task"])[["dev_accuracy", "train_loss"]].mean()
    means.loc[:, "dev_accuracy"] *= 100
    text = means.dev_accuracy.map("{:.1f} | ".format) + means.train_loss.map("{:.2f}".format)
    table = text.unstack("task").fillna("")
    averages = means.groupby(level=["arm", "target_sparsity"]).mean()
    averages = averages[means.groupby(level=["arm", "target_sparsity"]).size() == chosen.task.nunique()]
    table["average"] = averages.dev_accuracy.map("{:.1f} | ".format) + averages.train_loss.map("{:.2f}".format)
    return table.reindex([arm for arm in ARMS if arm in table.index.levels[0]], level="arm")


def pretraining_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Held-out losses (nats) and accuracies, means over seeds: rows method and sparsity."""
    columns = ["pretrain_loss", "mlm_loss", "mlm_accuracy", "nsp_loss", "nsp_accuracy", "realised_sparsity"]
    return runs.groupby(["method", "target_sparsity"])[columns].mean().round(3)


def made_with(cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Versions, hardware and commits behind the numbers, and the seconds that training took."""
    everything = pd.concat([cells, runs])
    facts = ["device", "precision", "python", "torch", "transformers", "datasets", "commit"]
    rows = {fact: ", ".join(sorted(set(everything[fact]))) for fact in facts}
    rows["seconds of pre-training"] = f"{runs.seconds.sum():,.0f}"
    rows["seconds of fine-tuning"] = f"{cells.seconds.sum():,.0f}"
    rows["finished"] = everything.finished.max()
    return pd.DataFrame({"": rows})
