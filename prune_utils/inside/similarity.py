"""Similarity of the features of pruned and unpruned models, layer by layer (paper Fig. 2, right)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.functional import cosine_similarity
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from prune_utils.data import prepared
from prune_utils.data.batches import lengths_of, padded
from prune_utils.data.masked_tokens import unmasked
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.pruning.families import FAMILIES
from prune_utils.study.grid import Run, runs
from prune_utils.study.schema import Study
from prune_utils.training.modeling import MaskedEncoder

PAIRS = 512  # largest number of held-out pairs, evenly spaced
BATCH_SIZE = 32


def cosine_sums(ours: Sequence[Tensor], theirs: Sequence[Tensor], attention_mask: Tensor) -> Tensor:
    """Cosines of the activations of two models, summed over the tokens of a batch: shape (layers,), float64.

    `ours`, `theirs`: one tensor per layer, each (batch, tokens, width); `attention_mask`: (batch, tokens), 0 at
    padding, which is ignored. Raises ValueError if the numbers of layers differ.
    """
    tokens = attention_mask.bool()
    cosines = [cosine_similarity(a[tokens], b[tokens], dim=-1) for a, b in zip(ours, theirs, strict=True)]
    return torch.stack(cosines).double().sum(1)


@torch.no_grad()
def mean_cosines(pruned: PreTrainedModel, dense: PreTrainedModel, batches: list[dict[str, Tensor]]) -> list[float]:
    """Mean cosine over all tokens of `batches` for each layer; the first value is for the output of the embeddings.

    Only sums are kept, since the activations of a whole text would not fit in memory.
    """
    sums, tokens, unread = 0, 0, set() if FAMILIES[dense.config.model_type].segments else {"token_type_ids"}
    for batch in batches:
        batch = {name: values.to(dense.device) for name, values in batch.items() if name not in unread}
        ours, theirs = (model(**batch, output_hidden_states=True).hidden_states for model in (pruned, dense))
        sums += cosine_sums(ours, theirs, batch["attention_mask"])
        tokens += batch["attention_mask"].sum()
    return (sums / tokens).tolist()


def evenly(data: Dataset) -> Dataset:
    """PAIRS examples at even distances, or all if there are no more."""
    return data.select(np.linspace(0, len(data) - 1, min(len(data), PAIRS)).astype(int))


def held_out_batches(study: Study) -> list[dict[str, Tensor]]:
    """Held-out pairs in batches of similar length, with their tokens before masking, as in the authors' scripts."""
    data = evenly(prepared.pretraining_data(study, held_out=True))
    order = np.argsort(lengths_of(data), kind="stable")
    rows = [
        {"input_ids": unmasked(pair), "token_type_ids": pair["token_type_ids"]} for pair in data.select(order).to_list()
    ]
    padding = tokenizer_of(study).pad_token_id
    return [padded(rows[start : start + BATCH_SIZE], padding) for start in range(0, len(rows), BATCH_SIZE)]


def similarity_frame(study: Study, seeds: list[int]) -> pd.DataFrame:
    """Mean cosine of every pruned model, and of the 0 % run itself, with the 0 % run of its seed.

    Columns seed, method (gradual and the study's other methods), sparsity, layer (0: output of the embeddings), cosine.
    Two models are in memory at a time.
    """
    torch.set_num_threads(study.machine.threads)
    batches, parts = held_out_batches(study), []
    for seed in seeds:
        dense = _encoder(study, Run("gradual", 0.0, seed))
        for run in tqdm(runs(study, seed)[1:], desc=f"models of seed {seed}"):
            cosines = mean_cosines(_encoder(study, run), dense, batches)
            part = pd.DataFrame({"layer": range(len(cosines)), "cosine": cosines})
            parts.append(part.assign(seed=seed, method=run.method, sparsity=run.sparsity))
    return pd.concat(parts, ignore_index=True)[["seed", "method", "sparsity", "layer", "cosine"]]


def _encoder(study: Study, run: Run) -> PreTrainedModel:
    model, _, _ = load_checkpoint(
        MaskedEncoder, run.checkpoint(study.study), run.sparsity, study.arm_table.pattern(run.method)
    )
    return model.base_model.to("cuda" if torch.cuda.is_available() else "cpu")
