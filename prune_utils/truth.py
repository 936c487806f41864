"""A study's plan held against what its trainings took."""

import pandas as pd

from prune_utils import paths
from prune_utils.files import read_json
from prune_utils.schema import Replay, Study

TRAINED = ["burn-in", "pre-training", "fine-tuning"]  # the stages whose results tell their seconds
HOUR = 3600


def estimate_against_truth(study: Study | Replay, cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows burn-in, pre-training, fine-tuning; columns runs planned and finished, estimated and measured seconds.

    Seconds of training, one job after another; the estimates are missing (NaN) where no plan was made before. No
    rows of a replay.
    """
    if isinstance(study, Replay):
        return pd.DataFrame(columns=["planned", "finished", "estimated seconds", "measured seconds"])
    burn_in = runs.method == "dense"
    measured = [runs[burn_in].seconds, runs[~burn_in].seconds, cells.seconds]
    truth = pd.DataFrame(
        {"finished": map(len, measured), "measured seconds": [s.sum() for s in measured]},
        index=pd.Index(TRAINED, name="stage"),
    )
    file = paths.results(study.study) / paths.PLAN
    rows = pd.DataFrame(read_json(file)["rows"] if file.exists() else [], columns=["stage", "runs", "hours_here"])
    sums = rows.groupby("stage")[["runs", "hours_here"]].sum().reindex(TRAINED)
    planned = pd.DataFrame({"planned": sums.runs, "estimated seconds": HOUR * sums.hours_here})
    return planned.join(truth)[["planned", "finished", "estimated seconds", "measured seconds"]]
