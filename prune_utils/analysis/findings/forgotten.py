"""What a pruned model forgets: dev examples that the dense model gets right and the pruned one wrong, by kind of example."""

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.noise.estimates import Estimate
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.predictions import encoded
from prune_utils.data.masked_tokens import frequencies
from prune_utils.study import paths
from prune_utils.study.grid import Cell
from prune_utils.study.schema import Study
from prune_utils.study.words import POINTS

ARM = "pretrain"
KINDS = {  # traits whose first and last group are compared: thirds, and of tokens that were not seen none and some
    "length": "length in tokens",
    "rarity": "rarest token",
    "unseen": "tokens that the training set lacks",
    "confidence": "confidence of the dense model",
}
THIRDS = 3


def traits(study: Study, task: str) -> pd.DataFrame:
    """One row per dev example of a task, in the order of the dev file: length, rarity, unseen and label.

    `length`: tokens. `rarity`: minus the decimal logarithm of the share that its rarest token has among the tokens of the text
    that the encoder was pre-trained on, counted with one more of each. `unseen`: whether it has a token that the task's training set does not have.
    """
    from datasets import load_from_disk  # takes a second, for which no other analysis waits

    training, dev = (encoded(paths.task_data(study.study, task) / part) for part in ("train", "dev"))
    pairs, seen = (
        load_from_disk(str(paths.data(study.study, "pairs"))),
        np.unique(np.concatenate(training["input_ids"])),
    )
    ids = dev["input_ids"]
    counts = frequencies(pairs, max(map(max, ids)) + 1) + 1
    shares = counts / counts.sum()
    rarity = [float(-np.log10(shares[np.asarray(one)].min())) for one in ids]
    unseen = [not np.isin(one, seen).all() for one in ids]
    lengths = [len(one) for one in ids]
    return pd.DataFrame({"length": lengths, "rarity": rarity, "unseen": unseen, "label": dev["labels"]})


def confidence(evidence: Evidence, study: Study, task: str) -> dict[int, pd.Series]:
    """The probability that the dense model of each seed gives to its prediction, by dev example; empty if it was not kept."""
    cells, found = evidence.cells, {}
    dense = cells[(cells.arm == "dense") & (cells.task == task) & cells.selected] if len(cells) else cells
    for row in dense.itertuples():
        place = Cell(task, "dense", 0.0, row.learning_rate, int(row.seed)).folder(study.study) / paths.CONFIDENCE
        if place.exists():
            found[int(row.seed)] = pd.Series(np.load(place, allow_pickle=False))
    return found


def flips(evidence: Evidence, study: Study) -> pd.DataFrame:
    """One row per task, seed, sparsity and group of dev examples: how many the dense model gets right, and how many of these are lost.

    Columns task, seed, target_sparsity, trait, group, examples, right, lost (share of `right`), gained (share of those that the
    dense model gets wrong). At a sparsity of 0, the dense model of another seed takes the place of the pruned one: what changes
    by chance. Groups are the thirds of `length`, `rarity` and `confidence` by rank, 1 the shortest, most frequent or
    least confident; ties are in the order of the file; `unseen`, 1 without and 2 with such tokens; and the labels. Tasks of regression have none.
    """
    rows = []
    for task, correct in (evidence.correct or {}).items():
        known, every = traits(study, task), correct.groupby(level=["arm", "target_sparsity", "seed"]).first()
        groups = {("label", str(label)): known.label == label for label in sorted(known.label.unique())}
        groups |= _thirds("length", known.length) | _thirds("rarity", known.rarity)
        if 0 < known.unseen.mean() < 1:
            groups |= {("unseen", "1"): ~known.unseen, ("unseen", "2"): known.unseen}
        sure = confidence(evidence, study, task)
        dense = {seed: row.to_numpy(bool) for (arm, _, seed), row in every.iterrows() if arm == "dense"}
        compared = [
            (s, seed, row.to_numpy(bool)) for (arm, s, seed), row in every.iterrows() if arm == ARM and seed in dense
        ]
        if len(dense) > 1:  # by chance alone: the dense model of the next seed in place of a pruned one
            compared += [
                (0.0, seed, dense[other]) for seed, other in zip(dense, [*dense][1:] + [*dense][:1], strict=True)
            ]
        for sparsity, seed, pruned in compared:
            of_seed = groups | (_thirds("confidence", sure[seed]) if seed in sure else {})
            for (trait, group), inside in of_seed.items():
                right, wrong = dense[seed] & inside.to_numpy(), ~dense[seed] & inside.to_numpy()
                shares = _mean(~pruned, right), _mean(pruned, wrong)
                rows.append([task, seed, sparsity, trait, group, int(inside.sum()), int(right.sum()), *shares])
    names = ["task", "seed", "target_sparsity", "trait", "group", "examples", "right", "lost", "gained"]
    return pd.DataFrame(rows, columns=names)


def _thirds(trait: str, values: pd.Series) -> dict[tuple[str, str], pd.Series]:
    third = values.rank(method="first").sub(1) * THIRDS // len(values) + 1
    return {(trait, str(n)): third == n for n in range(1, THIRDS + 1)}


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else np.nan


def calibration(evidence: Evidence) -> pd.DataFrame:
    """Expected calibration error by arm and sparsity, percent: mean over tasks of classification, and the ends of its interval.

    See `training.scores`. Empty if the results do not have it. The interval is that of means of accuracy, see `measured`.
    """
    cells = evidence.cells
    if "dev_ece" not in cells or cells.dev_ece.isna().all():
        return pd.DataFrame(columns=["arm", "target_sparsity", "dev_ece", "low", "high"])
    of_classes = cells[cells.task.isin(cells.dropna(subset="dev_ece").task)]
    means = accuracy_means(of_classes.assign(dev_accuracy=of_classes.dev_ece))
    found = POINTS * means.ends().assign(dev_ece=means.point)
    return found.rename_axis(["arm", "target_sparsity"]).reset_index()[
        ["arm", "target_sparsity", "dev_ece", "low", "high"]
    ]


def ends(found: pd.DataFrame) -> pd.DataFrame:
    """How much more is lost in the last group than in the first, in points: one row per trait and sparsity.

    Columns trait, target_sparsity, first, last (shares lost, percent, means over tasks and seeds), difference, low, high: its 95 %
    interval over seeds, NaN for one seed. `found`: see `flips`.
    """
    rows = []
    for (trait, sparsity), part in found[found.trait.isin(KINDS)].groupby(["trait", "target_sparsity"], sort=False):
        groups = part.group.agg(["min", "max"]).to_list()
        shares = (
            part.pivot_table(index=["seed", "task"], columns="group", values="lost").reindex(columns=groups).dropna()
        )
        if shares.empty:  # the dense model has nothing of a group right
            continue
        shares = POINTS * shares.groupby(level="seed").mean()
        estimate = Estimate.over_seeds((shares[groups[1]] - shares[groups[0]]).to_list())
        low, high = estimate.interval() or (np.nan, np.nan)
        rows.append([trait, sparsity, *shares.mean(), estimate.value, low, high])
    return pd.DataFrame(rows, columns=["trait", "target_sparsity", "first", "last", "difference", "low", "high"])
