from random import Random

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, concatenate_datasets
from hypothesis import given
from hypothesis import strategies as st

from prune_utils.data.batches import Rows, padded, training_order
from prune_utils.data.embedded import language, lexicon
from prune_utils.data.embedded import tasks as language_tasks
from prune_utils.data.masked_tokens import IGNORED
from prune_utils.data.pairs import IS_NEXT, IS_RANDOM, examples, sentence_pairs
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study.params import load_study
from prune_utils.study.paths import PARAMS

SMOKE = load_study(PARAMS / "smoke.yaml")


def test_the_lexicon_is_hand_sized_and_every_sentence_is_made_of_it():
    words = lexicon.load()
    assert len(words.lemmas()) > 300
    known = set(language.vocabulary(words))
    for document in language.documents(words, 200, seed=0):
        assert 4 <= len(document) <= 8
        assert {word for sentence in document for word in sentence.split()} <= known


def test_documents_repeat_by_seed():
    words = lexicon.load()
    assert language.documents(words, 20, 1) == language.documents(words, 20, 1) != language.documents(words, 20, 2)


def test_documents_keep_to_a_mood():
    """Sentence adverbs announce the sentiment, so no document has adverbs of both kinds."""
    good, bad = (set(lexicon.load().stances[sign]) for sign in (1, -1))
    for document in language.documents(lexicon.load(), 300, seed=0):
        said = {word for sentence in document for word in sentence.split()}
        assert not (said & good and said & bad)


@pytest.mark.parametrize("task", language_tasks.WRITERS)
def test_training_shows_a_part_of_the_lexicon_and_dev_the_whole(task):
    train, dev = language_tasks.splits(task, 400, 400)
    texts = [{e[k] for e in part for k in e if k != "label"} for part in (train, dev)]
    words = [{word for text in part for word in text.split()} for part in texts]
    members = {n.singular for n in lexicon.load().members}
    assert len(members & words[0]) <= len(members) / 3 < 0.8 * len(members & words[1])
    assert not {tuple(e.values())[:-1] for e in train} & {tuple(e.values())[:-1] for e in dev}
    labels = pd.Series([e["label"] for e in dev]).value_counts(normalize=True)
    assert labels.max() < 1.3 / len(labels)


def test_agreement_is_what_acceptability_breaks():
    clause = language.Grammar(lexicon.load(), Random(0)).action()
    wrong = language.replace(clause, past=False, negation="", agrees=False)
    right = language.replace(wrong, agrees=True)
    different = [(a, b) for a, b in zip(right.words(), wrong.words(), strict=True) if a != b]
    assert different in [[(right.verb.base, right.verb.third)], [(right.verb.third, right.verb.base)]]


DOCUMENTS = st.lists(
    st.lists(st.lists(st.integers(5, 900), min_size=1, max_size=9), min_size=1, max_size=6), min_size=2, max_size=6
)


@given(DOCUMENTS, st.integers(8, 40), st.integers(0, 99))
def test_pairs_fit_and_their_label_is_true(documents, length, seed):
    # every token says which document and place it comes from
    marked = [
        [[1000 * d + i for i, _ in enumerate(sentence, start=100 * s)] for s, sentence in enumerate(document)]
        for d, document in enumerate(documents)
    ]
    for first, second, label in sentence_pairs(marked, length, Random(seed)):
        assert first and second and len(first) + len(second) <= length
        same = {t // 1000 for t in first} == {t // 1000 for t in second}
        assert same == (label == IS_NEXT)
        if label == IS_NEXT:
            assert second[0] > first[-1]  # in the order of the text


def test_half_of_the_pairs_are_next_however_long_the_sentences():
    for tokens in (3, 30, 300):
        documents = [[[d] * tokens for _ in range(1 + d % 4)] for d in range(1000)]
        labels = [label for _, _, label in sentence_pairs(documents, 61, Random(tokens))]
        assert abs(sum(labels) / len(labels) - 0.5) < 0.05


def test_masking_is_the_papers():
    words = tokenizer_of(SMOKE)
    texts = language.documents(lexicon.load(), 500, 0)
    made = list(examples(iter(texts), words, 24, SMOKE.pretraining, "seed"))
    assert made == list(examples(iter(texts), words, 24, SMOKE.pretraining, "seed"))
    hidden = kept = total = 0
    for example in made:
        ids, labels = np.array(example["input_ids"]), np.array(example["labels"])
        chosen = labels != IGNORED
        assert 1 <= chosen.sum() <= max(1, round(SMOKE.pretraining.masked_share * len(ids)))
        assert not set(labels[chosen]) & {words.cls_token_id, words.sep_token_id}
        assert example["length"] == len(ids) == len(example["token_type_ids"]) <= 24
        hidden += (ids[chosen] == words.mask_token_id).sum()
        kept += (ids[chosen] == labels[chosen]).sum()
        total += chosen.sum()
    assert 0.78 < hidden / total < 0.82 and 0.08 < kept / total < 0.12
    assert 0.4 < np.mean([e["next_sentence_label"] == IS_RANDOM for e in made]) < 0.75


def test_at_most_max_masked_tokens_are_hidden():
    recipe = SMOKE.pretraining.model_copy(update={"max_masked": 2, "masked_share": 0.9})
    texts = language.documents(lexicon.load(), 50, 0)
    made = list(examples(iter(texts), tokenizer_of(SMOKE), 24, recipe, "seed"))
    assert max(sum(y != IGNORED for y in e["labels"]) for e in made) == 2


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 16), st.integers(1, 900), st.integers(0, 99)
)
def test_an_order_reads_every_example_equally_often(lengths, batch_size, count, seed):
    order = training_order(np.array(lengths), batch_size, count, seed)
    assert len(order) == count
    times = np.bincount(order, minlength=len(lengths))
    assert times.max() - times.min() <= 1
    assert np.array_equal(order, training_order(np.array(lengths), batch_size, count, seed))


def test_each_pass_over_the_data_has_an_order_of_its_own():
    batches = training_order(np.full(64, 5), 32, 128, 0).reshape(4, 32)
    assert len({frozenset(batch) for batch in batches.tolist()}) == 4


def test_batches_hold_like_lengths():
    lengths = np.random.default_rng(0).integers(4, 128, 6400)
    order = training_order(lengths, 32, 6400, 0)
    padding = [1 - b.sum() / (b.max() * len(b)) for b in lengths[order].reshape(-1, 32)]
    assert np.mean(padding) < 0.05


def test_a_batch_is_padded_to_its_own_longest():
    batch = padded(
        [
            {"input_ids": [7, 8, 9], "labels": [-100, 8, -100], "next_sentence_label": 1},
            {"input_ids": [7], "labels": [7], "next_sentence_label": 0},
        ],
        padding=0,
    )
    assert batch["input_ids"].tolist() == [[7, 8, 9], [7, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 8, -100], [7, -100, -100]]
    assert batch["next_sentence_label"].tolist() == [1, 0]


@given(
    st.lists(st.lists(st.integers(0, 99), max_size=7), min_size=1, max_size=40), st.integers(1, 9), st.integers(0, 99)
)
def test_rows_are_those_of_the_data_set(ids, chunk, seed):
    """Of one whose lists lie in several buffers, and of a selection of it."""
    random = np.random.default_rng(seed)
    whole = {"input_ids": ids, "labels": [len(one) for one in ids], "score": [len(one) / 7 for one in ids]}
    parts = [Dataset.from_dict({k: v[i : i + chunk] for k, v in whole.items()}) for i in range(0, len(ids), chunk)]
    data = concatenate_datasets(parts)
    for of in (data, data.select(random.permutation(len(ids))[: 1 + len(ids) // 2])):
        order = random.integers(len(of), size=10)
        rows = Rows(of, order)
        for got in (rows.__getitems__(list(range(len(rows)))), [rows[i] for i in range(len(rows))]):
            found = [{name: np.asarray(value).tolist() for name, value in row.items()} for row in got]
            assert found == of.select(order).to_list()
