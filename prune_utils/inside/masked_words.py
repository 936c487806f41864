"""Which words a pruned model no longer predicts: accuracy at masked tokens by the frequency of the word (paper footnote 18)."""

import numpy as np
import pandas as pd
import torch

from prune_utils.data import prepared
from prune_utils.data.batches import lengths_of, padded
from prune_utils.data.masked_tokens import IGNORED, frequencies
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.inside.similarity import BATCH_SIZE, evenly
from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.study.grid import gradual_runs
from prune_utils.study.schema import Study
from prune_utils.training.loop.trainer import read_by
from prune_utils.training.modeling import MaskedEncoder

THIRDS = 3


def thirds(words: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The third of each masked token, 1 the most frequent words: shape of `words`, which are ids; `counts`: by id.

    Each third has about as many tokens; all tokens of a word are in one.
    """
    known, tokens = np.unique(words, return_counts=True)
    order = np.lexsort((known, -counts[known]))
    middle = np.cumsum(tokens[order]) - tokens[order] / 2
    of = np.empty(len(known), dtype=int)
    of[order] = np.minimum(THIRDS * middle / len(words), THIRDS - 1).astype(int) + 1
    return of[np.searchsorted(known, words)]


def words_frame(study: Study, seeds: list[int]) -> pd.DataFrame:
    """Masked-token accuracy of the gradual runs on held-out text, by how frequent the masked word is in the training text.

    Columns seed, sparsity, third (1: the most frequent words), words, tokens, accuracy, loss (nats).
    """
    torch.set_num_threads(study.machine.threads)
    device, padding = "cuda" if torch.cuda.is_available() else "cpu", tokenizer_of(study).pad_token_id
    data = evenly(prepared.pretraining_data(study, held_out=True))
    data = data.select(np.argsort(lengths_of(data), kind="stable"))
    counts = frequencies(prepared.pretraining_data(study), len(tokenizer_of(study)))
    rows = []
    for run in gradual_runs(study, seeds):
        place, pattern = run.checkpoint(study.study), study.arm_table.pattern(run.method)
        model = load_checkpoint(MaskedEncoder, place, run.sparsity, pattern)[0].to(device).eval()
        examples = read_by(model, data).to_list()
        parts = [padded(examples[at : at + BATCH_SIZE], padding) for at in range(0, len(examples), BATCH_SIZE)]
        words, right, loss = (
            np.concatenate(each) for each in zip(*map(lambda part: _predicted(model, part), parts), strict=True)
        )
        band = thirds(words, counts)
        for third in range(1, THIRDS + 1):
            inside = band == third
            found = [len(np.unique(words[inside])), int(inside.sum()), right[inside].mean(), loss[inside].mean()]
            rows.append([run.seed, run.sparsity, third, *found])
    return pd.DataFrame(rows, columns=["seed", "sparsity", "third", "words", "tokens", "accuracy", "loss"])


@torch.no_grad()
def _predicted(model, batch: dict[str, torch.Tensor]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The masked words of a batch, whether each is predicted, and its loss; all of shape (masked tokens,)."""
    batch = {name: values.to(model.device) for name, values in batch.items()}
    logits, answers = model(**batch)["word_logits"], batch["labels"][batch["labels"] != IGNORED]
    loss = torch.nn.functional.cross_entropy(logits, answers, reduction="none")
    return tuple(each.cpu().numpy() for each in (answers, logits.argmax(-1) == answers, loss))
