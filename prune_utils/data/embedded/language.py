"""The embedded language: a small synthetic English from a grammar, in documents with a topic and a mood.

Documents teach what the tasks test: the class of each noun (from the verbs that select it and from sentences
that name its hypernym), number agreement, and the sentiment of adjectives and verbs (each document keeps one
mood, even under negation).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import TypeVar

from prune_utils.data.embedded.clauses import Clause, Phrase, article
from prune_utils.data.embedded.lexicon import Adjective, Lexicon, Noun, Verb

T = TypeVar("T")
SKEW = 2.0  # skew of word frequencies in documents; tasks draw all words equally often
FUNCTION_WORDS = ["the", "a", "an", "some", "is", "are", "was", "were", "do", "does", "did", "not", "never", "and"]


class Grammar:
    """Generates clauses with the words of a lexicon; all random draws come from `random`.

    `skew` makes words near the start of each list more frequent, as in natural language: with 1 all words are
    equally frequent, with 2 the first of twenty is drawn nine times as often as the last.
    """

    def __init__(self, lexicon: Lexicon, random: Random, skew: float = 1.0):
        self.lexicon, self.random, self.skew = lexicon, random, skew
        self.classes = [frozenset({n.singular}) for n in lexicon.hypernyms.values() if n.chain]
        self._places = [n for n in lexicon.members if "place" in n.chain]
        self.verbs = {sign: [v for v in lexicon.verbs if v.polarity == sign] for sign in (0, 1, -1)}
        self.opinions = {sign: [a for a in lexicon.opinions if a.polarity == sign] for sign in (1, -1)}
        # called thousands of times with a few hundred different arguments
        self.nouns, self.fitting, self.roles = map(cache, (self._nouns, self._fitting, self._roles))

    def _nouns(self, names: frozenset[str]) -> list[Noun]:
        """Nouns of the named classes or kinds."""
        return [n for n in self.lexicon.members if n.is_a(names)]

    def _fitting(self, noun: Noun) -> list[Adjective]:
        """Adjectives that can describe `noun`."""
        return [a for a in self.lexicon.descriptions if noun.is_a(a.describes)]

    def _roles(self, noun: Noun) -> list[tuple[Verb, bool]]:
        """Verbs that take `noun`, each with True if `noun` is the subject, False if it is the object."""
        verbs = self.verbs[0]
        return [(v, True) for v in verbs if noun.is_a(v.subjects)] + [(v, False) for v in verbs if noun.is_a(v.objects)]

    def draw(self, items: Sequence[T]) -> T:
        """Draw an item, the first ones more often if `skew` > 1."""
        return items[int(len(items) * self.random.random() ** self.skew)]

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.random.random() < probability

    def phrase(self, noun: Noun, plural: bool | None = None, detail: float = 0.2) -> Phrase:
        """Generate a phrase about `noun`; it has an adjective and a place with probability `detail` each."""
        fitting = self.fitting(noun)
        return Phrase(
            noun,
            plural=self.chance(0.4) if plural is None else plural,
            definite=self.chance(0.8),
            adjectives=(self.draw(fitting).word,) if fitting and self.chance(detail) else (),
            place=(self.draw(self.lexicon.prepositions), self.draw(self._places)) if self.chance(detail) else None,
        )

    def action(self, noun: Noun | None = None, detail: float = 0.2) -> Clause:
        """Generate a clause with a neutral verb; if `noun` is given, it is the subject or the object."""
        verb, as_subject = self.draw(self.roles(noun)) if noun else (self.draw(self.verbs[0]), None)
        subject = noun if as_subject else self.draw(self.nouns(verb.subjects))
        target = None
        if verb.objects:
            target = noun if as_subject is False else self.draw(self.nouns(verb.objects))
        return Clause(
            self.phrase(subject, detail=detail),
            verb,
            target and self.phrase(target, detail=detail / 2),
            modifier=self.draw(self.lexicon.manners) if self.chance(detail / 2) else "",
            past=self.chance(0.4),
        )

    def description(self, noun: Noun) -> Clause | None:
        """Generate a clause that describes `noun`; None if no adjective of the lexicon fits."""
        fitting = self.fitting(noun)
        return self._said_of(noun, self.draw(fitting)) if fitting else None

    def opinion(
        self, noun: Noun, mood: int, negated: float = 0.15, joined: float = 0.5, announced: float = 0.75
    ) -> Clause:
        """Generate a clause with adjectives or a verb of liking whose sentiment, after negation, is `mood` (+1 or -1).

        Adjectives joined by "and" share their polarity (the cue used by Hatzivassiloglou & McKeown 1997), and a
        sentence adverb announces the sentiment. A model can learn polarity from either. `negated`, `joined` and
        `announced` are the probabilities of a negation, a second adjective and a sentence adverb.
        """
        negation = self.random.choice(("not", "never")) if self.chance(negated) else ""
        polarity = -mood if negation else mood
        if self.chance(0.7):
            first, second = self.draw(self.opinions[polarity]), self.draw(self.opinions[polarity])
            clause = self._said_of(noun, first)
            if self.chance(joined) and second != first:
                clause = replace(clause, second=second)
        else:
            verb = self.draw(self.verbs[polarity])
            subject = self.phrase(self.draw(self.nouns(verb.subjects)), detail=0.1)
            clause = Clause(subject, verb, self.phrase(noun, detail=0.1), past=self.chance(0.4))
        stance = self.draw(self.lexicon.stances[mood]) if self.chance(announced) else ""
        return replace(clause, negation=negation, stance=stance)

    def _said_of(self, noun: Noun, adjective: Adjective) -> Clause:
        modifier = self.draw(self.lexicon.degrees) if self.chance(0.15) else ""
        subject = replace(self.phrase(noun, detail=0.1), adjectives=())
        return Clause(subject, adjective=adjective, modifier=modifier, past=self.chance(0.4))

    def fact(self, noun: Noun) -> str:
        """Generate a sentence that names a hypernym of `noun`, such as "a poodle is a dog ."."""
        kind = self.lexicon.hypernyms[self.draw(noun.chain)]
        if self.chance(0.5):
            return f"{article(noun.singular)} {noun.singular} is {article(kind.singular)} {kind.singular} ."
        return f"{noun.plural} are {kind.plural} ."

    def document(self, sentences: int) -> list[str]:
        """Generate sentences in one mood: 85 % about nouns of one class, 15 % about a second class.

        Each sentence draws its noun anew and sometimes names its hypernym instead. A masked noun therefore cannot
        be copied from the sentence before; predicting it requires knowing which nouns belong together.
        """
        mood = self.random.choice((1, -1))
        topics = self.random.sample(self.classes, 2)
        written = []
        for _ in range(sentences):
            noun = self.draw(self.nouns(topics[self.chance(0.15)]))
            named = self.lexicon.hypernyms[noun.chain[0]] if self.chance(0.2) else noun
            kind = self.random.random()
            if kind < 0.45:
                text = self.opinion(named, mood).text()
            elif kind < 0.87:
                # the verb is drawn for the noun itself, so that its hypernym occurs with the same verbs
                text = _renamed(self.action(noun, detail=0.12), noun, named).text()
            elif kind < 0.93:
                text = (self.description(noun) or self.opinion(named, mood)).text()
            else:
                text = self.fact(noun)
            written.append(text)
        return written


def _renamed(clause: Clause, noun: Noun, name: Noun) -> Clause:
    """Replace `noun` by `name` in a clause."""
    role = "subject" if clause.subject.noun == noun else "object"
    return replace(clause, **{role: replace(getattr(clause, role), noun=name)})


def documents(lexicon: Lexicon, count: int, seed: int | str) -> list[list[str]]:
    """Generate `count` documents of 4 to 8 sentences, reproducible by seed."""
    random = Random(f"documents {seed}")
    grammar = Grammar(lexicon, random, SKEW)
    return [grammar.document(random.randint(4, 8)) for _ in range(count)]


def vocabulary(lexicon: Lexicon) -> list[str]:
    """Return BERT's special tokens, then every word form of the language in alphabetical order."""
    words = {*lexicon.forms(), *FUNCTION_WORDS, "."}
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words)]
