"""Blanks against transformers itself, and sentences that cannot be asked."""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from encoders import documents, save_tokenizer
from transformers import AutoTokenizer, BertForPreTraining
from views import HARM, control, rows_of, texts

from prune_utils.data.masked_tokens import IGNORED
from prune_utils.explorer import controls, studies, view_blanks


@pytest.fixture
def models(here):
    return view_blanks.Models(here, 0)


def test_a_blank_is_filled_as_transformers_fills_it(models, here):
    ours = models.probabilities("a poodle is a [MASK] .")
    assert list(ours) == [0.0, 0.6, 0.9]
    for sparsity in ours:
        folder = here.checkpoint(sparsity, 0)
        tokenizer, model = AutoTokenizer.from_pretrained(folder), BertForPreTraining.from_pretrained(folder).eval()
        encoded = tokenizer("a poodle is a [MASK] .", return_tensors="pt")
        with torch.no_grad():
            logits = model(**encoded).prediction_logits[0, 5]  # [CLS] a poodle is a [MASK]
        assert ours[sparsity].to_numpy() == pytest.approx(torch.softmax(logits, -1).numpy(), abs=1e-6)
        best = tokenizer.convert_ids_to_tokens(logits.topk(3).indices.tolist())
        assert [text.split()[0] for text in view_blanks.answers(ours, 3)[studies.percent(sparsity)]] == best
    pd.testing.assert_frame_equal(ours, models.probabilities("A Poodle is a ___."))


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("a poodle is a dog .", "has no blanks"),
        ("", "has no blanks"),
        ("a ___ is a [MASK] .", "has 2 blanks"),
        ("___ " + "dog " * 40, "has 43 tokens; these models read at most 32"),
    ],
)
def test_a_sentence_that_cannot_be_asked_is_told_why(models, sentence, said):
    with pytest.raises(studies.Absent, match=said):
        models.probabilities(sentence)


def test_unknown_words_are_named_and_answers_are_text(here):
    view = view_blanks.asked(here)
    control(view, "Sentence").value = f"a {HARM} zebra zebra is a ___ ."
    assert "zebra" in texts(view).split("</p>")[0] and texts(view).split("</p>")[0].count("zebra") == 1
    assert "<script" not in texts(view) and "<table" in texts(view)
    control(view, "Sentence").value = HARM
    assert "no blanks" in texts(view) and "<script" not in texts(view)
    control(view, "Sentence").value = "a poodle is a ___ ."
    control(view, "Words").value = 3
    assert "Not in the vocabulary" not in texts(view) and len(rows_of(texts(view))) == 3
    strange = pd.DataFrame({0.0: [0.6, 0.4]}, index=[HARM, "_"])
    assert "<script" not in controls.table(view_blanks.answers(strange, 5)) and view_blanks.fading(strange, 5)


def test_the_first_sentence_has_one_blank_and_only_known_words(models, here):
    sentence = view_blanks.suggestion(here, models.tokenizer)
    assert sentence == "a poodle is a ___ ." and models.unknown(sentence) == []


def test_a_held_out_sentence_is_made_whole_and_its_longest_word_blanked(models):
    tokenizer = models.tokenizer
    ids = tokenizer("the musicians never repair a car .", "the dog barks .")["input_ids"]
    labels = [-100] * len(ids)
    labels[2], ids[2] = ids[2], tokenizer.mask_token_id
    assert view_blanks._blanked({"input_ids": ids, "labels": labels}, tokenizer) == "the ___ never repair a car ."
    short = tokenizer("a dog .", "the dog barks .")["input_ids"]
    assert view_blanks._blanked({"input_ids": short, "labels": [-100] * len(short)}, tokenizer) is None
    other = SimpleNamespace(  # wordpieces are put together again, and are no blank
        sep_token_id=9,
        unk_token="[UNK]",
        convert_ids_to_tokens=lambda _: ["un", "##believably", "calm", "we", "sat", "."],
    )
    assert view_blanks._blanked({"input_ids": [8, 1, 9], "labels": [-100] * 3}, other) == "unbelievably ___ we sat ."


def test_the_held_out_text_of_a_study_gives_a_sentence(here, models, monkeypatch):
    real = SimpleNamespace(corpus=SimpleNamespace(source="local"))
    monkeypatch.setattr(studies.Opened, "trained", lambda self: real)
    sentence = view_blanks.suggestion(here, models.tokenizer)
    assert sentence == view_blanks.suggestion(here, models.tokenizer) and models.unknown(sentence) == []
    assert sentence.count("___") == 1 and "[MASK]" not in sentence


def test_small_models_are_kept_and_large_ones_are_not(models, monkeypatch):
    models.probabilities("a ___ .")
    assert len(models.kept) == 3
    monkeypatch.setattr(view_blanks, "HELD", 1000)
    models.kept.clear()
    models.probabilities("a ___ .")
    assert not models.kept


def test_one_whole_word_is_blanked_where_tokens_are_bytes(tmp_path):
    save_tokenizer("roberta", tmp_path)
    tokenizer, found = AutoTokenizer.from_pretrained(tmp_path), 0
    for sentence in (sentence for document in documents()[:20] for sentence in document):
        ids = tokenizer(sentence, sentence)["input_ids"]
        if blanked := view_blanks._blanked({"input_ids": ids, "labels": [IGNORED] * len(ids)}, tokenizer):
            before, after = sentence.split(), blanked.split()
            (word,) = [old for old, new in zip(before, after, strict=True) if old != new]
            assert word.isalpha() and len(word) >= view_blanks.LETTERS and after.count("___") == 1
            found += 1
    assert found > 10
