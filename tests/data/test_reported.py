"""Inputs from public bug reports of other tools, in miniature: used rightly, or refused in words. Each names its report."""

import gzip

import pytest
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForPreTraining, BertForSequenceClassification

from prune_utils.data import tasks, text, text_check
from prune_utils.data.inputs import digest
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study.params import extended, validated
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.sources import LocalTask
from prune_utils.training.model_folder.check import check as check_model
from prune_utils.training.modeling import new_model

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *["the", "river", "saw", "a", "mill", "it", "was", "kind", "."]]
SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def study_of(folder, body="the river saw a mill .\nit was kind .\n\n" * 40, words=WORDS, model=None):
    (folder / "text.txt").write_text(body)
    (folder / "held.txt").write_text("the mill was kind .\nit saw a river .\n\n" * 40)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    content = {
        "study": "own",
        "extends": "own.yaml",
        "corpus": {
            "source": "local",
            "files": [str(folder / "text.txt")],
            "held_out_files": [str(folder / "held.txt")],
            "vocabulary": str(folder / "vocab.txt"),
            "max_length": 32,
        },
        "model": {"pretrained": str(model)} if model else {"pretrained": None, **SHAPE},
    }
    return validated(extended(content))


def told(study):
    return {(fact.about, fact.what): fact for fact in text_check.check(study, tokenizer_of(study))}


def test_a_vocabulary_with_a_line_end_as_a_token(tmp_path):
    """WorksApplications/SudachiTra issue 64: two lines that look blank, and all later ids shift."""
    with pytest.raises(ParamsError, match="line 8 is ''; allowed is one token per line"):
        tokenizer_of(study_of(tmp_path, words=[*WORDS[:7], "", "", *WORDS[7:]]))


def test_a_row_that_begins_with_a_quotation_mark(tmp_path):
    """pytorch/text issue 612: the quotation mark swallowed the lines up to the next one."""
    rows = ["First\t0", '"Second\t1', 'Third "sentence"\t0', "Fourth\t1", 'Fifth"sentence"\t0', "Sixth\t1"]
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / name).write_text("\n".join(["sentence\tlabel", *rows]) + "\n")
    training, _ = tasks.examples(LocalTask(source="local", name="mine", folder=str(tmp_path)))
    assert list(training["first"]) == [row.split("\t")[0] for row in rows] and list(training.label) == [0, 1] * 3


def test_a_blank_line_after_every_sentence(tmp_path):
    """google-research/bert issue 125: every line is a document of its own, so no pair is a true continuation."""
    facts = told(study_of(tmp_path, "the river saw a mill .\n\n" * 200))
    assert facts["corpus.files", "sentences per document"].odd


def test_one_long_text_without_blank_lines(tmp_path):
    """huggingface/transformers issue 452: a single document gave no training data at all."""
    study = study_of(tmp_path, "the river saw a mill .\n" * 300)
    facts = told(study)
    assert facts["corpus.files", "documents"].odd
    assert list(text.documents(study.corpus, False)) == [["the river saw a mill ."] * 300]


def test_a_compressed_file_that_was_changed(tmp_path):
    """huggingface/datasets issue 2956: a changed .gz was not noticed, and the old text was loaded."""
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress(b"one .\n", mtime=0))
    before = digest(path)
    path.write_bytes(gzip.compress(b"two .\n", mtime=0))
    assert digest(path) != before


def sound_model(folder, kind=BertForPreTraining, **fields):
    kind(BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **SHAPE, **fields)).save_pretrained(folder)
    return folder


def test_an_encoder_with_names_of_its_own(tmp_path):
    """DennisGankin/species-aware-DNA-LM issue 4: `encoder.layers.0.mixer.Wqkv` was left out, and the encoder random."""
    model = sound_model(tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    renamed = {
        name.replace("encoder.layer.", "encoder.layers.").replace("self.query", "Wq"): w for name, w in weights.items()
    }
    save_file(renamed, model / "model.safetensors")
    study = study_of(tmp_path, model=model)
    with pytest.raises(ParamsError, match="has 0 layers named bert.encoder.layer.0..., its config says 2"):
        check_model(study, tokenizer_of(study))


def test_a_classifier_with_another_number_of_labels(tmp_path):
    """huggingface/transformers issue 14218: a head of three labels stopped the fine-tuning on two."""
    model = sound_model(tmp_path / "model", BertForSequenceClassification, num_labels=3)
    study = study_of(tmp_path, model=model)
    facts = {fact.what: fact.value for fact in check_model(study, tokenizer_of(study))}
    assert "cls.predictions" in facts["parts with new, random weights"]
    loaded, saved = new_model(study, tokenizer_of(study), 0), load_file(model / "model.safetensors")
    assert all(
        saved[f"bert.{name}"].equal(tensor)
        for name, tensor in loaded.bert.state_dict().items()
        if f"bert.{name}" in saved
    )
    assert loaded.config.num_labels == 2
