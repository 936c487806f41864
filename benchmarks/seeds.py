"""What fewer seeds would have decided: the verdicts and borders of every subset of the seeds of a finished study.

Reads the frames of the study alone; nothing is trained.
"""

import argparse
from itertools import combinations

import pandas as pd

from prune_utils.analysis import evidence
from prune_utils.analysis.claims import claims_table
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.noise.estimates import Verdict
from prune_utils.analysis.noise.measured import accuracy_means, loss_means
from prune_utils.analysis.regimes import find
from prune_utils.study.params import load_study
from prune_utils.study.words import percent

SIGNS = {Verdict.SUPPORTED: "+", Verdict.NOT_SUPPORTED: "-", Verdict.UNDECIDED: "."}


def of_seeds(whole: Evidence, seeds: tuple[int, ...]) -> Evidence:
    """The evidence of some of the seeds."""

    def cut(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame.seed.isin(seeds)].reset_index(drop=True) if "seed" in frame else frame

    def right(known: dict | None) -> dict | None:
        return known and {
            task: frame[frame.index.get_level_values("seed").isin(seeds)] for task, frame in known.items()
        }

    cells, runs, correct = cut(whole.cells), cut(whole.runs), right(whole.correct)
    analyses = {name: cut(frame) for name, frame in whole.analyses.items()}
    means = accuracy_means(cells, correct), loss_means(runs)
    return Evidence(cells, runs, *means, whole.margins, analyses, correct, right(whole.first_correct))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("params", help="params of a finished study")
    study = load_study(parser.parse_args().params)
    whole = evidence.evidence_of(study)
    for count in range(2, len(study.grid.seeds) + 1):
        decided = []
        for seeds in combinations(study.grid.seeds, count):
            found = of_seeds(whole, seeds)
            verdicts = claims_table(found).set_index("claim").verdict
            regimes = find(found.accuracy, found.loss, found.margins)
            ends = [
                f"{name} {percent(border.estimate)} [{', '.join(map(percent, border.interval))}]"
                for name, border in (("low until", regimes.low), ("high from", regimes.high))
                if border.estimate is not None and border.interval and None not in border.interval
            ]
            signs = " ".join(f"{claim}{SIGNS[verdict]}" for claim, verdict in verdicts.items())
            decided.append(int((verdicts != Verdict.UNDECIDED).sum()))
            print(f"seeds {', '.join(map(str, seeds))}: {decided[-1]} decided: {signs}; {'; '.join(ends)}")
        print(f"{count} seeds: {sum(decided) / len(decided):.1f} of {len(verdicts)} claims decided on average\n")


if __name__ == "__main__":
    main()
