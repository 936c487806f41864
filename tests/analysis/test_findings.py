"""Each finding on accuracy case by case: supported, not supported, undecided, missing; numbers worked by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings import accuracy, fine_tuned_first, inside
from prune_utils.analysis.findings.lines import slopes_differ
from prune_utils.analysis.linearity import lines
from prune_utils.analysis.noise.estimates import Verdict
from prune_utils.analysis.noise.measured import accuracy_means, loss_means
from prune_utils.study.schema import Analysis

MARGINS = Analysis(accuracy_margin=1.0, loss_margin=0.1)
DENSE = 80.0  # percent


def evidence(changes, seeds=(0, 1, 2), losses=None):
    """Two tasks; `changes`: points from dense by (arm, sparsity); noise of ±0.05 points that no mean keeps."""
    noise = {0: -0.05, 1: 0.0, 2: 0.05}
    rows = [
        {
            "task": task,
            "arm": arm,
            "target_sparsity": s,
            "seed": seed,
            "dev_accuracy": (DENSE + change + seed + noise[seed] * (-1) ** place) / 100,
            "pretrain_loss": np.nan,
        }
        for task in ("a", "b")
        for seed in seeds
        for place, ((arm, s), change) in enumerate({("dense", 0.0): 0.0, **changes}.items())
    ]
    cells = pd.DataFrame(rows).assign(selected=True, learning_rate=1e-3)
    runs = pd.DataFrame(
        [
            {"method": "gradual", "target_sparsity": s, "seed": seed, "pretrain_loss": loss + 0.001 * seed * s}
            for s, loss in (losses or {}).items()
            for seed in seeds
        ]
    )
    return Evidence(cells, runs, accuracy_means(cells), loss_means(runs) if len(runs) else None, MARGINS)


def arm(name, **points):
    return {(name, int(key[1:]) / 100): change for key, change in points.items()}


CASES = [
    (accuracy.low_costs_nothing, arm("pretrain", s30=-0.2, s40=-0.3), "supported", -0.3),
    (accuracy.low_costs_nothing, arm("pretrain", s30=-3.0, s40=-4.0), "not supported", -4.0),
    (accuracy.low_costs_nothing, arm("pretrain", s30=-0.2, s40=-4.0), "not supported", -4.0),
    (accuracy.low_costs_nothing, arm("pretrain", s30=-1.0), "undecided", -1.0),  # exactly at the margin
    (
        accuracy.medium_is_deletion,
        arm("pretrain", s40=-2, s60=-4) | arm("information_deletion", s40=-2.2, s60=-3.4),
        "supported",
        0.2,
    ),
    (
        accuracy.medium_is_deletion,
        arm("pretrain", s50=-4) | arm("information_deletion", s50=-1),
        "not supported",
        3.0,
    ),
    (accuracy.medium_is_deletion, arm("pretrain", s50=2) | arm("information_deletion", s50=2), "not supported", 0.0),
    (accuracy.high_is_also_complexity, arm("pretrain", s90=-9) | arm("information_deletion", s90=-5), "supported", 4.0),
    (
        accuracy.high_is_also_complexity,
        arm("pretrain", s70=-9, s90=-5) | arm("information_deletion", s70=-1, s90=-9),
        "not supported",
        -4.0,  # at the highest sparsity
    ),
    (
        fine_tuned_first.fine_tuning_first_is_no_help,
        arm("pretrain", s40=-1, s80=-5) | arm("downstream", s40=-2, s80=-7),
        "supported",
        -1.5,
    ),
    (
        fine_tuned_first.fine_tuning_first_is_no_help,
        arm("pretrain", s50=-5) | arm("downstream", s50=-2),
        "not supported",
        3.0,
    ),
    (  # against a dense model that was trained as long, and 4 points better for it
        fine_tuned_first.fine_tuning_first_is_no_help,
        arm("pretrain", s50=-5) | arm("downstream", s0=4, s50=-1),
        "supported",
        0.0,
    ),
    (
        fine_tuned_first.fine_tuning_first_is_no_help,
        arm("pretrain", s50=-5) | arm("downstream", s0=-2, s50=-5),
        "not supported",
        2.0,
    ),
    (
        accuracy.magnitude_beats_random,
        arm("pretrain", s50=-1, s90=-9) | arm("random", s50=-6, s90=-9),
        "supported",
        5.0,
    ),
    (fine_tuned_first.low_costs_nothing_after_tuning, arm("downstream", s30=-0.3, s40=-0.1), "supported", -0.1),
    (fine_tuned_first.low_costs_nothing_after_tuning, arm("downstream", s30=-3.0, s40=-0.1), "not supported", -0.1),
    (
        fine_tuned_first.low_costs_nothing_after_tuning,
        arm("downstream", s40=-1.0),
        "undecided",
        -1.0,
    ),  # exactly at the margin
    (
        fine_tuned_first.low_costs_nothing_after_tuning,
        arm("pretrain", s30=0) | arm("downstream", s0=3, s30=0),
        "not supported",
        -3.0,
    ),
    (
        fine_tuned_first.low_costs_nothing_after_tuning,
        arm("pretrain", s30=0) | arm("downstream", s0=-3, s30=-3.2),
        "supported",
        -0.2,
    ),
    (accuracy.magnitude_beats_random, arm("pretrain", s50=-6) | arm("random", s50=-1), "not supported", -5.0),
    (
        accuracy.global_does_as_well,
        arm("pretrain", s30=-1, s50=-2, s90=-9) | arm("global", s30=-9, s50=-1.6, s90=-9),  # from 40 % up
        "supported",
        0.2,
    ),
    (accuracy.global_does_as_well, arm("pretrain", s50=-2) | {("global", 0.5): -5.0}, "not supported", -3.0),
    (accuracy.global_does_as_well, arm("pretrain", s50=-5) | {("global", 0.5): -2.0}, "not supported", 3.0),
]


@pytest.mark.parametrize("find, changes, verdict, measured", CASES)
def test_a_finding_worked_by_hand(find, changes, verdict, measured):
    found = find(evidence(changes))
    assert found.verdict == verdict, found.why
    assert found.estimate.value == pytest.approx(measured, abs=0.06)  # the noise of means over three seeds is 0
    low, high = found.estimate.interval()
    assert low < measured + 0.06 and high > measured - 0.06


@pytest.mark.parametrize("find, changes, verdict, measured", CASES)
def test_no_verdict_hangs_on_rounding(find, changes, verdict, measured):
    """Processors differ in the last digits of a sum: so do these accuracies."""
    base = evidence(changes)
    for draw in range(3):
        last = 1 + 1e-15 * np.random.default_rng(draw).uniform(-1, 1, len(base.cells))
        cells = base.cells.assign(dev_accuracy=base.cells.dev_accuracy * last)
        assert find(replace(base, cells=cells, accuracy=accuracy_means(cells))).verdict == verdict


@pytest.mark.parametrize("find, changes, verdict, measured", CASES)
def test_one_seed_decides_nothing(find, changes, verdict, measured):
    found = find(evidence(changes, seeds=(1,)))
    assert found.verdict is Verdict.UNDECIDED and found.estimate.value == pytest.approx(measured)


@pytest.mark.parametrize("find", sorted({find for find, *_ in CASES}, key=lambda find: find.__name__))
def test_a_finding_without_its_cells_says_so(find):
    found = find(evidence({("scratch", 0.0): -20.0}))
    assert found.verdict is Verdict.UNDECIDED and found.estimate is None
    assert found.why.startswith(("not measured: ", "the study has no arm "))


@pytest.mark.parametrize("rise, verdict", [(0.02, "supported"), (0.5, "not supported")])
def test_low_pruning_must_keep_the_pretraining_loss_too(rise, verdict):
    found = accuracy.low_costs_nothing(evidence(arm("pretrain", s30=-0.1), losses={0.0: 2.0, 0.3: 2.0 + rise}))
    assert found.verdict == verdict and f"{rise:+.2f}" in found.why


def test_the_end_that_leaves_a_claim_open_is_named():
    found = fine_tuned_first.low_costs_nothing_after_tuning(evidence(arm("downstream", s30=-1.0, s40=-0.1)))
    assert found.verdict is Verdict.UNDECIDED and found.why.endswith("; open at 30 %")
    assert (
        "open"
        not in fine_tuned_first.low_costs_nothing_after_tuning(evidence(arm("downstream", s30=-0.1, s40=-0.1))).why
    )


def test_a_global_arm_below_40_percent_is_not_compared():
    found = accuracy.global_does_as_well(evidence(arm("pretrain", s30=-1) | arm("global", s30=-1)))
    assert found.why == "not measured: pretrain and global at 40 % or above"


def test_heads_cut_in_one_shot_are_averaged_as_those_of_the_runs_are():
    heads = pd.DataFrame({"seed": [0, 0, 1, 1], "sparsity": 0.5, "pruned_share": [0.52, 0.48, 0.54, 0.46]})
    both = {"heads": heads, "heads_one_shot": heads}
    found = inside.no_head_is_spared_or_lost(replace(evidence(arm("pretrain", s50=-1)), analyses=both))
    assert found.estimate.value == pytest.approx(3.0) and "; +3.0 if the 0 % run is cut in one shot" in found.why


@pytest.mark.parametrize(
    "correlation, least, verdict",
    [(-0.3, 0.01, "supported"), (0.3, 0.01, "not supported"), (-0.3, 0.2, "not supported"), (0.0, 0.01, "undecided")],
)
def test_subwords_need_a_correlation_and_a_spared_dimension(correlation, least, verdict):
    embeddings = pd.DataFrame({"seed": [0, 1, 2] * 2, "sparsity": [0.3] * 3 + [0.5] * 3, "pruned_share": 0.5})
    embeddings["correlation"] = [0.9] * 3 + [correlation - 0.01, correlation, correlation + 0.01]  # from 40 % up
    embeddings["least"] = [0.5] * 3 + [least, 1.01 * least, 0.99 * least]
    embeddings = embeddings.assign(spared=int(least < 0.05), dimensions=8)
    base = evidence(arm("pretrain", s50=-1))
    found = inside.short_subwords_lose_more(replace(base, analyses={"embeddings": embeddings}))
    assert found.verdict == verdict and found.estimate.value == pytest.approx(correlation)
    assert f"loses {200 * least:.0f} % of what all lose" in found.why
    alone = replace(base, analyses={"embeddings": embeddings[embeddings.seed == 0]})
    assert inside.short_subwords_lose_more(alone).verdict is Verdict.UNDECIDED
    low = replace(base, analyses={"embeddings": embeddings[embeddings.sparsity == 0.3]})
    assert inside.short_subwords_lose_more(low).why.startswith("not measured: ")


def test_losses_that_differ_by_rounding_are_one_point_of_a_line():
    base = evidence(arm("information_deletion", s30=-1.0, s50=-2.0, s90=-9.0))
    loss = {0.0: 1.76, 0.3: np.nextafter(1.76, 0), 0.5: 1.85, 0.9: np.nextafter(1.85, 2)}
    two = replace(base, cells=base.cells.assign(pretrain_loss=base.cells.target_sparsity.map(loss)))
    assert lines(two, floor=False) == {} and slopes_differ(two).estimate is None
    loss = {0.0: 1.76, 0.3: 1.8, 0.5: 1.85, 0.9: 2.5}
    four = replace(base, cells=base.cells.assign(pretrain_loss=base.cells.target_sparsity.map(loss)))
    assert set(lines(four, floor=False)) == {"a", "b"}
