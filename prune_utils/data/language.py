"""A small English made by a grammar: clauses with agreement and selection, documents with a topic and a mood.

What a model can learn from the documents, and tasks then need: which words are nouns of a class (from the
verbs that select them and from sentences that name the hypernym), number agreement, and which adjectives and
verbs of opinion go together (a document holds to one mood, through negation).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import TypeVar

from prune_utils.data.clauses import Clause, Phrase, article
from prune_utils.data.lexicon import Adjective, Lexicon, Noun, Verb

T = TypeVar("T")
SKEW = 2.0  # of the words in documents; the tasks use all words alike
FUNCTION_WORDS = ["the", "a", "an", "some", "is", "are", "was", "were", "do", "does", "did", "not", "never", "and"]


class Grammar:
    """Writes clauses with the words of a lexicon; all chance comes from `random`.

    `skew` makes the words at the head of each list the more frequent, as words of a language are: with 1 all
    are equally frequent, with 2 the first of twenty is drawn nine times as often as the last.
    """

    def __init__(self, lexicon: Lexicon, random: Random, skew: float = 1.0):
        self.lexicon, self.random, self.skew = lexicon, random, skew
        self.classes = [frozenset({n.singular}) for n in lexicon.hypernyms.values() if n.chain]
        self._places = [n for n in lexicon.members if "place" in n.chain]
        # each is asked for thousands of times and has a few hundred answers
        self.nouns, self.fitting, self.opinions, self.verbs, self.roles = map(
            cache, (self._nouns, self._fitting, self._opinions, self._verbs, self._roles)
        )

    def _nouns(self, names: frozenset[str]) -> list[Noun]:
        """The members of the named classes or kinds."""
        return [n for n in self.lexicon.members if n.is_a(names)]

    def _fitting(self, noun: Noun) -> list[Adjective]:
        """The adjectives that describe a noun."""
        return [a for a in self.lexicon.descriptions if noun.is_a(a.describes)]

    def _opinions(self, polarity: int) -> list[Adjective]:
        return [a for a in self.lexicon.opinions if a.polarity == polarity]

    def _verbs(self, polarity: int) -> list[Verb]:
        return [v for v in self.lexicon.verbs if v.polarity == polarity]

    def _roles(self, noun: Noun, polarity: int) -> list[tuple[Verb, bool]]:
        """The verbs that take a noun, each with whether as its subject (True) or its object (False)."""
        verbs = self.verbs(polarity)
        return [(v, True) for v in verbs if noun.is_a(v.subjects)] + [(v, False) for v in verbs if noun.is_a(v.objects)]

    def draw(self, items: Sequence[T]) -> T:
        """One of the items, those at the head the more often."""
        return items[int(len(items) * self.random.random() ** self.skew)]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def phrase(self, noun: Noun, plural: bool | None = None, detail: float = 0.2) -> Phrase:
        """A phrase about `noun`, with an adjective and a place with probability `detail` each."""
        fitting = self.fitting(noun)
        return Phrase(
            noun,
            plural=self.chance(0.4) if plural is None else plural,
            definite=self.chance(0.8),
            adjectives=(self.draw(fitting).word,) if fitting and self.chance(detail) else (),
            place=(self.draw(self.lexicon.prepositions), self.draw(self._places)) if self.chance(detail) else None,
        )

    def action(
        self, noun: Noun | None = None, plural: bool | None = None, polarity: int = 0, detail: float = 0.2
    ) -> Clause:
        """A verbal clause; with `noun`, one in which it is the subject or the object."""
        if noun is None:
            verb, as_subject = self.draw(self.verbs(polarity)), None
        else:
            verb, as_subject = self.draw(self.roles(noun, polarity))
        subject = noun if as_subject else self.draw(self.nouns(verb.subjects))
        target = None
        if verb.objects:
            target = noun if as_subject is False else self.draw(self.nouns(verb.objects))
        return Clause(
            self.phrase(subject, plural if as_subject else None, detail),
            verb,
            target and self.phrase(target, plural if as_subject is False else None, detail / 2),
            modifier=self.draw(self.lexicon.manners) if self.chance(detail / 2) else "",
            past=self.chance(0.4),
        )

    def description(self, noun: Noun, plural: bool | None = None) -> Clause | None:
        """A clause that describes `noun`; None where the lexicon has no adjective for it."""
        fitting = self.fitting(noun)
        return self._said_of(noun, self.draw(fitting), plural) if fitting else None

    def opinion(
        self,
        noun: Noun,
        mood: int,
        plural: bool | None = None,
        negated: float = 0.15,
        joined: float = 0.5,
        announced: float = 0.75,
    ) -> Clause:
        """A clause whose sentiment, after negation, is `mood` (+1 or -1): adjectives or a verb of liking.

        Adjectives joined by "and" are of one polarity (Hatzivassiloglou & McKeown 1997 learned polarity from
        that), and a sentence adverb announces the sentiment: from both a model can learn what the tasks need.
        """
        negation = self.random.choice(("not", "never")) if self.chance(negated) else ""
        polarity = -mood if negation else mood
        if self.chance(0.7):
            first, second = self.draw(self.opinions(polarity)), self.draw(self.opinions(polarity))
            clause = self._said_of(noun, first, plural)
            if self.chance(joined) and second != first:
                clause = replace(clause, second=second)
        else:
            verb = self.draw(self.verbs(polarity))
            clause = Clause(
                self.phrase(self.draw(self.nouns(verb.subjects)), detail=0.1),
                verb,
                self.phrase(noun, plural, 0.1),
                past=self.chance(0.4),
            )
        stance = self.draw(self.lexicon.stances[mood]) if self.chance(announced) else ""
        return replace(clause, negation=negation, stance=stance)

    def _said_of(self, noun: Noun, adjective: Adjective, plural: bool | None) -> Clause:
        modifier = self.draw(self.lexicon.degrees) if self.chance(0.15) else ""
        return Clause(
            replace(self.phrase(noun, plural, 0.1), adjectives=()),
            adjective=adjective,
            modifier=modifier,
            past=self.chance(0.4),
        )

    def fact(self, noun: Noun) -> str:
        """What kind of thing a noun is: "a poodle is a dog ."."""
        kind = self.lexicon.hypernyms[self.draw(noun.chain)]
        if self.chance(0.5):
            return f"{article(noun.singular)} {noun.singular} is {article(kind.singular)} {kind.singular} ."
        return f"{noun.plural} are {kind.plural} ."

    def document(self, sentences: int) -> list[str]:
        """Sentences in one mood about things of one class, now and then of a second; each thing is named by
        itself or by a hypernym. What a sentence is about cannot be copied from the one before: to guess it, one
        must know what belongs together."""
        mood = self.random.choice((1, -1))
        topics = self.random.sample(self.classes, 2)
        written = []
        for _ in range(sentences):
            noun = self.draw(self.nouns(topics[self.chance(0.15)]))
            named = self.lexicon.hypernyms[noun.chain[0]] if self.chance(0.2) else noun
            kind = self.random.random()
            if kind < 0.45:
                clause = self.opinion(named, mood)
            elif kind < 0.87:
                # the verb is chosen for the thing itself, so that its hypernym is read in the same company
                clause = _renamed(self.action(noun, detail=0.12), noun, named)
            elif kind < 0.93:
                clause = self.description(noun) or self.opinion(named, mood)
            else:
                written.append(self.fact(noun))
                continue
            written.append(clause.text())
        return written


def _renamed(clause: Clause, noun: Noun, name: Noun) -> Clause:
    """The clause with `noun` called by another name."""
    if clause.subject.noun == noun:
        return replace(clause, subject=replace(clause.subject, noun=name))
    return replace(clause, object=replace(clause.object, noun=name))


def documents(lexicon: Lexicon, count: int, seed: int | str) -> list[list[str]]:
    """`count` documents of 4 to 8 sentences, the same for the same seed."""
    random = Random(f"documents {seed}")
    grammar = Grammar(lexicon, random, SKEW)
    return [grammar.document(random.randint(4, 8)) for _ in range(count)]


def vocabulary(lexicon: Lexicon) -> list[str]:
    """The special tokens of BERT, then every form of the language in alphabetical order."""
    words = {*lexicon.forms(), *FUNCTION_WORDS, "."}
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words)]
