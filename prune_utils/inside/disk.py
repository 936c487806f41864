"""Bytes of the pruned models on disk, dense and sparse."""

import pandas as pd
from safetensors.torch import load_file

from prune_utils.pruning.sparse import FORMAT, identical, load_sparse, save_sparse
from prune_utils.study import paths
from prune_utils.study.grid import gradual_runs
from prune_utils.study.paths import WEIGHTS
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError


def sizes_frame(study: Study, seeds: list[int] | None = None) -> pd.DataFrame:
    """Write every gradual checkpoint of the seeds (default: the first) in the sparse format and read it back.

    Columns seed, sparsity, dense_bytes, sparse_bytes, format, dense_file, sparse_file: sizes on disk, paths below the
    study's results. Raises ParamsError if a file does not reproduce its checkpoint bit for bit.
    """
    results, rows = paths.results(study.study), []
    for run in gradual_runs(study, study.grid.seeds[:1] if seeds is None else seeds):
        folder, sparse = run.checkpoint(study.study), paths.sparse(study.study, run.sparsity, run.seed)
        dense = folder / WEIGHTS
        save_sparse(folder, sparse)
        if not identical(load_sparse(sparse), load_file(dense)):
            raise ParamsError(f"{sparse} does not reproduce {dense} bit for bit")
        sizes = {"dense_bytes": dense.stat().st_size, "sparse_bytes": sparse.stat().st_size, "format": FORMAT}
        files = {f"{kind}_file": str(f.relative_to(results)) for kind, f in (("dense", dense), ("sparse", sparse))}
        rows.append({"seed": run.seed, "sparsity": run.sparsity, **sizes, **files})
    return pd.DataFrame(rows)
