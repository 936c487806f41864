"""The lexicon of the embedded language: nouns in a hierarchy, verbs with what they select, adjectives in pairs."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

SIGNS = {1: "positive", -1: "negative"}
SOURCE = Path(__file__).with_name("lexicon.yaml")


@dataclass(frozen=True)
class Noun:
    """A countable noun; `chain` names its hypernyms from the nearest up: poodle -> (dog, animal)."""

    singular: str
    plural: str
    chain: tuple[str, ...] = ()

    def form(self, plural: bool) -> str:
        return self.plural if plural else self.singular

    def is_a(self, names: frozenset[str]) -> bool:
        """Whether the noun, or one of its hypernyms, is among `names`."""
        return self.singular in names or not names.isdisjoint(self.chain)


@dataclass(frozen=True)
class Verb:
    """A verb and its selectional preferences; `objects` is empty for an intransitive verb."""

    base: str
    third: str
    past: str
    subjects: frozenset[str]
    objects: frozenset[str] = frozenset()
    polarity: int = 0  # +1 liking, -1 disliking, 0 neither


@dataclass(frozen=True)
class Adjective:
    """An adjective, its opposite, and what it describes (empty: anything)."""

    word: str
    opposite: str
    describes: frozenset[str] = frozenset()
    polarity: int = 0


@dataclass(frozen=True)
class Lexicon:
    """All words by category. `members` are the nouns at the leaves, `hypernyms` those above them by name."""

    members: tuple[Noun, ...]
    hypernyms: dict[str, Noun]
    verbs: tuple[Verb, ...]
    opinions: tuple[Adjective, ...]
    descriptions: tuple[Adjective, ...]
    stances: dict[int, tuple[str, ...]]  # sentence adverbs by polarity
    degrees: tuple[str, ...]
    manners: tuple[str, ...]
    prepositions: tuple[str, ...]

    def part(self, of: int = 3) -> "Lexicon":
        """The lexicon with one in `of` members of every class, verbs and pairs of opposites.

        Fine-tuning data are written with a part and dev data with the whole, so that what pre-training taught
        about the rest is needed.
        """
        kept = {
            word
            for chain in {n.chain for n in self.members}
            for word in [n.singular for n in self.members if n.chain == chain][::of]
        }
        return Lexicon(
            members=tuple(n for n in self.members if n.singular in kept),
            hypernyms=self.hypernyms,
            verbs=tuple(v for sign in (0, 1, -1) for v in [v for v in self.verbs if v.polarity == sign][::of]),
            opinions=_one_pair_in(of, self.opinions),
            descriptions=_one_pair_in(of, self.descriptions),
            stances=self.stances,
            degrees=self.degrees,
            manners=self.manners,
            prepositions=self.prepositions,
        )

    def lemmas(self) -> set[str]:
        return (
            {n.singular for n in self.members}
            | set(self.hypernyms)
            | {v.base for v in self.verbs}
            | {a.word for a in self.opinions + self.descriptions}
            | {word for words in self.stances.values() for word in words}
            | {*self.degrees, *self.manners, *self.prepositions}
        )

    def forms(self) -> set[str]:
        """Every inflected form that the lexicon can produce."""
        nouns = (*self.members, *self.hypernyms.values())
        return (
            self.lemmas() | {n.plural for n in nouns} | {form for v in self.verbs for form in (v.base, v.third, v.past)}
        )


def _one_pair_in(of: int, adjectives: tuple[Adjective, ...]) -> tuple[Adjective, ...]:
    pairs = [adjectives[i : i + 2] for i in range(0, len(adjectives), 2)]
    return tuple(adjective for pair in pairs[::of] for adjective in pair)


def _add_s(word: str) -> str:
    """The regular plural of a noun, and the regular third person of a verb."""
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
    return Adjective(one, other, scope, polarity), Adjective(other, one, scope, -polarity)


@cache
def load() -> Lexicon:
    """The whole lexicon, from lexicon.yaml."""
    text = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    members, hypernyms = [], {}
    for kind, classes in text["nouns"].items():
        top = _noun(kind)
        hypernyms[top.singular] = top
        for name, words in classes.items():
            middle = _noun(name, (top.singular,))
            hypernyms[middle.singular] = middle
            members += [_noun(word, (middle.singular, top.singular)) for word in words.split()]
    verbs = []
    for entry in text["verbs"]:
        ((forms, selects),) = entry.items()
        subjects, objects = selects.split("->")
        verbs.append(_verb(forms, subjects, objects))
    for sign, name in SIGNS.items():
        anything = " ".join(kind.split("/")[0] for kind in text["nouns"])
        verbs += [_verb(word, "person", anything, sign) for word in text["liking"][name].split()]
    opinions = [a for good, bad in text["opinions"].items() for a in _pair(good, bad, polarity=1)]
    descriptions = []
    for entry in text["descriptions"]:
        ((words, scope),) = entry.items()
        descriptions += _pair(*words.split(), scope)
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
