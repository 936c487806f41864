"""Where the low, medium and high regimes of pruning begin, and sentences that say what was found."""

from dataclasses import asdict, dataclass

import pandas as pd

from prune_utils.frames import from_dense, mean_over_tasks
from prune_utils.schema import Analysis

POINTS = 100  # points of accuracy in one


@dataclass(frozen=True)
class Regimes:
    """`low_until`: the last sparsity without loss; `high_from`: the first at which information deletion wins.

    None where the cells that would decide are not there, or where no sparsity qualifies.
    """

    low_until: float | None
    high_from: float | None

    def of(self, sparsity: float) -> str:
        if self.low_until is not None and sparsity <= self.low_until:
            return "low"
        return "high" if self.high_from is not None and sparsity >= self.high_from else "medium"

    def as_dict(self) -> dict:
        return asdict(self)


def curves(cells: pd.DataFrame, pretraining: pd.DataFrame) -> pd.DataFrame:
    """By sparsity, means over seeds: `accuracy` and `train_loss` (over tasks too) of each arm, `pretrain_loss` of
    each method's runs. One row a sparsity, columns (quantity, arm)."""
    parts = {}
    for value in ("dev_accuracy", "train_loss"):
        means = from_dense(mean_over_tasks(cells, value))
        parts[value] = means.pivot_table(index="target_sparsity", columns="arm", values=value)
    runs = pretraining[pretraining.method != "dense"]
    parts["pretrain_loss"] = runs.pivot_table(index="target_sparsity", columns="method", values="pretrain_loss")
    return pd.concat(parts, axis=1)


def find(table: pd.DataFrame, margins: Analysis) -> Regimes:
    """The regimes of `curves`, by the study's definitions.

    Low: the sparsities from 0 up at which mean dev accuracy is at most `accuracy_margin` points below the
    un-pruned model's, and pre-training loss at most `loss_margin` above. High: from the smallest sparsity at
    and above which information deletion beats the pruned arm by more than `accuracy_margin` points.
    """
    margin = margins.accuracy_margin / POINTS
    low, high = None, None
    if ("dev_accuracy", "pretrain") in table:
        accuracy, loss = table["dev_accuracy", "pretrain"], table["pretrain_loss", "gradual"]
        fits = (accuracy >= accuracy.iloc[0] - margin) & (loss <= loss.iloc[0] + margins.loss_margin)
        low = float(table.index[fits.cummin()].max()) if fits.iloc[0] else None
    if ("dev_accuracy", "information_deletion") in table:
        gain = table["dev_accuracy", "information_deletion"] - table["dev_accuracy", "pretrain"]
        wins = (gain.dropna() > margin)[::-1].cummin()[::-1]
        high = float(wins.index[wins].min()) if wins.any() else None
    return Regimes(low, high)


def sentences(cells: pd.DataFrame, table: pd.DataFrame, regimes: Regimes, margins: Analysis) -> list[str]:
    """What was found in this run, each sentence made from its numbers."""
    found = [_transfer(cells)] if "scratch" in set(cells.arm) else []
    seeds = cells.seed.nunique()
    found.append(
        f"Means are over {cells.task.nunique()} tasks and {seeds} seed{'s' if seeds > 1 else ''}; a difference of "
        f"up to {margins.accuracy_margin:g} points of accuracy, or {margins.loss_margin:g} nats of pre-training "
        "loss, counts as none."
    )
    if ("dev_accuracy", "pretrain") not in table:
        return [*found, "Without the pretrain arm nothing can be said of the regimes."]
    found.append(_low(table, regimes))
    middle = [s for s in table.index if regimes.of(s) == "medium"]
    if ("dev_accuracy", "information_deletion") in table:
        found += [_medium(table, middle)] if middle else ["No sparsity measured lies in a medium regime."]
        found.append(_high(table, regimes))
    if ("dev_accuracy", "random") in table:
        gap = (table["dev_accuracy", "pretrain"] - table["dev_accuracy", "random"]).iloc[1:]
        found.append(
            f"Magnitude against random masks: the largest difference is {_points(gap.max())}, at {_percent(gap.idxmax())}; "
            f"the smallest {_points(gap.min())}, at {_percent(gap.idxmin())}."
        )
    return found


def _transfer(cells: pd.DataFrame) -> str:
    chosen = cells[cells.selected & cells.arm.isin(["dense", "scratch"])]
    mean = chosen.pivot_table(index="task", columns="arm", values="dev_accuracy")
    gains = [f"{_points(row.dense - row.scratch)} on {task}" for task, row in mean.iterrows()]
    return f"What pre-training is worth here, the dense model against one fine-tuned from scratch: {', '.join(gains)}."


def _low(table: pd.DataFrame, regimes: Regimes) -> str:
    if not regimes.low_until:
        return "No pruned model was without loss: there is no low regime among the sparsities measured."
    row, dense = table.loc[regimes.low_until], table.iloc[0]
    return (
        f"Low, up to {_percent(regimes.low_until)}: there the pruned model scores "
        f"{_points(row['dev_accuracy', 'pretrain'] - dense['dev_accuracy', 'pretrain'])} and its pre-training loss is "
        f"{row['pretrain_loss', 'gradual'] - dense['pretrain_loss', 'gradual']:+.3f} nats from the un-pruned."
    )


def _medium(table: pd.DataFrame, middle: list[float]) -> str:
    said = []
    for s in middle:
        fall = table.loc[s, "dev_accuracy"] - table.iloc[0]["dev_accuracy"]
        said.append(
            f"{_percent(s)} (pretrain {_points(fall['pretrain'])}, information deletion "
            f"{_points(fall['information_deletion'])})"
        )
    gain = table.loc[middle, ("dev_accuracy", "information_deletion")] - table.loc[middle, ("dev_accuracy", "pretrain")]
    return (
        f"Medium, at {', '.join(said)}: giving the pruned weights back changes accuracy by "
        f"{_points(gain[gain.abs().idxmax()])} at most."
    )


def _high(table: pd.DataFrame, regimes: Regimes) -> str:
    if regimes.high_from is None:
        return "At no sparsity measured does information deletion beat the pruned model: there is no high regime here."
    row = table.iloc[-1]
    return (
        f"High, from {_percent(regimes.high_from)}: at {_percent(table.index[-1])} the pruned model's train loss is "
        f"{row['train_loss', 'pretrain']:.2f} against {table.iloc[0]['train_loss', 'pretrain']:.2f} un-pruned; without "
        f"the mask it is {row['train_loss', 'information_deletion']:.2f}, and accuracy is "
        f"{_points(row['dev_accuracy', 'information_deletion'] - row['dev_accuracy', 'pretrain'])} better."
    )


def _points(difference: float) -> str:
    return f"{POINTS * difference:+.1f} points"


def _percent(sparsity: float) -> str:
    return f"{100 * sparsity:.0f} %"
