"""Sizes and costs that are known before anything is loaded: weights, examples, bytes, FLOP."""

import shutil
from typing import NamedTuple

from prune_utils.data.embedded import language, lexicon
from prune_utils.data.glue import facts
from prune_utils.data.inputs import place
from prune_utils.data.rows.tsv import table
from prune_utils.pruning.families import FAMILIES, Family
from prune_utils.study import paths
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.sources import Task
from prune_utils.training.model_folder.config import fields, folder_of, written


class Shape(NamedTuple):
    """The dimensions of an encoder that determine its size and cost."""

    layers: int
    width: int
    heads: int
    intermediate: int
    vocabulary: int
    kind: str = "bert"  # one of families.FAMILIES
    narrow: int | None = None  # width of the word embeddings, where it is not `width`

    @property
    def family(self) -> Family:
        return FAMILIES[self.kind]

    @property
    def embedding(self) -> int:
        """Width of the word embeddings."""
        return self.narrow or self.width

    @property
    def layer_weights(self) -> int:
        """Weights in the matrices of a layer."""
        return 4 * self.width**2 + (3 if self.family.gated else 2) * self.width * self.intermediate

    @property
    def projection(self) -> int:
        """Weights in the projection of narrow embeddings."""
        return self.embedding * self.width if self.narrow else 0

    @property
    def weights(self) -> int:
        """Weights in the prunable matrices: layers, word embeddings and their projection, pooler."""
        pooler = self.width**2 if "pooler" in self.family.outside else 0
        return self.layers * self.layer_weights + self.vocabulary * self.embedding + self.projection + pooler


BERT_BASE = Shape(12, 768, 12, 3072, 30_522)


def shape(study: Study) -> Shape:
    """The shape of a study's model, with the vocabulary of its files. Raises ParamsError if they cannot be right.

    Nothing is downloaded: until a study is started, a model of the hub is taken for BERT-Base (in the form of
    `model.family`, if given), and a vocabulary of the hub for its 30,522 words.
    """
    folder, kind = folder_of(study), study.model.family or "bert"
    if study.model.pretrained and not folder:
        return BERT_BASE._replace(kind=kind)
    of = fields(written(folder), folder) if folder else study.model
    words = of.vocab_size if folder else _words(study)
    narrow = of.embedding_size if of.embedding_size != of.hidden_size else None
    sides = (of.num_hidden_layers, of.hidden_size, of.num_attention_heads, of.intermediate_size)
    return Shape(*sides, words, of.kind if folder else kind, narrow)


def _words(study: Study) -> int:
    if study.vocabulary is None:
        return len(language.vocabulary(lexicon.load()))
    if place(study, "corpus.vocabulary") is None:
        return BERT_BASE.vocabulary
    from prune_utils.data.vocabulary import tokenizer_of  # imports transformers, which takes seconds

    return len(tokenizer_of(study))


def train_size(task: Task) -> int:
    """Number of training examples: from the params, the rows of the file, or the known size of the GLUE task."""
    return getattr(task, "train_examples", None) or _size(task, "train")


def dev_size(task: Task) -> int:
    """Number of dev examples of a task."""
    return _size(task, "dev")


def _size(task: Task, part: str) -> int:
    if task.source == "local":
        return len(table(task, part).rows)
    return getattr(task if task.source == "embedded" else facts(task.name), part)


def sparse_bytes(study: Study) -> float:
    """Bytes of the sparse files of one seed, approximately: float32 per kept weight and one bit per weight."""
    return shape(study).weights * sum(min(4, 4 * (1 - s) + 1 / 8) for s in study.grid.sparsities)


def pairs_bytes(study: Study) -> int:
    """Upper bound on the bytes of the sentence pairs, doubled for the cache that exists during writing."""
    return 2 * study.pretraining.pairs_read * study.corpus.max_length * 3 * 4  # three columns of int32


def free_bytes(study: Study) -> int:
    """Free bytes on the disk of the results."""
    folder = paths.results(study.study)
    return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free


TRAINING = 3  # FLOP of a training step per FLOP of its forward pass; the backward pass takes two


def forward(shape: Shape, tokens: float, predicted: float = 0) -> float:
    """FLOP of the forward pass over one sequence of `tokens`, with vocabulary logits for `predicted` of them.

    Two FLOP per weight and token (a product and a sum), 4 · tokens² · width per layer for the two products of
    attention (local attention is masked, not saved), and once per sequence a square matrix: the pooler, or where a family
    has none that of its classifier, so not while it is pre-trained. Training takes TRAINING times as much, about
    6 · weights · tokens. Norms, activations and the optimiser are not counted; they are a few percent.
    """
    layer = 2 * tokens * shape.layer_weights + 4 * tokens**2 * shape.width
    head = 2 * predicted * shape.embedding * (shape.width + shape.vocabulary)
    pooled = 2 * shape.width**2 * (("pooler" in shape.family.outside) | (predicted == 0))
    return shape.layers * layer + 2 * tokens * shape.projection + pooled + head


class Accelerator(NamedTuple):
    """`product`: FLOP per second of a large bfloat16 matrix product; `source`: where the number comes from."""

    product: float
    source: str


ACCELERATORS = {
    "H200": Accelerator(790e12, "a large bf16 product, measured on one H200"),
    "A100": Accelerator(312e12, "NVIDIA's data sheet, dense bf16"),
}
ACHIEVED = 0.4  # share of `product` that training reaches (assumed)
# time to launch the kernels of a step in eager PyTorch, in seconds per step and per layer of a step (assumed);
# parallel jobs launch kernels in parallel
STEP, LAYER = 5e-3, 1e-3


def accelerator(name: str) -> Accelerator:
    """The accelerator with this name. Raises ParamsError with the known names."""
    if name not in ACCELERATORS:
        raise ParamsError(f"accelerator is {name!r}; allowed: {', '.join(ACCELERATORS)}")
    return ACCELERATORS[name]


def launching(shape: Shape) -> float:
    """Lower bound on the seconds per training step on an accelerator."""
    return STEP + LAYER * shape.layers
