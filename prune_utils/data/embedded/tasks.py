"""Three tasks in the embedded language, modelled on GLUE's: acceptability, sentiment and entailment.

Each task is a function that generates one labelled example with the words of a grammar's lexicon.
"""

from dataclasses import replace
from random import Random

from prune_utils.data.embedded.clauses import Clause
from prune_utils.data.embedded.language import Grammar
from prune_utils.data.embedded.lexicon import Lexicon, Noun, load
from prune_utils.study.section import ParamsError


def acceptability(grammar: Grammar) -> dict:
    """Generate a sentence that is grammatical (1) or violates agreement, selection or word order (0), as in CoLA."""
    random = grammar.random
    clause = grammar.action(detail=0.1)
    if grammar.chance(0.5):
        return {"sentence": clause.text(), "label": 1}
    violation = random.choice(("agreement", "selection", "selection", "selection", "order"))
    if violation == "agreement":
        return {"sentence": replace(clause, past=False, agrees=False).text(), "label": 0}
    if violation == "selection":
        return {"sentence": _misselected(clause, grammar).text(), "label": 0}
    words = clause.words()
    position = random.randrange(len(words) - 1)
    words[position : position + 2] = reversed(words[position : position + 2])
    return {"sentence": " ".join([*words, "."]), "label": 0}


def _misselected(clause: Clause, grammar: Grammar) -> Clause:
    """Replace the subject or the object by a noun that the verb does not select."""
    role = "object" if clause.object and grammar.chance(0.5) else "subject"
    selects = getattr(clause.verb, f"{role}s")
    wrong = [n for n in grammar.lexicon.members if not n.is_a(selects)]
    phrase = grammar.phrase(grammar.random.choice(wrong), getattr(clause, role).plural, detail=0.1)
    return replace(clause, **{role: phrase})


def sentiment(grammar: Grammar) -> dict:
    """Generate a sentence whose sentiment, after negation, is positive (1) or negative (0), as in SST-2."""
    mood = grammar.random.choice((1, -1))
    noun = grammar.random.choice(grammar.lexicon.members)
    clause = grammar.opinion(noun, mood, negated=0.4, joined=0.0, announced=0.0)
    return {"sentence": clause.text(), "label": int(mood > 0)}


def entailment(grammar: Grammar) -> dict:
    """Generate a premise that entails (0), is neutral to (1) or contradicts (2) a hypothesis, as in MNLI.

    Entailed hypotheses replace a noun by its hypernym. Neutral ones replace it by the hypernym of another noun,
    or name the noun where the premise names only its hypernym. Contradictions negate the premise.
    """
    random = grammar.random
    premise = grammar.action(detail=0.05)
    premise = replace(premise, modifier="", past=True)
    role = "object" if premise.object and grammar.chance(0.5) else "subject"
    noun = getattr(premise, role).noun
    hypernym = grammar.lexicon.hypernyms[random.choice(noun.chain)]
    label = random.randrange(3)
    if label == 0:
        hypothesis = _with_noun(premise, role, hypernym)
    elif label == 1 and grammar.chance(0.75):
        # at the same level of the hierarchy, or the level alone would reveal the label
        level = [n for n in grammar.lexicon.hypernyms.values() if len(n.chain) == len(hypernym.chain)]
        others = [n for n in level if n.singular not in noun.chain]
        hypothesis = _with_noun(premise, role, random.choice(others))
    elif label == 1:
        hypothesis, premise = premise, _with_noun(premise, role, hypernym)
    else:
        hypothesis = _with_noun(premise, role, random.choice((noun, hypernym)))
        hypothesis = replace(hypothesis, negation=random.choice(("not", "never")))
    return {"premise": premise.text(), "hypothesis": hypothesis.text(), "label": label}


def _with_noun(clause: Clause, role: str, noun: Noun) -> Clause:
    return replace(clause, **{role: replace(getattr(clause, role), noun=noun, adjectives=(), place=None)})


def _texts(example: dict) -> tuple[str, ...]:
    return tuple(value for key, value in example.items() if key != "label")


WRITERS = {"acceptability": acceptability, "sentiment": sentiment, "entailment": entailment}


def examples(task: str, lexicon: Lexicon, count: int, seed: int | str) -> list[dict]:
    """Generate `count` distinct labelled examples of a task, reproducible by seed.

    Raises ParamsError if the lexicon does not yield that many.
    """
    grammar = Grammar(lexicon, Random(f"{task} {seed}"))
    written: dict[tuple, dict] = {}
    for _ in range(20 * count):
        if len(written) == count:
            break
        example = WRITERS[task](grammar)
        written.setdefault(_texts(example), example)
    else:
        raise ParamsError(f"task {task}: the lexicon does not yield {count} distinct examples")
    return list(written.values())


def splits(task: str, train: int, dev: int, seed: int = 0) -> tuple[list[dict], list[dict]]:
    """Generate disjoint training and dev examples; training uses a third of the lexicon, dev all of it."""
    lexicon = load()
    training = examples(task, lexicon.part(), train, f"train {seed}")
    seen = set(map(_texts, training))
    fresh = [e for e in examples(task, lexicon, dev + train, f"dev {seed}") if _texts(e) not in seen]
    return training, fresh[:dev]
