"""Models: a BERT that computes logits only at masked tokens, and the starting model of a study."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertForPreTraining, PreTrainedTokenizerBase, set_seed
from transformers.utils import ModelOutput

from prune_utils.data.pairs import IGNORED
from prune_utils.study.schema import Study
from prune_utils.training.model_folder.check import check_fits
from prune_utils.training.model_folder.config import Fields, fields, folder_of, positions, refused, written
from prune_utils.training.model_folder.weights import fitting, weights


class MaskedBert(BertForPreTraining):
    """BertForPreTraining that computes vocabulary logits only at the tokens to predict.

    With 15 % of the tokens masked, 85 % of the logits of the largest matrix product would be discarded.
    """

    def forward(
        self,
        input_ids: Tensor,
        labels: Tensor,
        next_sentence_label: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> ModelOutput:
        """`input_ids`, `labels` (IGNORED at tokens that are not predicted): (batch, tokens); `next_sentence_label`: (batch,).

        Returns `loss`, mean masked-token loss plus mean next-sentence loss in nats; in eval mode also, per
        example, shape (batch,): `mlm_nll`, `mlm_correct`, `mlm_tokens`, `nsp_nll`, `nsp_correct`.
        """
        hidden, pooled = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[:2]
        where = labels != IGNORED  # on a GPU, boolean indexing synchronises once per step
        logits = self.cls.predictions(hidden[where]).float()
        answers = labels[where]
        next_logits = self.cls.seq_relationship(pooled).float()
        loss = cross_entropy(logits, answers) + cross_entropy(next_logits, next_sentence_label)
        if self.training:
            return ModelOutput(loss=loss)

        def by_example(values: Tensor) -> Tensor:
            return torch.zeros(labels.shape, device=values.device).masked_scatter_(where, values.float()).sum(1)

        return ModelOutput(
            loss=loss,
            mlm_nll=by_example(cross_entropy(logits, answers, reduction="none")),
            mlm_correct=by_example(logits.argmax(-1) == answers),
            mlm_tokens=where.sum(1),
            nsp_nll=cross_entropy(next_logits, next_sentence_label, reduction="none"),
            nsp_correct=(next_logits.argmax(-1) == next_sentence_label).float(),
        )


def new_model(study: Study, tokenizer: PreTrainedTokenizerBase, seed: int) -> MaskedBert:
    """The starting model of a study: a pre-trained one, or one of the given shape with random weights from `seed`.

    Heads and pooler that a pre-trained model lacks have random weights from `seed`. Raises ParamsError if a weight of
    its encoder is missing, see `model_folder`.
    """
    configuration, folder = new_configuration(study, tokenizer), folder_of(study)
    found = dict(weights(fitting(folder, fields(written(folder), folder)))) if folder else {}
    set_seed(seed)
    model = MaskedBert(configuration)
    if found:
        model.load_state_dict(model.state_dict() | found)
    return model


def new_configuration(study: Study, tokenizer: PreTrainedTokenizerBase) -> BertConfig:
    """The configuration of a study's starting model; of a pre-trained one only the fields of `model_folder.config.Fields`.

    Raises ParamsError if `model.pretrained` is not a BERT, or has too few words or positions.
    """
    shape = study.model
    if shape.pretrained:
        given = _pretrained_fields(study)
        check_fits(given, study, tokenizer)
        given = given.model_dump()
    else:
        given = {
            "vocab_size": len(tokenizer),
            "max_position_embeddings": positions(study),
            "hidden_size": shape.hidden_size,
            "num_hidden_layers": shape.num_hidden_layers,
            "num_attention_heads": shape.num_attention_heads,
            "intermediate_size": shape.intermediate_size,
        }
    changes = {
        "hidden_dropout_prob": shape.dropout,
        "attention_probs_dropout_prob": shape.dropout,
        "initializer_range": shape.initializer_range,
    }
    given |= {name: value for name, value in changes.items() if value is not None}
    return BertConfig(**given, pad_token_id=tokenizer.pad_token_id, architectures=["BertForPreTraining"])


def _pretrained_fields(study: Study) -> Fields:
    folder = folder_of(study)
    if folder is None:
        raise refused(f"{study.model.pretrained} is not in the hub's cache on this machine; start the study again")
    return fields(written(folder), folder)
