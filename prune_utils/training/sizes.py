"""How large things are, known before anything is loaded."""

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from prune_utils.data import language, lexicon
from prune_utils.study import paths
from prune_utils.study.files import read_json
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError
from prune_utils.study.sources import LocalTask, Task

# examples of GLUE's tasks (Wang et al. 2018)
GLUE_TRAIN = {"MNLI": 392_702, "QQP": 363_846, "QNLI": 104_743, "SST-2": 67_349, "CoLA": 8_551}
GLUE_DEV = {"MNLI": 9_815, "QQP": 40_430, "QNLI": 5_463, "SST-2": 872, "CoLA": 1_043}


@dataclass(frozen=True)
class Shape:
    """What of a BERT decides its size and its cost."""

    layers: int
    width: int
    heads: int
    intermediate: int
    vocabulary: int

    @property
    def layer_weights(self) -> int:
        """Of the six matrices of a layer."""
        return 4 * self.width**2 + 2 * self.width * self.intermediate

    @property
    def weights(self) -> int:
        """Of the prunable matrices: layers, word embeddings, pooler."""
        return self.layers * self.layer_weights + (self.vocabulary + self.width) * self.width


BERT_BASE = Shape(12, 768, 12, 3072, 30_522)


def shape(study: Study) -> Shape:
    """The shape of the study's model, which need not be at hand: BERT-Base's where it is a named one of the hub."""
    model = study.model
    if model.pretrained:
        file = paths.given(model.pretrained) / "config.json"
        return _written(file) if file.is_file() else BERT_BASE
    words = len(language.vocabulary(lexicon.load())) if study.corpus.source == "embedded" else BERT_BASE.vocabulary
    return Shape(model.num_hidden_layers, model.hidden_size, model.num_attention_heads, model.intermediate_size, words)


def _written(file: Path) -> Shape:
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size")
    content = read_json(file)
    return Shape(*(content[name] for name in names))


def train_size(task: Task) -> int:
    """Training examples of a task: as asked for, as many as its file has, or as GLUE is known to have."""
    if task.source == "embedded":
        return task.train
    return _rows(task, task.train) if task.source == "local" else GLUE_TRAIN.get(task.name, 100_000)


def dev_size(task: Task) -> int:
    """Dev examples of a task, likewise."""
    if task.source == "embedded":
        return task.dev
    if task.source == "local":
        return _rows(task, "dev_matched.tsv" if (task.name, task.dev) == ("MNLI", "dev.tsv") else task.dev)
    return GLUE_DEV.get(task.name, 10_000)


@cache
def _count(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


def _rows(task: LocalTask, name: str) -> int:
    return _count(paths.given(task.folder) / name) - (task.name != "CoLA")  # CoLA alone has no header


def parameters(study: Study) -> int:
    """Weights of the study's model, roughly: those of its prunable matrices."""
    return shape(study).weights


def sparse_bytes(study: Study) -> float:
    """Bytes of the models of one seed that are stored sparse: float32 for what is kept, and a bit a weight."""
    return parameters(study) * sum(min(4, 4 * (1 - s) + 1 / 8) for s in study.grid.sparsities)


def pairs_wanted(study: Study) -> int:
    """Sentence pairs that the longest pre-training run reads; a short text gives fewer, which are read again."""
    return study.pretraining.batch_size * max(study.pretraining.burn_in_steps, study.pretraining.steps)


def pairs_bytes(study: Study) -> int:
    """Bytes of the prepared sentence pairs at most, twice: they are cached while they are written."""
    return 2 * pairs_wanted(study) * study.corpus.max_length * 3 * 4  # three columns of int32


def free_bytes(study: Study) -> int:
    """Bytes free where the results go."""
    folder = paths.results(study.study)
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


TRAINING = 3  # a backward pass is two products for each of the forward one: by the input and by the weights


def forward(shape: Shape, tokens: float, predicted: float = 0) -> float:
    """FLOP to read one sequence of `tokens`, with vocabulary logits for `predicted` masked ones of them.

    2 for each weight of a matrix and token that meets it (a product and a sum); attention's two products of tokens
    with tokens, 4 · tokens² · width a layer; the pooler once a sequence. Training takes three times as much, so
    about 6 · weights · tokens. What is not a matrix product (norms, GELU, optimiser) is not counted: a few percent.
    """
    layer = 2 * tokens * shape.layer_weights + 4 * tokens**2 * shape.width
    head = 2 * predicted * shape.width * (shape.width + shape.vocabulary)
    return shape.layers * layer + 2 * shape.width**2 + head


@dataclass(frozen=True)
class Accelerator:
    """`product`: FLOP a second of a large bfloat16 matrix product; `source`: who says so."""

    product: float
    source: str


ACCELERATORS = {
    "H200": Accelerator(790e12, "a large bf16 product, measured on one H200"),
    "A100": Accelerator(312e12, "NVIDIA's data sheet, dense bf16"),
}
ACHIEVED = 0.4  # share of such a product that training reaches: assumed
# a step of this package in eager PyTorch cannot be shorter than the launch of its kernels, however few their FLOP:
# assumed, in seconds a step and a layer of it; jobs side by side launch side by side
STEP, LAYER = 5e-3, 1e-3


def accelerator(name: str) -> Accelerator:
    if name not in ACCELERATORS:
        raise ParamsError(f"accelerator is {name!r}; allowed: {', '.join(ACCELERATORS)}")
    return ACCELERATORS[name]


def launching(shape: Shape) -> float:
    """The seconds below which no training step comes on an accelerator."""
    return STEP + LAYER * shape.layers
