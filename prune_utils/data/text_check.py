"""Check a study's own text and its sentence pairs before any training: report what they hold, or refuse them."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from random import Random

from transformers import PreTrainedTokenizerBase

from prune_utils.data import text
from prune_utils.data.inputs import corpus_of
from prune_utils.data.pairs import IS_RANDOM, sentence_pairs, tokenised
from prune_utils.data.vocabulary import pair_template
from prune_utils.study.schema import Study
from prune_utils.study.section import Fact, ParamsError
from prune_utils.study.sections.sources import Corpus
from prune_utils.study.words import many

SAMPLE = 1_000_000  # characters of a text that are tokenised and paired, from documents spread over all of it
PART = SAMPLE // 16  # characters of a document at most in the sample
STREAMED = 500  # documents of a text of the hub that are read
MOST_UNKNOWN, ODD_UNKNOWN = 0.2, 0.02  # shares of [UNK] among the tokens: refused and odd above
LEAST_HELD_OUT, ODD_HELD_OUT = 8, 100  # held-out pairs: refused and odd below; the loss of few pairs is noise
ODD_READINGS = 40  # times that training reads the same pair
ODD_READ = 0.6  # share of the tokens that stand in the pairs of one pass
ODD_DOCUMENTS, ODD_SENTENCES = 10, 2  # documents, and sentences per document, below which pairs are much alike
ODD_SHARED, ODD_REPEATED = 0.01, 0.1  # shares of held-out lines in the training text, and of repeated documents
ODD_STRANGE = 1e-5  # share of the characters
# control characters, separators that end no line, and what a faulty conversion leaves
STRANGE = re.compile("[\x01-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffd]")


@dataclass(eq=False)
class _Survey:
    """A text read as a whole (of the hub: its first documents), and a sample of it: the lines of some documents."""

    key: str  # in the params
    counts: Counter = field(default_factory=Counter)
    strange: Counter = field(default_factory=Counter)
    sample: list[list[str]] = field(default_factory=list)
    share: float = 0.0  # of the characters that the sample holds
    ends: bool = True  # False if a text of the hub goes on
    lines: set[int] = field(default_factory=set)  # hashes of held-out lines, each with the next, that this text has
    unused: set[str] = field(default_factory=set)  # keys of corpus.replace


def check(study: Study, tokenizer: PreTrainedTokenizerBase) -> list[Fact]:
    """Report what the training and the held-out text give; nothing for the embedded language.

    Local files are read as a whole; tokens and pairs are counted on a sample. Raises ParamsError if a file cannot be
    read or holds no text, if too many tokens are unknown, or if there are too few pairs.
    """
    if study.corpus.source == "embedded":
        return []
    held_out = _survey(corpus_of(study))
    training = _survey(corpus_of(study), held_out.lines)
    texts = {training: False, held_out: True}
    facts = [Fact(one.key, *fact) for one, out in texts.items() for fact in _facts(one, study, tokenizer, out)]
    if shared := len(training.lines) / len(held_out.lines):
        what = "share of lines that, with the next, are in the training text"
        facts.append(Fact(held_out.key, what, _percent(shared), shared > ODD_SHARED))
    if unused := training.unused & held_out.unused:
        facts.append(Fact("corpus.replace", "keys that never occur", ", ".join(map(repr, sorted(unused))), odd=True))
    names = [*study.corpus.files, *study.corpus.held_out_files] if getattr(study.corpus, "field", None) else []
    if names and not any(map(text.is_json_lines, names)):
        facts.append(Fact("corpus.field", "files with fields", "none; only JSON lines (.jsonl) have them", odd=True))
    return facts


def _survey(corpus: Corpus, held_out_lines: set[int] | None = None) -> _Survey:
    """Read the held-out text or, given the hashes of its lines, the training text."""
    local, held_out = corpus.source == "local", held_out_lines is None
    name = ("held_out_files" if held_out else "files") if local else "held_out_documents" if held_out else "datasets"
    replace = corpus.replace if local else {}
    survey, seen, stride, size = _Survey(f"corpus.{name}", unused={*replace}), set(), 1, 0
    counts = survey.counts
    for lines, headings in text.local_lines(corpus, held_out) if local else _streamed(corpus, held_out):
        counts["headings"] += headings
        if not lines:
            continue
        whole = "\n".join(lines)
        if counts["documents"] % stride == 0:
            survey.sample.append(whole[:PART].split("\n"))
            size += sum(map(len, survey.sample[-1]))
            if size > SAMPLE:
                survey.sample, stride = survey.sample[::2], 2 * stride
                size = sum(map(len, chain(*survey.sample)))
        counts["documents"] += 1
        counts["characters"] += sum(map(len, lines))
        seen.add(hash(whole))
        survey.strange.update(STRANGE.findall(whole))
        hashes = {*map(hash, zip(lines, [*lines[1:], ""], strict=True))}
        survey.lines |= hashes if held_out else hashes & held_out_lines
        for old, new in replace.items() if survey.unused else ():
            survey.unused -= {old} if old in whole else set()
            whole = whole.replace(old, new)
    counts["repeated"] = counts["documents"] - len(seen)
    survey.share, survey.ends = size / max(1, counts["characters"]), local or counts["documents"] < STREAMED
    return survey


def _streamed(corpus: Corpus, held_out: bool) -> Iterator[tuple[list[str], int]]:
    """Yield the first documents of the hub, each without a heading."""
    return zip(itertools.islice(text.documents(corpus, held_out), STREAMED), itertools.repeat(0))


def _facts(survey: _Survey, study: Study, tokenizer: PreTrainedTokenizerBase, held_out: bool) -> Iterator[tuple]:
    """Report what a text gives, measured on its sample. Raises ParamsError if the text cannot be used."""
    special = sum(map(len, pair_template(tokenizer)))
    counts, longest, number = survey.counts, study.corpus.max_length - special, survey.counts["documents"]
    sentences = [text.sentences_of(lines, getattr(study.corpus, "replace", {})) for lines in survey.sample]
    ids = tokenised(sentences, tokenizer)
    lengths = [len(tokens) for document in ids for tokens in document]
    found, special = Counter(chain(*chain(*ids))), {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    unknown = 0.0
    if mark := tokenizer.unk_token:  # the text itself may hold it
        own = sum(sentence.count(mark) for sentence in chain(*sentences))
        unknown = max(0, found[tokenizer.unk_token_id] - own) / max(1, sum(lengths))
    if unknown > MOST_UNKNOWN:
        raise ParamsError(
            f"{survey.key}: {_percent(unknown)} of the tokens are {mark}, so corpus.vocabulary "
            f"{study.corpus.vocabulary} does not fit this text; allowed are {_percent(MOST_UNKNOWN)}"
        )
    place = itertools.count()  # of a token in the sample
    places = [[[next(place) for _ in tokens] for tokens in document] for document in ids]
    pairs = list(sentence_pairs(places, longest, Random("check")))
    yield "sentence pairs", *_number_of_pairs(survey, len(pairs), study, held_out)

    near = (
        "are from distant parts of it (a blank line separates documents)" if number == 1 else "are all from these few"
    )
    near = f"; random second segments {near}" if number < ODD_DOCUMENTS else ""
    yield "documents", f"{'' if survey.ends else 'more than '}{number:,}{near}", number < ODD_DOCUMENTS
    mean = len(lengths) / survey.share / number
    yield "sentences per document", f"{mean:.1f}", mean < ODD_SENTENCES
    read = len({token for first, second, _ in pairs for token in (*first, *second)}) / sum(lengths)
    yield "share of the tokens in the pairs of one pass", _percent(read), read < ODD_READ
    random = sum(label == IS_RANDOM for _, _, label in pairs) / len(pairs)
    yield "share of random pairs", _percent(random), abs(random - 0.5) > 0.1 + len(pairs) ** -0.5
    if mark:
        yield f"share of {mark}", _percent(unknown), unknown > ODD_UNKNOWN
    if written := sorted(special & found.keys()):
        yield "special tokens that the text itself holds", ", ".join(tokenizer.convert_ids_to_tokens(written)), True
    if long := sum(length for length in lengths if length > longest) / sum(lengths):
        yield "share of the tokens in sentences longer than a pair", _percent(long), long > 0.5
    if repeated := counts["repeated"] / number:
        yield "share of documents that repeat another", _percent(repeated), repeated > ODD_REPEATED
    if counts["headings"]:
        yield "headings left out", f"{counts['headings']:,}"
    if survey.strange:
        signs = ", ".join(f"{count:,} U+{ord(sign):04X}" for sign, count in survey.strange.most_common(5))
        signs += " (separators end a sentence, not a line; control characters are dropped)"
        yield "unusual characters", signs, survey.strange.total() > ODD_STRANGE * counts["characters"]


def _number_of_pairs(survey: _Survey, count: int, study: Study, held_out: bool) -> tuple[str, bool]:
    """The number of pairs (`count` in the sample), how often training reads each, and whether that is odd."""
    least, passes = (LEAST_HELD_OUT, 1) if held_out else (1, study.pretraining.duplicates)
    if count < least:
        raise ParamsError(f"{survey.key}: the text gives {many(count, 'sentence pair')}; at least {least} are needed")
    total = count * passes / survey.share
    value = f"{'more than ' if not survey.ends else 'about ' if survey.share < 1 else ''}{total:,.0f}"
    if held_out:
        return value, total < ODD_HELD_OUT
    wanted = study.pretraining.pairs_read
    times = wanted / total if survey.ends else 1
    value += f" in {passes} pass{'es' * (passes > 1)}; training reads {wanted:,}"
    return value + (f", so each {times:.1f} times" if times > 1 else ""), times > ODD_READINGS


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share == 0 or share >= 0.0005 else "below 0.1 %"
