"""Models: a BERT that computes logits only at masked tokens, and the starting model of a study."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, BertConfig, BertForPreTraining, PreTrainedTokenizerBase, set_seed
from transformers.utils import ModelOutput

from prune_utils.data.pairs import IGNORED
from prune_utils.study import paths
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError


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
    """The starting model of a study: a pre-trained one, or one of the given shape with random weights from `seed`."""
    set_seed(seed)
    configuration = new_configuration(study, tokenizer)
    if study.model.pretrained:
        return MaskedBert.from_pretrained(_where(study.model.pretrained), config=configuration, dtype=torch.float32)
    return MaskedBert(configuration)


def new_configuration(study: Study, tokenizer: PreTrainedTokenizerBase) -> BertConfig:
    """The configuration of a study's starting model.

    Raises ParamsError if `model.pretrained` is not a BERT or its vocabulary is too small.
    """
    shape = study.model
    given = {
        "hidden_dropout_prob": shape.dropout,
        "attention_probs_dropout_prob": shape.dropout,
        "initializer_range": shape.initializer_range,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if shape.pretrained:
        configuration = AutoConfig.from_pretrained(_where(shape.pretrained), **given)
        if (kind := configuration.model_type) != "bert":
            raise ParamsError(f"model.pretrained is {shape.pretrained!r}, of type {kind!r}; allowed is type 'bert'")
        if len(tokenizer) > configuration.vocab_size:
            raise ParamsError(
                f"corpus.vocabulary has {len(tokenizer)} tokens, {shape.pretrained!r} only {configuration.vocab_size}"
            )
        return configuration
    return BertConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        architectures=["BertForPreTraining"],
        max_position_embeddings=-(-study.corpus.max_length // 8) * 8,  # batches on a GPU are padded to multiples of 8
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        intermediate_size=shape.intermediate_size,
        **given,
    )


def _where(name: str) -> str:
    """The folder of that name below the project's root if it exists, else a name of the hub."""
    return str(paths.given(name)) if paths.given(name).is_dir() else name
