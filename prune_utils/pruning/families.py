"""Families of encoders: everything in which they differ, and the kinds of their matrices. The page is docs/models.md.

Names of modules, classes and config fields are those of transformers 5.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

WORDS = "word embeddings"
KINDS = (  # of matrices, in words
    *("query", "key", "value", "query, key and value", "attention output", "intermediate", "output"),
    *("pooler", WORDS, "embeddings projection"),
)
# How attention heads divide a matrix of each kind: the dimension that they divide, and into how many blocks it falls
# before (a fused matrix has the rows of all queries, then of all keys, then of all values).
HEADS = {"query": (0, 1), "key": (0, 1), "value": (0, 1), "query, key and value": (0, 3), "attention output": (1, 1)}


def _parts(*names: str) -> dict[str, str]:
    """The six matrices of a layer by kind."""
    return dict(zip(("query", "key", "value", "attention output", "intermediate", "output"), names, strict=True))


_BERT = _parts(
    *(f"attention.{part}" for part in ("self.query", "self.key", "self.value", "output.dense")),
    *("intermediate.dense", "output.dense"),
)
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")
_NEITHER = dict.fromkeys(("type_vocab_size", "layer_norm_eps"))


@dataclass(frozen=True)
class Family:
    """How the encoders of one family are built. A matrix that is neither in a layer nor in `outside` is never pruned."""

    title: str
    trained: str  # class of transformers that is pre-trained
    head: tuple[str, ...]  # its modules that turn hidden states into logits of words, in order
    encoder: str  # the module of it that is the encoder; names of masks omit it
    layers: str = "encoder.layer"  # the list of layers in the encoder
    parts: Mapping[str, str] = field(default_factory=lambda: _BERT)  # matrices of a layer by kind, in order
    outside: Mapping[str, str] = field(default_factory=lambda: {WORDS: "embeddings.word_embeddings"})
    next_sentence: str | None = None  # module that predicts whether the second segment follows the first
    segments: bool = False  # the two segments of a pair have types of their own
    gated: bool = False  # the intermediate matrix has two halves, one of which gates the other
    offset: bool = False  # positions are counted from the id of the padding token + 1, not from 0
    padding: int | None = None  # the id of the padding token, where the code of the family fixes it
    rotary: bool = False  # positions rotate pairs of a head's dimensions, whose number is even
    factorised: bool = False  # the word embeddings may be narrower than the layers: `embedding_size`
    own: Mapping[str, str | None] = field(default_factory=dict)  # its names of BERT's config fields; None: it has none
    also: tuple[str, ...] = ()  # further fields of its config that act
    dropouts: tuple[str, ...] = _DROPOUTS  # what `model.dropout` sets

    @property
    def one(self) -> str:
        """The title with its article, for messages."""
        return f"{'an' if self.title in ('ELECTRA', 'MPNet') else 'a'} {self.title}"

    @property
    def modules(self) -> set[str]:
        """Names of the encoder's modules that hold weights."""
        named = {part.split(".")[0] for part in (self.layers, *self.outside.values())}
        return named | {"embeddings", "pooler", "final_norm"}

    def config_name(self, name: str) -> str | None:
        """The family's name of a config field, given BERT's (or `embedding_size`); None if it has no such field."""
        if name == "embedding_size":
            return name if self.factorised else None
        return self.own.get(name, name)


FAMILIES = {
    "bert": Family(
        "BERT",
        "BertForPreTraining",
        head=("cls.predictions",),
        encoder="bert",
        outside={WORDS: "embeddings.word_embeddings", "pooler": "pooler.dense"},
        next_sentence="cls.seq_relationship",
        segments=True,
    ),
    "roberta": Family("RoBERTa", "RobertaForMaskedLM", head=("lm_head",), encoder="roberta", offset=True),
    "distilbert": Family(
        "DistilBERT",
        "DistilBertForMaskedLM",
        head=("vocab_transform", "activation", "vocab_layer_norm", "vocab_projector"),
        encoder="distilbert",
        layers="transformer.layer",
        parts=_parts(*(f"attention.{part}_lin" for part in ("q", "k", "v", "out")), "ffn.lin1", "ffn.lin2"),
        own={
            "hidden_size": "dim",
            "num_hidden_layers": "n_layers",
            "num_attention_heads": "n_heads",
            "intermediate_size": "hidden_dim",
            "hidden_act": "activation",
            "hidden_dropout_prob": "dropout",
            "attention_probs_dropout_prob": "attention_dropout",
            **_NEITHER,
        },
        dropouts=("dropout", "attention_dropout", "seq_classif_dropout"),
    ),
    "electra": Family(
        "ELECTRA",
        "ElectraForMaskedLM",
        head=("generator_predictions", "generator_lm_head"),
        encoder="electra",
        # the projection exists only if the embeddings are narrower than the layers
        outside={WORDS: "embeddings.word_embeddings", "embeddings projection": "embeddings_project"},
        segments=True,
        factorised=True,
    ),
    "modernbert": Family(
        "ModernBERT",
        "ModernBertForMaskedLM",
        head=("head", "decoder"),
        encoder="model",
        layers="layers",
        parts={
            "query, key and value": "attn.Wqkv",
            "attention output": "attn.Wo",
            "intermediate": "mlp.Wi",
            "output": "mlp.Wo",
        },
        outside={WORDS: "embeddings.tok_embeddings"},
        gated=True,
        rotary=True,
        own={"hidden_act": "hidden_activation", **dict.fromkeys((*_DROPOUTS, *_NEITHER))},
        also=(
            *("norm_eps", "norm_bias", "attention_bias", "mlp_bias", "decoder_bias", "initializer_cutoff_factor"),
            *("attention_dropout", "embedding_dropout", "mlp_dropout", "classifier_dropout"),
            *("classifier_pooling", "classifier_bias", "classifier_activation"),
            *("local_attention", "layer_types", "global_attn_every_n_layers"),
            *("rope_parameters", "rope_scaling", "global_rope_theta", "local_rope_theta"),
        ),
        dropouts=("attention_dropout", "embedding_dropout", "mlp_dropout", "classifier_dropout"),
    ),
    "mpnet": Family(
        "MPNet",
        "MPNetForMaskedLM",
        head=("lm_head",),
        encoder="mpnet",
        parts=_parts(*(f"attention.attn.{part}" for part in "qkvo"), "intermediate.dense", "output.dense"),
        offset=True,
        padding=1,
        own={"type_vocab_size": None},
        also=("relative_attention_num_buckets",),
    ),
}
# model types that are refused, with the reason where it is known
REFUSED = {
    "albert": "its layers share one set of weights, so pruning one layer would prune all",
    "xlnet": "it is trained on permutations of the text, not on masked tokens",
    **dict.fromkeys(("bart", "t5"), "it is an encoder with a decoder"),
    **dict.fromkeys(("camembert", "xlm-roberta"), "its SentencePiece tokenizer is not read"),
    **dict.fromkeys(
        ("deberta", "deberta-v2"), "its relative positions share the attention matrices that would be pruned"
    ),
    **dict.fromkeys(("gpt2", "llama"), "it is a decoder, which predicts the next token and not masked ones"),
}
_PARTS = {part: kind for family in FAMILIES.values() for kind, part in {**family.parts, **family.outside}.items()}
_LAYERS = "|".join(re.escape(layers) for layers in dict.fromkeys(family.layers for family in FAMILIES.values()))
_NAME = re.compile(rf"(?:(?:{_LAYERS})\.(\d+)\.)?(.+)\.weight")


def kind_and_layer(matrix: str) -> tuple[str, int | None]:
    """Return the kind of a matrix in words, and its layer from 1 up (None outside of the layers)."""
    layer, part = _NAME.fullmatch(matrix).groups()
    return _PARTS[part], None if layer is None else int(layer) + 1


def label(name: str) -> str:
    """Describe a matrix in words: "layer 1 query"."""
    kind, layer = kind_and_layer(name)
    return f"layer {layer} {kind}" if layer else kind


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names of matrices as a model lists them: embeddings, layers, pooler.

    The global criterion breaks ties between equal magnitudes in this order.
    """

    def place(name: str) -> tuple:
        kind, layer = kind_and_layer(name)
        return math.inf if kind == "pooler" else layer or 0, KINDS.index(kind)

    return sorted(names, key=place)


def in_heads(name: str) -> bool:
    """Whether attention heads divide a matrix."""
    return kind_and_layer(name)[0] in HEADS


def words_of(names: Iterable[str]) -> str:
    """The name of the word embeddings among the names of a model's matrices."""
    return next(name for name in names if kind_and_layer(name)[0] == WORDS)
