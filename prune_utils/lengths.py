"""How long a study's sequences are, from a sample of its text where that is at hand."""

import itertools
from statistics import fmean

from prune_utils import tasks, text
from prune_utils.pairs import IGNORED, examples
from prune_utils.prepared import encoded
from prune_utils.schema import Study

# mean WordPiece tokens with [CLS] and [SEP]; SST-2 and CoLA counted with BERT's uncased vocabulary, the pairs approximate
GLUE_TOKENS = {"MNLI": 40, "QQP": 31, "QNLI": 51, "SST-2": 13.4, "CoLA": 11.4}
SAMPLE = 500  # documents of the corpus, examples of a task
HUB_PAIRS = 8  # of a document held out from the hub: approximate


def task_tokens(study: Study, name: str) -> float:
    """Mean tokens of a task's training examples, measured on a sample; for the hub's, GLUE's, else the longest allowed."""
    task, longest = study.task(name), study.corpus.max_length
    if task.source == "hub":
        return min(GLUE_TOKENS.get(name, longest), longest)
    frame = tasks.examples(task)[0]
    sample = frame.sample(min(SAMPLE, len(frame)), random_state=0)
    return fmean(encoded(sample, text.tokenizer(study.corpus), longest)["length"])


def pair_tokens(study: Study) -> tuple[float, float]:
    """Mean tokens of a sentence pair and how many of them are masked; of the hub's text, the longest allowed."""
    corpus, recipe = study.corpus, study.pretraining
    if corpus.source == "hub":
        masked = min(recipe.max_masked, max(1, round(recipe.masked_share * corpus.max_length)))
        return corpus.max_length, masked
    documents = itertools.islice(text.documents(corpus, held_out=False), SAMPLE)
    pairs = list(examples(documents, text.tokenizer(corpus), corpus.max_length, recipe, "sample"))
    masked = [sum(label != IGNORED for label in pair["labels"]) for pair in pairs]
    return fmean(pair["length"] for pair in pairs), fmean(masked)


def held_out_pairs(study: Study) -> int:
    """Sentence pairs that a pre-training run is evaluated on; of the hub's text, about."""
    corpus = study.corpus
    if corpus.source == "hub":
        return HUB_PAIRS * corpus.held_out_documents
    documents = text.documents(corpus, held_out=True)
    pairs = examples(documents, text.tokenizer(corpus), corpus.max_length, study.pretraining, "pairs True 0")
    return sum(1 for _ in pairs)
