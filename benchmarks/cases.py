"""Trainings to measure: a model's shape, the kind of training, and random data of a batch size and length."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from datasets import Dataset
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel, set_seed

from prune_utils.data.batches import padded
from prune_utils.data.masked_tokens import IGNORED
from prune_utils.study.sections.recipes import Optimisation
from prune_utils.training import sizes
from prune_utils.training.modeling import MaskedBert
from prune_utils.training.sizes import Shape

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
RATE, DECAY, NORM = 2e-5, 0.01, 1.0
FULL = {
    "base": sizes.BERT_BASE,
    "small": Shape(4, 512, 8, 2048, 30_522),
    "mini": Shape(4, 256, 4, 1024, 30_522),
}
TINY = {"base": Shape(2, 64, 2, 128, 1000), "small": Shape(1, 32, 2, 64, 500), "mini": Shape(1, 32, 2, 64, 500)}


@dataclass(frozen=True)
class Case:
    """One training; `name` is a key of FULL and TINY. Without `pairs` it is a fine-tuning on single texts."""

    name: str
    pairs: bool
    batch: int
    tokens: int
    tiny: bool

    @property
    def what(self) -> str:
        return f"{self.name} {'pre-training' if self.pairs else 'fine-tuning'} {self.batch} x {self.tokens}"

    @property
    def shape(self) -> Shape:
        return (TINY if self.tiny else FULL)[self.name]

    @property
    def cost(self) -> dict[str, float]:
        """Tokens and FLOP of one training step."""
        one = sizes.forward(self.shape, self.tokens, _predicted(self.tokens) if self.pairs else 0)
        return {"tokens": self.batch * self.tokens, "flop": sizes.TRAINING * self.batch * one}

    def of(self, **changes) -> "Case":
        return replace(self, **changes)

    def model(self, kind: type | None = None) -> PreTrainedModel:
        """A model on the device with random weights, of the class that the package trains or of `kind`."""
        set_seed(0)
        config = BertConfig(
            vocab_size=self.shape.vocabulary,
            hidden_size=self.shape.width,
            num_hidden_layers=self.shape.layers,
            num_attention_heads=self.shape.heads,
            intermediate_size=self.shape.intermediate,
        )
        with torch.device(DEVICE):
            return (kind or (MaskedBert if self.pairs else BertForSequenceClassification))(config)

    @cached_property
    def data(self) -> Dataset:
        """64 batches of random sequences: pairs of exactly `tokens` tokens, or texts of about as many."""
        random, rows = np.random.default_rng(0), []
        for _ in range(self.batch * (4 if self.tiny else 64)):
            length = self.tokens
            if not self.pairs:
                length = int(np.clip(random.normal(length, length / 16), 4, length))
            ids = random.integers(5, self.shape.vocabulary, length)
            row = {"input_ids": ids.tolist(), "token_type_ids": [0] * length, "length": length}
            if self.pairs:
                chosen = random.permutation(length)[: _predicted(length)]
                labels = np.full(length, IGNORED)
                labels[chosen] = ids[chosen]
                row |= {"labels": labels.tolist(), "next_sentence_label": int(random.integers(2))}
            else:
                row["labels"] = int(random.integers(2))
            rows.append(row)
        return Dataset.from_list(rows)

    def batches(self, many: int = 8) -> list[dict[str, torch.Tensor]]:
        """The first batches of the data, padded and on the device; `many` at most."""
        rows = self.data.select(range(min(many * self.batch, len(self.data)))).remove_columns("length").to_list()
        made = [padded(rows[start : start + self.batch], 0) for start in range(0, len(rows), self.batch)]
        return [{name: tensor.to(DEVICE) for name, tensor in each.items()} for each in made]

    def optimisation(self, steps: int) -> Optimisation:
        return Optimisation(
            steps=steps,
            batch_size=self.batch,
            learning_rate=RATE,
            weight_decay=DECAY,
            warmup_share=0.0,
            max_grad_norm=NORM,
        )


def _predicted(tokens: int) -> int:
    """Masked tokens of a sequence: 15 %, at most 20."""
    return min(20, round(0.15 * tokens))


def bare_step(model: PreTrainedModel, loss_of: Callable, bf16: bool, **options) -> Callable:
    """A training step as the Trainer takes it, without the Trainer; `options` are those of AdamW.

    The optimiser is the attribute `optimizer` of the returned function.
    """
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY, **({"fused": CUDA} | options))

    def step():
        with torch.autocast(DEVICE, torch.bfloat16, enabled=bf16):
            loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), NORM)
        optimizer.step()
        optimizer.zero_grad()

    step.optimizer = optimizer
    return step
