"""Models: encoders that compute logits only at masked tokens, and the starting model of a study."""

from functools import cache
from typing import Any

import torch
import transformers
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase, set_seed
from transformers.utils import ModelOutput

from prune_utils.data.masked_tokens import IGNORED
from prune_utils.pruning.families import FAMILIES
from prune_utils.study.schema import Study
from prune_utils.training.model_folder.check import check_fits
from prune_utils.training.model_folder.config import SPECIAL_IDS, Fields, fields, folder_of, new_fields, written
from prune_utils.training.model_folder.files import refused
from prune_utils.training.model_folder.weights import fitting, weights


class _Masked:
    """Computes vocabulary logits only at the tokens to predict; mixed into the class of a family that is pre-trained.

    With 15 % of the tokens masked, 85 % of the logits of the largest matrix product would be discarded.
    """

    def word_logits(self, hidden: Tensor) -> Tensor:
        """Logits of the words, shape (..., vocabulary), from hidden states, shape (..., width)."""
        for module in FAMILIES[self.config.model_type].head:
            hidden = self.get_submodule(module)(hidden)
        return hidden

    def forward(
        self,
        input_ids: Tensor,
        labels: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> ModelOutput:
        """`input_ids`, `labels` (IGNORED at tokens that are not predicted): (batch, tokens).

        Returns `loss`, the mean masked-token loss in nats, and `word_logits`, shape (masked tokens, vocabulary); in eval mode
        also, per example, shape (batch,): `mlm_nll`, `mlm_correct`, `mlm_tokens`.
        """
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.base_model(input_ids, attention_mask=attention_mask, **segments)[0]
        loss, logits, scores = self._masked_loss(hidden, labels)
        return ModelOutput(loss=loss, word_logits=logits, **({} if self.training else scores()))

    def _masked_loss(self, hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Any]:
        """The mean loss, the logits of the masked tokens, and a function that makes the scores by example."""
        where = labels != IGNORED  # on a GPU, boolean indexing synchronises once per step
        logits = self.word_logits(hidden[where]).float()
        answers = labels[where]

        def by_example(values: Tensor) -> Tensor:
            return torch.zeros(labels.shape, device=values.device).masked_scatter_(where, values.float()).sum(1)

        def scores() -> dict[str, Tensor]:
            return {
                "mlm_nll": by_example(cross_entropy(logits, answers, reduction="none")),
                "mlm_correct": by_example(logits.argmax(-1) == answers),
                "mlm_tokens": where.sum(1),
            }

        return cross_entropy(logits, answers), logits, scores


class _MaskedWithNext(_Masked):
    """The same for a family that is pre-trained on the next sentence too."""

    def forward(
        self,
        input_ids: Tensor,
        labels: Tensor,
        next_sentence_label: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> ModelOutput:
        """As above; `next_sentence_label`: (batch,). The loss is the sum of both; also returns `nsp_nll`, `nsp_correct`."""
        hidden, pooled = self.base_model(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[:2]
        loss, logits, scores = self._masked_loss(hidden, labels)
        next_logits = self.get_submodule(FAMILIES[self.config.model_type].next_sentence)(pooled).float()
        loss = loss + cross_entropy(next_logits, next_sentence_label)
        if self.training:
            return ModelOutput(loss=loss, word_logits=logits)
        return ModelOutput(
            loss=loss,
            word_logits=logits,
            **scores(),
            nsp_nll=cross_entropy(next_logits, next_sentence_label, reduction="none"),
            nsp_correct=(next_logits.argmax(-1) == next_sentence_label).float(),
        )


@cache
def masked(kind: str) -> type[PreTrainedModel]:
    """The class of a family's models that are pre-trained here; `kind` is one of families.FAMILIES."""
    family = FAMILIES[kind]
    mixin = _MaskedWithNext if family.next_sentence else _Masked
    name = family.trained.partition("For")[0]
    return type(f"Masked{name}", (mixin, getattr(transformers, family.trained)), {})


MaskedBert = masked("bert")


class MaskedEncoder:
    """Loads the model of a checkpoint as its family's class, see `masked`."""

    @staticmethod
    def from_pretrained(folder, **options) -> PreTrainedModel:
        return masked(AutoConfig.from_pretrained(folder).model_type).from_pretrained(folder, **options)


def new_model(study: Study, tokenizer: PreTrainedTokenizerBase, seed: int) -> PreTrainedModel:
    """The starting model of a study: a pre-trained one, or one of the given shape with random weights from `seed`.

    Heads and pooler that a pre-trained model lacks have random weights from `seed`. Raises ParamsError if a weight of
    its encoder is missing, see `model_folder`.
    """
    configuration, folder = new_configuration(study, tokenizer), folder_of(study)
    found = dict(weights(fitting(folder, fields(written(folder), folder)))) if folder else {}
    set_seed(seed)
    model = masked(configuration.model_type)(configuration)
    if found:
        model.load_state_dict(model.state_dict() | found)
    return model


def new_configuration(study: Study, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """The configuration of a study's starting model; of a pre-trained one only the fields of `model_folder.config.Fields`.

    Raises ParamsError if `model.pretrained` is of a family that is not supported, or has too few words or positions.
    """
    shape = study.model
    of = _pretrained_fields(study) if shape.pretrained else new_fields(study, tokenizer)
    check_fits(of, study, tokenizer)
    changes = {} if shape.dropout is None else dict.fromkeys(of.family.dropouts, shape.dropout)
    changes |= {} if shape.initializer_range is None else {"initializer_range": shape.initializer_range}
    return of.configuration(**changes, **special_ids(of, tokenizer), architectures=[of.family.trained])


def special_ids(of: Fields, tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The tokenizer's ids of the special tokens that a family's config names."""
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    ids = dict(zip(SPECIAL_IDS, (tokenizer.pad_token_id, first, last, first, last), strict=True))
    default = AutoConfig.for_model(of.kind)
    return {name: value for name, value in ids.items() if getattr(default, name, None) is not None}


def _pretrained_fields(study: Study) -> Fields:
    folder = folder_of(study)
    if folder is None:
        raise refused(f"{study.model.pretrained} is not in the hub's cache on this machine; start the study again")
    return fields(written(folder), folder)
