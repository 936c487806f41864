"""Phrases and clauses of the embedded language, and their inflection."""

from dataclasses import dataclass

from prune_utils.data.embedded.lexicon import Adjective, Noun, Verb


def article(following: str) -> str:
    """Return the indefinite article before a word.

    Decides by spelling, which suffices for the lexicon: of its words with initial "u" only "used" takes "a", and
    no "h" is silent.
    """
    return "an" if following[0] in "aeio" or following.startswith("un") else "a"


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: determiner, adjectives, noun, and an optional place (preposition, noun)."""

    noun: Noun
    plural: bool = False
    definite: bool = True
    adjectives: tuple[str, ...] = ()
    place: tuple[str, Noun] | None = None

    def words(self) -> list[str]:
        """Return the words in order."""
        place = [self.place[0], "the", self.place[1].singular] if self.place else []
        named = [*self.adjectives, self.noun.form(self.plural), *place]
        return ["the" if self.definite else "some" if self.plural else article(named[0]), *named]


@dataclass(frozen=True)
class Clause:
    """A subject with a predicate: a verb and its object, or an adjective.

    `negation` is "", "not" or "never". `agrees=False` inflects the predicate for the wrong number.
    """

    subject: Phrase
    verb: Verb | None = None
    object: Phrase | None = None
    adjective: Adjective | None = None
    second: Adjective | None = None  # joined to `adjective` by "and"
    modifier: str = ""  # an adverb of degree before the adjective, or of manner before the verb
    stance: str = ""  # an adverb before the whole clause
    past: bool = False
    negation: str = ""
    agrees: bool = True

    def words(self) -> list[str]:
        """Return the words in order."""
        return [word for word in (self.stance, *self.subject.words(), *self._predicate()) if word]

    def _predicate(self) -> list[str]:
        """The words of the predicate; unused slots are empty strings."""
        plural = self.subject.plural == self.agrees
        if self.adjective:
            be = ("were" if plural else "was") if self.past else ("are" if plural else "is")
            joined = ["and", self.second.word] if self.second else []
            return [be, self.negation, self.modifier, self.adjective.word, *joined]
        target = self.object.words() if self.object else []
        if self.negation == "not":
            do = "did" if self.past else "do" if plural else "does"
            return [do, "not", self.modifier, self.verb.base, *target]
        form = self.verb.past if self.past else self.verb.base if plural else self.verb.third
        return [self.negation, self.modifier, form, *target]

    def text(self) -> str:
        """Return the words as a sentence, separated by spaces and ending with a full stop."""
        return " ".join([*self.words(), "."])
