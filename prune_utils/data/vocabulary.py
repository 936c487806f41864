"""The tokenizer of a study: of the embedded language, a vocabulary file, a folder or the hub."""

import unicodedata
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prune_utils.data import inputs
from prune_utils.data.embedded import language, lexicon
from prune_utils.data.inputs import named
from prune_utils.data.rows.lines import lines
from prune_utils.study.schema import Study
from prune_utils.study.section import Fact, ParamsError

SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
ROBERTA = dict(zip(SPECIAL, ("<pad>", "<unk>", "<s>", "</s>", "<mask>"), strict=True))
SAVED = ("tokenizer.json", "tokenizer_config.json")  # either makes a folder that AutoTokenizer reads
FEW = 0.01  # share of the tokens that the tokenizer's casing may make unreachable


def tokenizer_of(study: Study) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a study: one token per word (embedded language), or that of `study.vocabulary`.

    With a `vocab.txt`, text is lower-cased if `corpus.lowercase` is true, by default if the tokens are lower-case;
    accents are kept if any token has one. A `tokenizer.json`, a folder and a hub name define their own casing.
    Raises ParamsError if the vocabulary cannot be read, or encodes a pair in another way than `PairTemplate` says.
    """
    if study.vocabulary is None:
        return _wordpiece(language.vocabulary(lexicon.load()), None, study.corpus.max_length, "the embedded language")
    return _loaded(study, "corpus.vocabulary", getattr(study.corpus, "lowercase", None))


def _loaded(study: Study, key: str, lowercase: bool | None) -> PreTrainedTokenizerBase:
    name, place, longest = named(study)[key], inputs.place(study, key), study.corpus.max_length
    if place is None:
        raise ParamsError(f"{key}: {name} is not in the hub's cache on this machine; start the study again")
    plain = place / "vocab.txt" if place.is_dir() and not any((place / file).exists() for file in SAVED) else place
    if plain.is_file() and plain.suffix != ".json":
        return _checked(_wordpiece(_lines(plain), lowercase, longest, plain), plain)
    if lowercase is not None:
        raise ParamsError(f"corpus.lowercase is {lowercase}, but {name} has a casing of its own; leave the key out")
    try:
        if place.is_file() and not place.with_name(SAVED[1]).exists():
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(place), **_specials(place), model_max_length=longest)
        else:
            folder = place.parent if place.is_file() else place
            tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=longest)
    except Exception as error:  # the libraries raise anything, from KeyError to a bare Exception
        raise ParamsError(f"corpus.vocabulary: no tokenizer can be read from {name}: {error}") from None
    return _checked(tokenizer, name)


def _specials(file: Path) -> dict[str, str]:
    """The special tokens of a tokenizer.json without its config: RoBERTa's if it has <mask>, else BERT's."""
    model = Tokenizer.from_file(str(file))
    unknown = getattr(model.model, "unk_token", None) or ROBERTA["unk_token"]
    return SPECIAL if model.token_to_id(ROBERTA["mask_token"]) is None else ROBERTA | {"unk_token": unknown}


def _wordpiece(words: list[str], lowercase: bool | None, longest: int, where: Path | str) -> BertTokenizer:
    """A WordPiece tokenizer; the id of a token is its place. Raises ParamsError if no text gives most of its tokens."""
    capitals = _share(words, str.lower)
    if lowercase and capitals > FEW:
        raise ParamsError(
            f"corpus.lowercase is true, but {capitals:.0%} of the tokens of {where} have capitals and would never be "
            "used; allowed is false, or no such key"
        )
    lowercase = capitals <= FEW if lowercase is None else lowercase
    # BERT's lower-casing also removes accents, which would make accented tokens unreachable
    accents = False if lowercase and _share(words, _without_accents) > 0 else None
    vocab = {word: index for index, word in enumerate(words)}
    return BertTokenizer(vocab=vocab, do_lower_case=lowercase, model_max_length=longest, strip_accents=accents)


def _lines(path: Path) -> list[str]:
    """The tokens of a vocabulary file. Raises ParamsError with the line that cannot be a token."""
    where, seen = f"corpus.vocabulary: {path}", {}
    words = "\n".join(lines(path, where)).rstrip("\n").split("\n")  # other line separators of Unicode may be tokens
    for number, word in enumerate(words, start=1):
        if not word or (len(word) > 1 and set(word) & set(" \t")):
            raise ParamsError(f"{where}, line {number} is {word!r}; allowed is one token per line")
        if word in seen:
            raise ParamsError(f"{where}, line {number} repeats {word!r} of line {seen[word]}")
        seen[word] = number
    if missing := [token for token in SPECIAL.values() if token not in seen]:
        raise ParamsError(f"{where} has no {', '.join(missing)}; BERT's special tokens are needed")
    if sum(word.startswith("\u2581") for word in words) > FEW * len(words):
        raise ParamsError(
            f"{where} holds SentencePiece tokens, with \u2581; allowed are WordPiece's, or a tokenizer.json"
        )
    return words


def _share(words: list[str], normalise) -> float:
    """Share of the non-special tokens that a normalisation changes."""
    plain = [word for word in words if not (word.startswith("[") and word.endswith("]"))]
    return sum(normalise(word) != word for word in plain) / max(1, len(plain))


def _without_accents(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")


def _checked(tokenizer: PreTrainedTokenizerBase, name: Path | str) -> PreTrainedTokenizerBase:
    """Return the tokenizer if it has all special tokens and encodes pairs with them; raise ParamsError otherwise."""
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    words, whole = tokenizer.get_vocab(), f"corpus.vocabulary: the tokenizer of {name}"
    if missing := [token for kind, token in SPECIAL.items() if getattr(tokenizer, kind) not in words]:
        raise ParamsError(f"{whole} has no token for {', '.join(missing)}")
    if sorted(words.values()) != list(range(len(words))):
        raise ParamsError(f"{whole} has {len(words)} tokens, ids up to {max(words.values())}; allowed are 0 to n - 1")
    found, cls, sep = pair_template(tokenizer), tokenizer.cls_token_id, tokenizer.sep_token_id
    if found not in [PairTemplate([cls], [sep] * separators, [sep]) for separators in (1, 2)]:
        shown = " ".join(tokenizer.convert_ids_to_tokens(tokenizer("a", "b")["input_ids"]))
        allowed = "[CLS] a [SEP] b [SEP], or <s> a </s> </s> b </s>"
        raise ParamsError(f"{whole} encodes a pair as {shown}; allowed is {allowed}")
    return tokenizer


class PairTemplate(NamedTuple):
    """The ids of the special tokens before, between and after the two texts of a pair."""

    before: list[int]
    between: list[int]
    after: list[int]


def pair_template(tokenizer: PreTrainedTokenizerBase) -> PairTemplate:
    """How a tokenizer encodes a pair of texts."""
    pair = tokenizer("a", "b")
    parts, place = PairTemplate([], [], []), 0
    for token, text in zip(pair["input_ids"], pair.sequence_ids(), strict=True):
        place = place if text is None else text + 1
        if text is None:
            parts[place].append(token)
    return parts


def check(study: Study, tokenizer: PreTrainedTokenizerBase) -> list[Fact]:
    """Describe the tokenizer, and compare it with the one in the model's folder.

    Raises ParamsError if the two give a token different ids: the model's embeddings would belong to other words.
    """
    name, model = study.vocabulary, study.model.pretrained
    if name is None:
        return []
    folder = inputs.place(study, "model.pretrained")
    if folder and model != name and any((folder / file).exists() for file in ("vocab.txt", *SAVED)):
        ours, theirs = tokenizer.get_vocab(), _loaded(study, "model.pretrained", None).get_vocab()
        if different := sorted({token for token, _ in ours.items() ^ theirs.items()}):
            token = different[0]
            raise ParamsError(
                f"corpus.vocabulary: {name} gives {token!r} the id {ours.get(token)}, and {model} was trained with "
                f"{theirs.get(token)} ({len(different):,} tokens differ); leave the key out to use the model's own"
            )
    casing = "lower-cased" if tokenizer.tokenize("A") == tokenizer.tokenize("a") else "cased"
    return [Fact("corpus.vocabulary", "tokens", f"{len(tokenizer):,}, {casing}")]
