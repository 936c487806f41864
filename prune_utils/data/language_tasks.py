"""Three tasks in the embedded language, in the image of GLUE: acceptability, sentiment, entailment.

Each function writes one labelled example with the words of its grammar's lexicon.
"""

from dataclasses import replace
from random import Random

from prune_utils.data.clauses import Clause, Phrase
from prune_utils.data.language import Grammar
from prune_utils.data.lexicon import Lexicon, Noun, load
from prune_utils.study.section import ParamsError


def acceptability(grammar: Grammar) -> dict:
    """CoLA's question: is this sentence of the language (1), or broken in agreement, selection or order (0)?"""
    random = grammar.random
    clause = grammar.action(detail=0.1)
    if grammar.chance(0.5):
        return {"sentence": clause.text(), "label": 1}
    fault = random.choice(("agreement", "selection", "selection", "selection", "order"))
    if fault == "agreement":
        return {"sentence": replace(clause, past=False, agrees=False).text(), "label": 0}
    if fault == "selection":
        return {"sentence": _misselected(clause, grammar).text(), "label": 0}
    words = clause.words()
    position = random.randrange(len(words) - 1)
    words[position : position + 2] = reversed(words[position : position + 2])
    return {"sentence": " ".join([*words, "."]), "label": 0}


def _misselected(clause: Clause, grammar: Grammar) -> Clause:
    """The clause with a subject, or an object, that its verb does not take."""
    role, selects = (
        ("object", clause.verb.objects) if clause.object and grammar.chance(0.5) else ("subject", clause.verb.subjects)
    )
    wrong = [n for n in grammar.lexicon.members if not n.is_a(selects)]
    phrase = grammar.phrase(grammar.random.choice(wrong), getattr(clause, role).plural, detail=0.1)
    return replace(clause, **{role: phrase})


def sentiment(grammar: Grammar) -> dict:
    """SST-2's question: is the sentiment, through negation, positive (1) or negative (0)?"""
    mood = grammar.random.choice((1, -1))
    noun = grammar.random.choice(grammar.lexicon.members)
    clause = grammar.opinion(noun, mood, negated=0.4, joined=0.0, announced=0.0)
    return {"sentence": clause.text(), "label": int(mood > 0)}


def entailment(grammar: Grammar) -> dict:
    """MNLI's question: does the first sentence entail (0), leave open (1) or contradict (2) the second?

    Entailed: the same with a hypernym for one of its nouns. Open: the same with the hypernym of something
    else, or with the noun where the premise had only its hypernym. Contradicted: the same denied.
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
        # of the same height, or the height alone would tell the label
        others = [
            n
            for name, n in grammar.lexicon.hypernyms.items()
            if name not in noun.chain and len(n.chain) == len(hypernym.chain)
        ]
        hypothesis = _with_noun(premise, role, random.choice(others))
    elif label == 1:
        hypothesis, premise = premise, _with_noun(premise, role, hypernym)
    else:
        named = random.choice((noun, hypernym))
        hypothesis = replace(_with_noun(premise, role, named), negation=random.choice(("not", "never")))
    return {"premise": premise.text(), "hypothesis": hypothesis.text(), "label": label}


def _with_noun(clause: Clause, role: str, noun: Noun) -> Clause:
    phrase: Phrase = getattr(clause, role)
    return replace(clause, **{role: replace(phrase, noun=noun, adjectives=(), place=None)})


WRITERS = {"acceptability": acceptability, "sentiment": sentiment, "entailment": entailment}


def examples(task: str, lexicon: Lexicon, count: int, seed: int | str) -> list[dict]:
    """`count` different labelled examples of a task, the same for the same seed."""
    grammar = Grammar(lexicon, Random(f"{task} {seed}"))
    written: dict[tuple, dict] = {}
    for _ in range(20 * count):
        if len(written) == count:
            break
        example = WRITERS[task](grammar)
        written.setdefault(tuple(v for k, v in example.items() if k != "label"), example)
    else:
        raise ParamsError(f"task {task}: {count} different examples are more than its lexicon can write")
    return list(written.values())


def splits(task: str, train: int, dev: int, seed: int = 0) -> tuple[list[dict], list[dict]]:
    """Training examples written with a third of the lexicon, dev examples with all of it; none is in both."""
    lexicon = load()
    training = examples(task, lexicon.part(), train, f"train {seed}")
    seen = {tuple(e.values())[:-1] for e in training}
    fresh = [e for e in examples(task, lexicon, dev + train, f"dev {seed}") if tuple(e.values())[:-1] not in seen]
    return training, fresh[:dev]
