"""Vocabularies as people have them: read with the ids of their lines, or refused with the line."""

import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from prune_utils.data import vocabulary
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study.params import extended, validated
from prune_utils.study.paths import PARAMS
from prune_utils.study.section import ParamsError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "kind", "river", "saw", "a", "mill", "##s", "."]
SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


def study_of(folder, name, model=None, **corpus):
    content = {
        "study": "own",
        "extends": "own.yaml",
        "corpus": {
            "source": "local",
            "files": [str(folder / "text.txt")],
            "held_out_files": [str(folder / "text.txt")],
            "vocabulary": name and str(name),
            "max_length": 16,
            **corpus,
        },
        "model": {"pretrained": str(model)} if model else {"pretrained": None, **SMALL},
    }
    return validated(extended(yaml.safe_load(yaml.safe_dump(content)), PARAMS))


def written(folder, lines, end="\n", mark=""):
    path = folder / "vocab.txt"
    path.write_bytes((mark + "".join(line + end for line in lines)).encode())
    return path


@pytest.mark.parametrize("end, mark", [("\n", ""), ("\r\n", ""), ("\n", "\ufeff"), ("\r\n", "\ufeff")])
@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\u2029", "\x0b", "\x1c", "é"])
def test_the_id_of_a_token_is_its_line(tmp_path, odd, end, mark):
    lines = [*SPECIAL, odd, *WORDS]
    tokenizer = tokenizer_of(study_of(tmp_path, written(tmp_path, lines, end, mark)))
    assert tokenizer.get_vocab() == {word: line for line, word in enumerate(lines)}
    ids = tokenizer("The kind rivers saw a mill .")["input_ids"]
    assert ids == [2, *map(lines.index, ["the", "kind", "river", "##s", "saw", "a", "mill", "."]), 3]


@pytest.mark.parametrize(
    "lines, said",
    [
        ([*SPECIAL, "the", *WORDS], "line 7 repeats 'the' of line 6"),
        ([*SPECIAL, "", *WORDS], "line 6 is ''"),
        (["[PAD]\t0", *SPECIAL], r"line 1 is '\[PAD\]\\t0'; allowed is one token per line"),
        (["version https://git-lfs.github.com/spec/v1", "oid sha256:0"], "line 1 is 'version"),
        (WORDS, r"has no \[PAD\], \[UNK\], \[CLS\], \[SEP\], \[MASK\]"),
        (["<pad>", "<unk>", "<s>", "</s>", "<mask>", *WORDS], "BERT's special tokens"),
        ([*SPECIAL, *("\u2581" + word for word in WORDS)], "SentencePiece tokens"),
        ([], "line 1 is ''"),
    ],
)
def test_what_cannot_be_a_vocabulary_is_refused_with_its_line(tmp_path, lines, said):
    with pytest.raises(ParamsError, match=said):
        tokenizer_of(study_of(tmp_path, written(tmp_path, lines)))


def test_bytes_that_are_not_utf8_are_refused_with_their_place(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("\n".join([*SPECIAL, "caf\xe9"]).encode("latin-1"))
    with pytest.raises(ParamsError, match="line 6: byte 34 is 0xe9, which is not UTF-8"):
        tokenizer_of(study_of(tmp_path, path))


def test_the_casing_is_that_of_the_tokens(tmp_path):
    cased = written(tmp_path, [*SPECIAL, *(word.capitalize() for word in WORDS)])
    assert tokenizer_of(study_of(tmp_path, cased)).tokenize("The kind River") == ["The", "[UNK]", "River"]
    with pytest.raises(ParamsError, match="corpus.lowercase is true, but .* of the tokens of .* have capitals"):
        tokenizer_of(study_of(tmp_path, cased, lowercase=True))
    accents = written(tmp_path, [*SPECIAL, "नदी", "घर", "देखा", "école"])
    assert tokenizer_of(study_of(tmp_path, accents)).tokenize("देखा École") == ["देखा", "école"]
    plain = written(tmp_path, [*SPECIAL, "ecole"])
    assert tokenizer_of(study_of(tmp_path, plain)).tokenize("École") == ["ecole"]
    assert tokenizer_of(study_of(tmp_path, plain, lowercase=False)).tokenize("Ecole ecole") == ["[UNK]", "ecole"]


def saved(folder, lines, **options):
    """A folder that save_pretrained wrote."""
    folder.mkdir()
    tokenizer_of(study_of(folder, written(folder, lines), **options)).save_pretrained(folder / "saved")
    return folder / "saved"


def test_a_folder_a_file_of_it_and_the_own_checkpoint_are_read_with_their_casing(tmp_path):
    lines = [*SPECIAL, "The", *WORDS]
    folder = saved(tmp_path / "cased", lines, lowercase=False)
    for name in (folder, folder / "tokenizer.json"):
        tokenizer = tokenizer_of(study_of(tmp_path, name))
        assert tokenizer.get_vocab() == {word: line for line, word in enumerate(lines)}
        assert tokenizer.tokenize("The the") == ["The", "the"] and tokenizer.model_max_length == 16
    with pytest.raises(ParamsError, match="has a casing of its own"):
        tokenizer_of(study_of(tmp_path, folder, lowercase=True))
    alone = tmp_path / "alone.json"
    alone.write_bytes((folder / "tokenizer.json").read_bytes())
    assert tokenizer_of(study_of(tmp_path, alone)).tokenize("The the") == ["The", "the"]


@pytest.mark.parametrize("damage", ["{", "{}", '{"model": {"vocab": {}}}', "[]", ""])
def test_a_damaged_tokenizer_is_refused(tmp_path, damage):
    folder = saved(tmp_path / "own", [*SPECIAL, *WORDS])
    (folder / "tokenizer.json").write_text(damage)
    (folder / "vocab.txt").unlink(missing_ok=True)
    for name in (folder, folder / "tokenizer.json"):
        with pytest.raises(ParamsError, match="corpus.vocabulary: "):
            tokenizer_of(study_of(tmp_path, name))


def test_the_vocabulary_of_a_model_is_its_default_and_another_order_is_refused(tmp_path):
    model = saved(tmp_path / "model", [*SPECIAL, *WORDS])
    study = study_of(tmp_path, None, model=model)
    tokenizer = tokenizer_of(study)
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(model).get_vocab()
    assert [fact.value for fact in vocabulary.check(study, tokenizer)] == ["13, lower-cased"]
    other = study_of(tmp_path, written(tmp_path, [*SPECIAL, *WORDS[::-1]]), model=model)
    with pytest.raises(ParamsError, match="gives '##s' the id 6, and .* was trained with 11"):
        vocabulary.check(other, tokenizer_of(other))


def test_without_a_model_a_vocabulary_is_needed(tmp_path):
    with pytest.raises(ParamsError, match="corpus.vocabulary is missing"):
        study_of(tmp_path, None)


tokens = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1, max_size=4)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(tokens, max_size=12), st.sampled_from(["\n", "\r\n"]), st.permutations(SPECIAL))
def test_any_lines_are_read_with_their_numbers_or_refused(tmp_path, words, end, special):
    lines = [*special, *words]
    path = tmp_path / "vocab.txt"
    path.write_bytes("".join(line + end for line in lines).encode())
    try:
        read = tokenizer_of(study_of(tmp_path, path)).get_vocab()
    except ParamsError as error:
        assert "corpus.vocabulary" in str(error)
        return
    assert read == {word: line for line, word in enumerate(lines)}


def test_a_tokenizer_that_does_not_encode_as_bert_is_refused(tmp_path):
    folder = saved(tmp_path / "own", [*SPECIAL, *WORDS])
    content = json.loads((folder / "tokenizer.json").read_text())
    content["post_processor"] = None
    alone = tmp_path / "alone.json"
    alone.write_text(json.dumps(content))
    with pytest.raises(ParamsError, match=r"encodes a pair as .*; allowed is \[CLS\] a \[SEP\] b \[SEP\]"):
        tokenizer_of(study_of(tmp_path, alone))
