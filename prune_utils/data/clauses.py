"""Phrases and clauses of the small English, and how they are spelled out."""

from dataclasses import dataclass

from prune_utils.data.lexicon import Adjective, Noun, Verb


def article(following: str) -> str:
    """The indefinite article before a word, by its spelling (the lexicon has no "hour" and only one "u-": used)."""
    return "an" if following[0] in "aeio" or following.startswith("un") else "a"


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: determiner, adjectives, noun, and perhaps a place (preposition, noun)."""

    noun: Noun
    plural: bool = False
    definite: bool = True
    adjectives: tuple[str, ...] = ()
    place: tuple[str, Noun] | None = None

    def words(self) -> list[str]:
        place = [self.place[0], "the", self.place[1].singular] if self.place else []
        named = [*self.adjectives, self.noun.form(self.plural), *place]
        return ["the" if self.definite else "some" if self.plural else article(named[0]), *named]


@dataclass(frozen=True)
class Clause:
    """A subject with either a verb (and its object) or an adjective said of it.

    `negation` is "", "not" or "never"; `agrees=False` inflects for the wrong number.
    """

    subject: Phrase
    verb: Verb | None = None
    object: Phrase | None = None
    adjective: Adjective | None = None
    second: Adjective | None = None  # joined to the adjective by "and", and so of its polarity
    modifier: str = ""  # a degree before the adjective, a manner before the verb
    stance: str = ""  # an adverb before the whole clause
    past: bool = False
    negation: str = ""
    agrees: bool = True

    def words(self) -> list[str]:
        return [*([self.stance] if self.stance else []), *self.subject.words(), *self._predicate()]

    def _predicate(self) -> list[str]:
        plural = self.subject.plural == self.agrees
        modifier = [self.modifier] if self.modifier else []
        negation = [self.negation] if self.negation else []
        if self.adjective:
            be = ("were" if plural else "was") if self.past else ("are" if plural else "is")
            joined = ["and", self.second.word] if self.second else []
            return [be, *negation, *modifier, self.adjective.word, *joined]
        if self.negation == "not":
            do = "did" if self.past else "do" if plural else "does"
            predicate = [do, "not", *modifier, self.verb.base]
        else:
            form = self.verb.past if self.past else self.verb.base if plural else self.verb.third
            predicate = [*negation, *modifier, form]
        return [*predicate, *(self.object.words() if self.object else [])]

    def text(self) -> str:
        return " ".join([*self.words(), "."])
