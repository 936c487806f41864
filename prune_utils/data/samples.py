"""A look at the data: a few examples as a person reads them."""

import pandas as pd
from datasets import Dataset

from prune_utils.data import tasks, text
from prune_utils.data.pairs import IGNORED, IS_NEXT
from prune_utils.study.schema import Study


def pair_samples(pairs: Dataset, study: Study, count: int) -> pd.DataFrame:
    """Masked pairs: the text the model reads, the answers to its masks, whether the second sentence is next."""
    tokenizer = text.tokenizer(study.corpus)

    def words(ids: list[int]) -> str:
        return " ".join(tokenizer.convert_ids_to_tokens(ids))

    rows = [
        {
            "text": words(pair["input_ids"]),
            "answers": words([y for y in pair["labels"] if y != IGNORED]),
            "is next": pair["next_sentence_label"] == IS_NEXT,
        }
        for pair in pairs.select(range(count))
    ]
    return pd.DataFrame(rows).style.set_properties(**{"text-align": "left"}).hide(axis="index")


def task_samples(study: Study, name: str, count: int) -> pd.DataFrame:
    """The first training examples of each label of a task, and how many of it there are."""
    training, dev = tasks.examples(study.task(name))
    training = training.assign(
        **{
            "of train": training.label.map(training.label.value_counts()),
            "of dev": training.label.map(dev.label.value_counts()),
        }
    )
    return training.groupby("label").head(count).sort_values("label", kind="stable").style.hide(axis="index")
