"""Tiny encoders of every family, and tokenizers as each family has them, trained on the embedded language."""

from functools import cache

import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, PreTrainedTokenizerFast, set_seed

from prune_utils.data import text
from prune_utils.pruning.families import FAMILIES
from prune_utils.study.params import complete, merge, validated

SIDES = {"vocab_size": 200, "num_attention_heads": 2, "hidden_size": 16, "num_hidden_layers": 2}
OWN = {  # fields of configs in which the released models differ from the defaults of transformers
    "roberta": {"layer_norm_eps": 1e-5, "type_vocab_size": 1},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "activation": "relu"},
    "electra": {"embedding_size": 8, "hidden_act": "relu"},
    "modernbert": {
        "local_attention": 8,
        "global_attn_every_n_layers": 2,
        "norm_eps": 1e-3,
        "hidden_activation": "relu",
    },
    "mpnet": {"layer_norm_eps": 1e-5},
}
NO_DROPOUT = {kind: dict.fromkeys(family.dropouts, 0.0) for kind, family in FAMILIES.items()}
IDS = dict(
    zip(("pad_token_id", "bos_token_id", "cls_token_id", "eos_token_id", "sep_token_id"), (1, 0, 0, 2, 2), strict=True)
)


def config(kind, **more):
    """The config of a tiny encoder without dropout; its padding token has id 1."""
    sides = {} if kind == "distilbert" else SIDES | {"intermediate_size": 32}
    fields = sides | {"vocab_size": 200, "max_position_embeddings": 64} | OWN.get(kind, {}) | NO_DROPOUT[kind] | more
    own = {name: value for name, value in IDS.items() if getattr(AutoConfig.for_model(kind), name, None) is not None}
    return AutoConfig.for_model(kind, **own | fields)


def library(kind, name=None, **more):
    """A model of transformers' own class with random weights that depend on the family alone."""
    set_seed(5)
    return getattr(transformers, name or FAMILIES[kind].trained)(config(kind, **more))


@cache
def study(changes=()):
    """A study of one pair task that trains for seconds; `changes` are given as pairs, of sections and tuples of pairs."""
    tiny = {
        "study": "families",
        "tasks": [{"source": "embedded", "name": "entailment", "train": 32, "dev": 16}],
        "corpus": {"documents": 60, "held_out_documents": 10},
        "pretraining": {"burn_in_steps": 4, "steps": 6, "ramp_steps": 4},
        "prunability": {"sparsity": 0.5},
        "grid": {"sparsities": [0.0, 0.5], "arms": ["dense", "pretrain", "heads"]},
    }
    given = {section: dict(value) if isinstance(value, tuple) else value for section, value in changes}
    return validated(merge(merge(complete("smoke"), tiny), given))


def documents():
    """Sentences of the embedded language, by document."""
    return list(text.documents(study().corpus, held_out=False))


@cache
def _trained(kind):
    if kind == "roberta":
        names, model = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], models.BPE()
    elif kind == "modernbert":
        names, model = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"], models.BPE()
    elif kind == "mpnet":
        names, model = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"], models.WordPiece(unk_token="[UNK]")
    else:
        names, model = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"], models.WordPiece(unk_token="[UNK]")
    tokenizer, bytes_ = Tokenizer(model), isinstance(model, models.BPE)
    if bytes_:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=names,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    else:
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=names, show_progress=False)
    tokenizer.train_from_iterator([sentence for document in documents() for sentence in document], trainer)
    first, _, last, *_ = names
    if kind in ("roberta", "mpnet"):
        tokenizer.post_processor = processors.RobertaProcessing((last, 2), (first, 0))
    else:
        second = 0 if kind == "modernbert" else 1  # its tokenizer has no token types
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}",
            pair=f"{first} $A {last} $B:{second} {last}:{second}",
            special_tokens=[(first, 0), (last, 2)],
        )
    return tokenizer.to_str(), names


def save_tokenizer(kind, folder):
    """Write a tokenizer as the family has it; the ids of its special tokens are those of `config`."""
    content, names = _trained(kind)
    named = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"), names, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(content), **named).save_pretrained(folder)


def save(kind, folder, name=None, own=None, **more):
    """A folder as people have them: a model of transformers' own class with its tokenizer, or the `own` of another family.

    Returns the model.
    """
    save_tokenizer(own or kind, folder)
    words = len(PreTrainedTokenizerFast.from_pretrained(folder))
    model = library(kind, name, vocab_size=words, **more)
    model.save_pretrained(folder)
    return model
