"""Text that people bring: read as it is meant, or refused with the name of its file, before any training."""

import bz2
import gzip
import hashlib
import itertools
import json
import lzma
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prune_utils.data.pairs import IS_NEXT, IS_RANDOM, examples, sentence_pairs
from prune_utils.data.prepared import pretraining_data
from prune_utils.data.text import HEADING, document_lines, documents, sentences
from prune_utils.data.text_check import check
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study.params import complete, load_study, validated
from prune_utils.study.paths import PARAMS
from prune_utils.study.section import ParamsError

SMOKE = load_study(PARAMS / "smoke.yaml")
ENGLISH = ("the", "river", "mill", "farmer", "market", "bridge", "winter", "letter", "kind", "bright", "saw", "found")
CHINESE, HINDI = ("河", "桥", "信", "花"), ("नदी", "पुल", "घर")
WORDS = (*ENGLISH, ".", "?", "!", ",", *CHINESE, "。", *HINDI, "।")


# sentences


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ('One. Two? "Three!" (Four.) Five', ["One.", "Two?", '"Three!"', "(Four.)", "Five"]),
        ("“One.” ‘Two.’) »Drei.« Four", ["“One.”", "‘Two.’)", "»Drei.«", "Four"]),
        ("Pi is 3.14, e.g.so. . Yes ", ["Pi is 3.14, e.g.so.", ".", "Yes"]),
        ("我们走。“好！”他说。」信", ["我们走。", "“好！”", "他说。」", "信"]),
        ("値は３．１４です．次に", ["値は３．１４です．", "次に"]),
        ("नदी है। पुल॥ घर", ["नदी है।", "पुल॥", "घर"]),
        ("هل رأيت؟ نعم۔ حسنا", ["هل رأيت؟", "نعم۔", "حسنا"]),
        ("በጣም። ጥሩ፧ አዎ", ["በጣም።", "ጥሩ፧", "አዎ"]),
        ("ཆུ།ཟམ།། ཡིག", ["ཆུ།", "ཟམ།།", "ཡིག"]),
        ("הנהר׃ הגשר", ["הנהר׃", "הגשר"]),
        ("one\u2028two\u2029three\x85four\x0cfive", ["one", "two", "three", "four", "five"]),
        ("a transcript has no marks at all", ["a transcript has no marks at all"]),
        (" \t ", []),
    ],
)
def test_sentences_end_in_any_script(paragraph, expected):
    assert sentences(paragraph) == expected


@given(st.text("ab .!?\"')]“”»。।؟．1\u2028\t", max_size=60))
def test_sentences_hold_the_whole_paragraph(paragraph):
    assert "".join("".join(sentences(paragraph)).split()) == "".join(paragraph.split())


@given(st.text("ab 1.!?,;-(\n", max_size=60))
def test_plain_english_is_split_as_ever(paragraph):
    assert sentences(paragraph.replace("\n", " ")) == [
        part for part in re.split(r"(?<=[.!?])\s+", paragraph.replace("\n", " ").strip()) if part
    ]


def test_only_headings_of_wikitext_are_headings():
    yes = [" = The Mill = ", "= = A = =", " = = = 1 + 1 = 2 = = = ", "= x ="]
    no = ["=> the river <=", "= = A =", "= A = =", "== A ==", "x = y", "= =", "=", "a = b =", "= a = b", "=====", ""]
    assert [bool(HEADING.fullmatch(line)) for line in yes + no] == [True] * len(yes) + [False] * len(no)


# files


LINES = st.lists(st.text("ab. é河🙂\u2028=\t", min_size=1).filter(str.strip), min_size=1, max_size=4)
PACKED = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


def written(folder: Path, documents: list[list[str]], json_lines: bool, packed: str, end: str, bom: str) -> Path:
    path = folder / f"text{'.jsonl' if json_lines else '.txt'}{packed}"
    if json_lines:
        rows = [json.dumps({"id": 1, "text": end.join(lines)}, ensure_ascii=len(lines) % 2 == 0) for lines in documents]
    else:
        rows = [end.join([*lines, ""]) for lines in documents]
    path.write_bytes(PACKED[packed]((bom + end.join(rows) + end).encode()))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("text")


FORM = (st.booleans(), st.sampled_from(list(PACKED)), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]))


@given(st.lists(LINES, min_size=1, max_size=4), *FORM)
def test_every_form_gives_the_same_documents(folder, texts, json_lines, packed, end, bom):
    assert list(document_lines(written(folder, texts, json_lines, packed, end, bom), "text", "it")) == texts


def read_otherwise(data: bytes, packed: str) -> list[list[str]]:
    """An independent reader of plain text. Raises any error."""
    text = {"": bytes, ".gz": gzip.decompress, ".xz": lzma.decompress}[packed](data).decode("utf-8")
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    assert "\0" not in text and "\r" not in text.removesuffix("\r")
    groups = itertools.groupby(text.removesuffix("\r").split("\n"), key=lambda line: bool(line.strip()))
    return [list(lines) for filled, lines in groups if filled]


@given(st.sampled_from(list(PACKED)), st.integers(0, 10**6), st.binary(max_size=3), st.integers(0, 4), st.booleans())
def test_damaged_bytes_are_read_as_they_are_or_refused(folder, packed, at, put, cut, short):
    whole = PACKED[packed]("One é. Two 河!\nThree.\n\nFour 🙂.\n".encode() * 3)
    at %= len(whole)
    damaged = whole[:at] + put + (b"" if short else whole[at + cut :])
    path = folder / f"damaged.txt{packed}"
    path.write_bytes(damaged)
    try:
        expected = read_otherwise(damaged, packed)
    except Exception:
        expected = None
    try:
        found = list(document_lines(path, "text", "it"))
    except ParamsError:
        found = None
    assert found == expected


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", "the café.\n".encode("latin-1"), "line 1: byte 7 is 0xe9, which is not UTF-8.*Latin-1"),
        ("a.txt", b"\xef\xbb\xbfabc.\n\xff", "line 2: byte 8 "),
        ("a.txt", "the mill.\n".encode("utf-16"), "UTF-16"),
        ("a.txt", "the mill.\n".encode("utf-16-le"), r"line 1 has the character .\\x00"),
        ("a.txt", b"one.\rtwo.\r", r"line 1 has the character .\\r"),
        ("a.txt", gzip.compress(b"one.", mtime=0), "is it gzip"),
        ("a.txt", b'{"text": "one."}\n', "must end in .jsonl"),
        ("a.txt", b'[{"text": "one."}]\n', "JSON in line 1"),
        ("a.txt", b'<doc id="1" title="A">\none.\n</doc>\n', "begins with .<doc id.*without markup"),
        ("a.txt", b" <!DOCTYPE html><p>one.</p>\n", "without markup"),
        ("a.txt", bz2.compress(b"one. "), "is it bzip2"),
        ("a.txt", b"", "holds no text"),
        ("a.txt", b"\n = A = \n\n", "holds no text"),
        ("a.csv", b"text,label\n", "not plain text"),
        ("a.gz", b"one.\n", "cannot be read: Not a gzipped file"),
        ("a.gz", gzip.compress(b"one. " * 99, mtime=0)[:-12], "cannot be read"),
        ("a.xz", lzma.compress(b"one. " * 99)[:-12], "cannot be read"),
        ("a.xz", b"one.\n", "cannot be read"),
        ("a.jsonl", b'{"text": "one."}\n{"text": \n', "line 2 is not JSON"),
        ("a.jsonl", b"[" * 99_999, "line 1 is not JSON"),
        ("a.jsonl", b"[1]\n", "it is not an object"),
        ("a.jsonl", b'{"txt": "one."}\n', "line 1 has no text in field 'text'; its fields are 'txt'"),
        ("a.jsonl", b'{"text": null}\n', "no text in field 'text'"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', "line 1 has the character .*ud800"),
        ("a.jsonl", b'{"text": "a\\u0000"}\n', r"line 1 has the character .\\x00"),
        ("nowhere.txt", None, "cannot be read: No such file"),
    ],
)
@pytest.mark.parametrize("key", ["files", "held_out_files"])
def test_what_is_no_text_is_refused_with_its_key_file_and_place(tmp_path, name, data, said, key):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    study = brought(tmp_path, [["the river saw a mill ."] * 9] * 9, **{key: [str(tmp_path / name)]})
    with pytest.raises(ParamsError, match=f"^corpus.{key}: file .*{re.escape(name)}[ ,].*{said}"):
        check(study, tokenizer_of(study))


def test_local_text_has_a_document_between_empty_lines(tmp_path):
    path = tmp_path / "text.txt.xz"
    path.write_bytes(lzma.compress(b' = A heading = \n\nOne @-@ two . Three ?\nFour .\n \nFive !" Six .\n'))
    corpus = brought(tmp_path, [["the ."]], files=[str(path)], replace={" @-@ ": "-"}).corpus
    assert list(documents(corpus, held_out=False)) == [["One-two .", "Three ?", "Four ."], ['Five !"', "Six ."]]


# pairs


class Next(Random):
    """Draws no random segment and no shorter pair."""

    def random(self):
        return 0.99

    def getrandbits(self, k):
        return super().getrandbits(k)


def marked(lengths: list[list[int]]) -> list[list[list[int]]]:
    """Documents of sentences of these lengths; each token is its place in the whole text."""
    place = itertools.count()
    return [[[next(place) for _ in range(length)] for length in document] for document in lengths]


def lengths_for(longest: int):
    # up to half a pair, so that two sentences fit, or longer than a pair
    either = st.one_of(st.integers(2, longest // 2), st.integers(longest + 1, 5 * longest))
    return st.lists(st.lists(either, min_size=1, max_size=6), min_size=1, max_size=5)


@given(st.sampled_from([8, 29, 61]).flatmap(lambda n: st.tuples(st.just(n), lengths_for(n))), st.integers(0, 99))
def test_pairs_that_continue_hold_each_document_from_end_to_end(drawn, seed):
    length, lengths = drawn
    texts = marked(lengths)
    pairs = list(sentence_pairs(texts, length, Next(seed)))
    assert {label for *_, label in pairs} == {IS_NEXT}
    read = [token for first, second, _ in pairs for token in first + second]
    whole = [token for document in texts for sentence in document for token in sentence]
    # in order, nothing twice; a single token that is left over makes no pair
    assert read == sorted(set(read)) and set(read) <= set(whole)
    assert len(whole) - len(read) <= len(texts)
    assert all(len(first) + len(second) <= length for first, second, _ in pairs)


@settings(max_examples=40)
@given(st.sampled_from([8, 29, 61]).flatmap(lambda n: st.tuples(st.just(n), lengths_for(n))), st.integers(0, 9))
def test_some_pass_reads_every_token(drawn, seed):
    length, lengths = drawn
    texts, random = marked(lengths), Random(seed)
    read = set()
    for _ in range(40):
        read |= {token for first, second, _ in sentence_pairs(texts, length, random) for token in first + second}
    assert len({t for document in texts for s in document for t in s} - read) <= len(texts)


@given(st.integers(1, 400), st.integers(1, 70), st.integers(8, 40), st.integers(0, 99))
def test_one_document_draws_its_random_segments_from_a_distance(count, tokens, length, seed):
    texts = marked([[tokens] * count])
    pairs = list(sentence_pairs(texts, length, Random(seed)))
    for first, second, label in pairs:
        assert first and second and len(first) + len(second) <= length
        assert not set(first) & set(second)
        assert label == IS_RANDOM or second[0] > first[-1]
    if len(pairs) > 200:
        assert abs(sum(label for *_, label in pairs) / len(pairs) - 0.5) < 0.15
        gaps = [min(abs(a - b) for a in first for b in second) for first, second, label in pairs if label == IS_RANDOM]
        assert min(gaps) > count * tokens / 8


def test_documents_without_long_sentences_give_the_pairs_they_always_gave():
    texts = [
        [[1000 * d + 100 * s + i for i in range(3 + (7 * d + 5 * s) % 17)] for s in range(1 + d % 6)]
        for d in range(300)
    ]
    pairs = list(sentence_pairs(texts, 29, Random(1)))
    assert hashlib.sha256(repr(pairs).encode()).hexdigest()[:16] == "e0ddf94ac4fac515"


# the check


def brought(folder: Path, texts: list[list[str]], held_out: list[list[str]] | None = None, words=WORDS, **corpus):
    """A study of these documents; by default, other documents of the same words are held out."""
    if held_out is None:
        random = Random(9)
        held_out = [[" ".join(random.choices(ENGLISH, k=9)) + " ." for _ in range(9)] for _ in range(20)]
    for name, content in (("training", texts), ("held-out", held_out)):
        (folder / f"{name}.txt").write_text("\n\n".join(map("\n".join, content)), encoding="utf-8")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *words]) + "\n", encoding="utf-8")
    files = {"files": [f"{folder}/training.txt"], "held_out_files": [f"{folder}/held-out.txt"]}
    files |= {"source": "local", "vocabulary": f"{folder}/vocab.txt", "lowercase": False, "max_length": 32}
    content = complete("smoke") | {"study": "brought", "corpus": files | corpus}
    content["tasks"] = [{"source": "local", "name": "mine", "folder": str(folder)}]
    return validated(content)


def told(study) -> dict[str, dict[str, tuple[str, bool]]]:
    facts = {}
    for fact in check(study, tokenizer_of(study)):
        facts.setdefault(fact.about, {})[fact.what] = (fact.value, fact.odd)
    return facts


def random_texts(count: int, lines: int, words: int, ends: str = ".", blank: str = " ", seed: int = 0):
    random = Random(seed)
    of = {"。": CHINESE, "।": HINDI}.get(ends, ENGLISH)
    return [[blank.join([*random.choices(of, k=words), ends]) for _ in range(lines)] for _ in range(count)]


def share(value: str) -> float:
    return float(value.removesuffix(" %")) / 100


READ = "share of the tokens in the pairs of one pass"


@pytest.mark.parametrize(
    "texts",
    [
        random_texts(60, 8, 8),
        [["".join(document)] for document in random_texts(60, 20, 9, "。", "")],
        [[" ".join(document)] for document in random_texts(60, 20, 8, "।")],
        random_texts(40, 1, 600, ""),
        random_texts(1, 900, 8),
        [[" ".join(random_texts(1, 900, 8)[0])]],
        [["\u2028".join(random_texts(1, 900, 8)[0])]],
    ],
    ids=["lines", "chinese", "hindi", "transcript", "one document", "one line", "U+2028"],
)
def test_text_is_used_as_a_whole_and_half_of_its_pairs_are_random(tmp_path, texts):
    study = brought(tmp_path, texts)
    facts, words = told(study)["corpus.files"], tokenizer_of(study)
    assert share(facts[READ][0]) > 0.9 and not facts[READ][1]
    assert abs(share(facts["share of random pairs"][0]) - 0.5) < 0.1
    assert facts["documents"] == (str(len(texts)), False) or (len(texts) == 1 and facts["documents"][1])
    assert facts["share of [UNK]"] == ("0.0 %", False)
    made = list(examples(documents(study.corpus, False), words, 32, study.pretraining, "pairs False 0"))
    expected = len(made) * study.pretraining.duplicates
    stated = int(re.match(r"[\d,]+", facts["sentence pairs"][0])[0].replace(",", ""))
    assert abs(stated - expected) < 0.1 * expected
    tokens = sum(len(words(s, add_special_tokens=False).input_ids) for d in documents(study.corpus, False) for s in d)
    assert sum(example["length"] - 3 for example in made) > 0.9 * tokens


def test_a_large_text_is_read_whole_and_told_from_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("prune_utils.data.text_check.SAMPLE", 20_000)
    monkeypatch.setattr("prune_utils.data.text_check.PART", 2_000)
    texts = random_texts(300, 10, 8) + random_texts(2, 500, 8, seed=1)
    study = brought(tmp_path, texts)
    facts = told(study)["corpus.files"]
    assert facts["documents"][0] == "302" and abs(float(facts["sentences per document"][0]) - 4000 / 302) < 1
    pairs = list(examples(documents(study.corpus, False), tokenizer_of(study), 32, study.pretraining, "x"))
    expected = len(pairs) * study.pretraining.duplicates
    stated = int(re.match(r"about ([\d,]+)", facts["sentence pairs"][0])[1].replace(",", ""))
    assert abs(stated - expected) < 0.1 * expected


def test_nothing_is_told_of_the_embedded_language():
    assert check(SMOKE, tokenizer_of(SMOKE)) == []


def test_words_that_the_vocabulary_lacks_are_told_and_then_refused(tmp_path):
    texts = random_texts(60, 8, 9)
    texts[0] = ["zebra " * 9] * 20
    study = brought(tmp_path, texts)
    value, odd = told(study)["corpus.files"]["share of [UNK]"]
    assert odd and abs(share(value) - 180 / (180 + 59 * 80)) < 0.002
    study = brought(tmp_path, texts, replace={"zebra": "[UNK]"})  # the text's own mark
    assert told(study)["corpus.files"]["share of [UNK]"] == ("0.0 %", False)
    with pytest.raises(ParamsError, match=r"corpus.files: 100.0 % of the tokens are \[UNK\].*vocab.txt.*20.0 %"):
        told(brought(tmp_path, texts, words=["x" + word for word in ENGLISH]))


def test_overlap_repeats_and_reuse_are_told(tmp_path):
    texts = random_texts(40, 8, 8)
    facts = told(brought(tmp_path, texts * 3, held_out=texts[:10] + random_texts(10, 8, 8, seed=5)))
    (lines,) = [value for what, value in facts["corpus.held_out_files"].items() if what.startswith("share of lines")]
    assert lines == ("50.0 %", True)
    assert facts["corpus.files"]["share of documents that repeat another"] == ("66.7 %", True)
    study = brought(tmp_path, random_texts(5, 4, 8))
    study = study.model_copy(update={"pretraining": study.pretraining.model_copy(update={"burn_in_steps": 9000})})
    value, odd = told(study)["corpus.files"]["sentence pairs"]
    assert odd and f"{16 * 9000:,}" in value
    pairs, times = (float(re.search(f, value)[1]) for f in (r"^(\d+)", r"each ([\d.]+) times"))
    assert abs(times - 16 * 9000 / pairs) < 0.1


def test_what_is_left_out_or_without_effect_is_told(tmp_path):
    texts = random_texts(40, 8, 8)
    texts[0] = ["= The mill =", "=> the river <= .", "the ri\x07ver [SEP] ."] + texts[0]
    options = {"words": [*WORDS, "=", ">", "<"], "replace": {"mill": "bridge", "zebra": "mill"}, "field": "body"}
    facts = told(brought(tmp_path, texts, **options))
    assert facts["corpus.files"]["headings left out"] == ("1", False)
    value, odd = facts["corpus.files"]["unusual characters"]
    assert odd and value.startswith("1 U+0007 ")
    assert facts["corpus.files"]["special tokens that the text itself holds"] == ("[SEP]", True)
    assert facts["corpus.replace"]["keys that never occur"] == ("'zebra'", True)
    assert facts["corpus.field"]["files with fields"][1]
    with pytest.raises(ParamsError, match="corpus.replace: key ''"):
        brought(tmp_path, texts, replace={"": "x"})


def test_text_that_gives_no_pairs_is_refused(tmp_path):
    texts = random_texts(40, 8, 8)
    with pytest.raises(ParamsError, match="corpus.held_out_files: the text gives 1 sentence pair; at least 8"):
        told(brought(tmp_path, texts, held_out=[["the river saw ."]]))
    with pytest.raises(ParamsError, match="corpus.files: the text gives 0 sentence pairs; at least 1"):
        told(brought(tmp_path, [["the"]]))
    with pytest.raises(ParamsError, match="corpus.files: the text gives 0 sentence pairs"):
        told(brought(tmp_path, [["the river"]], replace={"the river": ""}))


def test_a_text_that_changed_after_the_check_is_refused_by_name(tmp_path):
    study = brought(tmp_path, random_texts(40, 8, 8)).model_copy(update={"study": tmp_path.name})
    (tmp_path / "training.txt").write_bytes(b"the \xff .")
    with pytest.raises(ParamsError, match="corpus.files: file .*training.txt, line 1: byte 4 is 0xff"):
        pretraining_data(study)
