"""The lexicon of the embedded language: a hierarchy of nouns, verbs with their arguments, pairs of adjectives."""

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import yaml

SIGNS = {1: "positive", -1: "negative"}
SOURCE = Path(__file__).with_name("lexicon.yaml")


@dataclass(frozen=True)
class Noun:
    """A countable noun; `chain` lists its hypernyms, nearest first: (dog, animal) for poodle."""

    singular: str
    plural: str
    chain: tuple[str, ...] = ()

    def form(self, plural: bool) -> str:
        """Return the plural or the singular."""
        return self.plural if plural else self.singular

    def is_a(self, names: frozenset[str]) -> bool:
        """Return whether the noun or one of its hypernyms is in `names`."""
        return self.singular in names or not names.isdisjoint(self.chain)


@dataclass(frozen=True)
class Verb:
    """A verb and the nouns, classes or kinds it selects; `objects` is empty if it is intransitive."""

    base: str
    third: str
    past: str
    subjects: frozenset[str]
    objects: frozenset[str] = frozenset()
    polarity: int = 0  # +1 liking, -1 disliking, 0 neither


@dataclass(frozen=True)
class Adjective:
    """An adjective and the classes or kinds it describes (empty: any noun)."""

    word: str
    describes: frozenset[str] = frozenset()
    polarity: int = 0  # +1 positive, -1 negative, 0 neither


@dataclass(frozen=True)
class Lexicon:
    """All words by category; `members` are the nouns at the leaves, `hypernyms` the nouns above them, by name."""

    members: tuple[Noun, ...]
    hypernyms: dict[str, Noun]
    verbs: tuple[Verb, ...]
    opinions: tuple[Adjective, ...]  # neighbours are opposites
    descriptions: tuple[Adjective, ...]  # neighbours are opposites
    stances: dict[int, tuple[str, ...]]  # sentence adverbs by polarity
    degrees: tuple[str, ...]
    manners: tuple[str, ...]
    prepositions: tuple[str, ...]

    def part(self, of: int = 3) -> "Lexicon":
        """Keep every `of`-th member of each class, verb of each polarity and pair of adjectives.

        Fine-tuning data use a part of the lexicon and dev data all of it, so that a model needs what
        pre-training taught it about the other words.
        """
        chains = dict.fromkeys(n.chain for n in self.members)
        return replace(
            self,
            members=tuple(n for chain in chains for n in [n for n in self.members if n.chain == chain][::of]),
            verbs=tuple(v for sign in (0, 1, -1) for v in [v for v in self.verbs if v.polarity == sign][::of]),
            opinions=_every_pair(of, self.opinions),
            descriptions=_every_pair(of, self.descriptions),
        )

    def lemmas(self) -> set[str]:
        """Return the base form of every word."""
        return (
            {n.singular for n in self.members}
            | set(self.hypernyms)
            | {v.base for v in self.verbs}
            | {a.word for a in self.opinions + self.descriptions}
            | {word for words in self.stances.values() for word in words}
            | {*self.degrees, *self.manners, *self.prepositions}
        )

    def forms(self) -> set[str]:
        """Return every word form, inflected or not."""
        plurals = {n.plural for n in (*self.members, *self.hypernyms.values())}
        return self.lemmas() | plurals | {form for v in self.verbs for form in (v.third, v.past)}


def _every_pair(of: int, adjectives: tuple[Adjective, ...]) -> tuple[Adjective, ...]:
    """Keep every `of`-th pair of neighbouring adjectives."""
    return tuple(a for i, a in enumerate(adjectives) if i // 2 % of == 0)


def _add_s(word: str) -> str:
    """Form the regular plural of a noun or the regular third person of a verb."""
    word = re.sub(r"(?<=[^aeiou])y$", "ie", word)
    return word + ("es" if re.search(r"(s|x|z|ch|sh)$", word) else "s")


def _noun(entry: str, chain: tuple[str, ...] = ()) -> Noun:
    singular, _, plural = entry.partition("/")
    return Noun(singular, plural or _add_s(singular), chain)


def _verb(entry: str, subjects: str, objects: str = "", polarity: int = 0) -> Verb:
    base, *irregular = entry.split("/")
    regular = [_add_s(base), re.sub(r"(?<=[^aeiou])y$", "i", base) + ("d" if base.endswith("e") else "ed")]
    third, past = irregular or regular
    chosen = frozenset() if objects.strip() == "-" else frozenset(objects.split())
    return Verb(base, third, past, frozenset(subjects.split()), chosen, polarity)


def _pair(one: str, other: str, describes: str = "", polarity: int = 0) -> tuple[Adjective, Adjective]:
    scope = frozenset(describes.split())
    return Adjective(one, scope, polarity), Adjective(other, scope, -polarity)


@cache
def load() -> Lexicon:
    """Load the whole lexicon from lexicon.yaml."""
    text = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    members, hypernyms = [], {}
    for kind, classes in text["nouns"].items():
        top = _noun(kind)
        hypernyms[top.singular] = top
        for name, words in classes.items():
            middle = _noun(name, (top.singular,))
            hypernyms[middle.singular] = middle
            members += [_noun(word, (middle.singular, top.singular)) for word in words.split()]
    entries = [item for entry in text["verbs"] for item in entry.items()]
    verbs = [_verb(forms, *selects.split("->")) for forms, selects in entries]
    anything = " ".join(kind.split("/")[0] for kind in text["nouns"])
    for sign, name in SIGNS.items():
        verbs += [_verb(word, "person", anything, sign) for word in text["liking"][name].split()]
    opinions = [a for good, bad in text["opinions"].items() for a in _pair(good, bad, polarity=1)]
    entries = [item for entry in text["descriptions"] for item in entry.items()]
    descriptions = [a for words, scope in entries for a in _pair(*words.split(), scope)]
    stances = {sign: tuple(text["stances"][name].split()) for sign, name in SIGNS.items()}
    return Lexicon(
        tuple(members),
        hypernyms,
        tuple(verbs),
        tuple(opinions),
        tuple(descriptions),
        stances,
        *(tuple(text[name].split()) for name in ("degrees", "manners", "prepositions")),
    )
