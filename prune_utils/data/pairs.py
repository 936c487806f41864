"""Masked sentence pairs for pre-training, made once and stored, as for BERT (Devlin et al. 2019, §3.1)."""

import itertools
from collections.abc import Iterator
from random import Random

from transformers import PreTrainedTokenizerBase

from prune_utils.data.masked_tokens import IGNORED
from prune_utils.data.vocabulary import PairTemplate, pair_template
from prune_utils.study.sections.recipes import Pretraining

IS_NEXT, IS_RANDOM = 0, 1  # next_sentence_label, as in transformers' BertForPreTraining
POOL = 20_000  # documents held in memory, from which random second segments are drawn
SHORT_SHARE = 0.1  # share of pairs that are cut to a random shorter length

Document = list[list[int]]  # the token ids of each sentence


def sentence_pairs(documents: list[Document], length: int, random: Random) -> Iterator[tuple[list, list, int]]:
    """Yield (first segment, second segment, next-sentence label); a pair has at most `length` tokens.

    Half of the second segments continue the first, half come from another document; if there is only one document,
    from a distant part of it. If a document has only one sentence left, that sentence is halved, so that it can have a
    true continuation too. Sentences of more than `length` tokens are read in pieces.
    """
    documents = [_in_pieces(document, length) for document in documents]
    for index, document in enumerate(documents):
        position = 0
        while position < len(document):
            target = random.randint(2, length) if random.random() < SHORT_SHARE else length
            chunk = _chunk(document, position, target, least=2)
            end = position + len(chunk)
            if len(chunk) == 1:
                middle = len(chunk[0]) // 2
                chunk = [chunk[0][:middle], chunk[0][middle:]]
            split = random.randint(1, max(1, len(chunk) - 1))
            first = _joined(chunk[:split])
            second, label = [], IS_RANDOM
            if random.random() < 0.5:
                second = _random_segment(documents, index, position, end, target - len(first), random)
            if second:
                position = min(position + split, end)  # the unused sentences are read again
            else:
                second, label = _joined(chunk[split:]), IS_NEXT
                position = end
            if first and second:
                yield *_truncated(first, second, target), label


def _in_pieces(document: Document, length: int) -> Document:
    """Split sentences of more than `length` tokens into equal pieces, of which four or more fit in a pair."""
    if all(len(tokens) <= length for tokens in document):
        return document
    pieces = []
    for tokens in document:
        count = -(-len(tokens) // max(1, length // 4)) if len(tokens) > length else 1
        pieces += [tokens[len(tokens) * i // count : len(tokens) * (i + 1) // count] for i in range(count)]
    return pieces


def _joined(sentences: Document) -> list[int]:
    return list(itertools.chain.from_iterable(sentences))


def _chunk(document: Document, start: int, target: int, least: int = 1) -> Document:
    """Take sentences from `start` while they fit in `target` tokens, but at least `least` of them if available."""
    tokens = 0
    for position in range(start, len(document)):
        tokens += len(document[position])
        if position - start >= least and tokens > target:
            return document[start:position]
    return document[start:]


def _random_segment(
    documents: list[Document], current: int, start: int, end: int, target: int, random: Random
) -> list[int]:
    """Draw a segment from another document, or from the half of a lone document farthest from `start` to `end`."""
    if len(documents) > 1:
        document = documents[(current + random.randrange(1, len(documents))) % len(documents)]
        return _joined(_chunk(document, random.randrange(len(document)), max(target, 1)))
    document, outside = documents[0], len(documents[0]) - (end - start)
    if not outside:
        return []
    drawn = (end + outside // 4 + random.randrange(max(1, outside // 2))) % len(document)
    return _joined(_chunk(document[:start] if drawn < start else document, drawn, max(target, 1)))


def _truncated(first: list[int], second: list[int], length: int) -> tuple[list[int], list[int]]:
    """Cut both segments at their ends, the longer one first, to `length` tokens in total."""
    excess = max(0, len(first) + len(second) - length)
    from_longer = min(excess, abs(len(first) - len(second)))
    cut_first = from_longer * (len(first) > len(second)) + (excess - from_longer) // 2
    return first[: len(first) - cut_first], second[: len(second) - (excess - cut_first)]


def masked(
    pair: tuple, tokenizer: PreTrainedTokenizerBase, template: PairTemplate, recipe: Pretraining, random: Random
) -> dict:
    """Encode a pair as an example and mask tokens to be predicted.

    `recipe.masked_share` of the tokens are chosen, at least one and at most `recipe.max_masked`. Of these, 80 %
    are replaced by [MASK], 10 % by a random token, and 10 % stay as they are.
    """
    first, second, label = pair
    first, second = [*template.before, *first, *template.between], [*second, *template.after]
    ids, special = [*first, *second], {*template.before, *template.between, *template.after}
    candidates = [i for i, token in enumerate(ids) if token not in special]
    count = min(recipe.max_masked, max(1, round(recipe.masked_share * len(ids))), len(candidates))
    labels = [IGNORED] * len(ids)
    for i in random.sample(candidates, count):
        labels[i] = ids[i]
        draw = random.random()
        if draw < 0.9:
            ids[i] = tokenizer.mask_token_id if draw < 0.8 else random.randrange(len(tokenizer))
    return {
        "input_ids": ids,
        "token_type_ids": [0] * len(first) + [1] * len(second),
        "labels": labels,
        "next_sentence_label": label,
        "length": len(ids),
    }


def examples(
    texts: Iterator[list[str]], tokenizer: PreTrainedTokenizerBase, length: int, recipe: Pretraining, seed: str
) -> Iterator[dict]:
    """Yield masked pairs of at most `length` tokens from documents, shuffled within each pool of documents."""
    random, texts, template = Random(seed), iter(texts), pair_template(tokenizer)
    special = sum(map(len, template))
    while pool := list(itertools.islice(texts, POOL)):  # itertools.batched needs Python 3.12
        pairs = list(sentence_pairs(tokenised(pool, tokenizer), length - special, random))
        random.shuffle(pairs)
        for pair in pairs:
            yield masked(pair, tokenizer, template, recipe, random)


def tokenised(pool: list[list[str]], tokenizer: PreTrainedTokenizerBase) -> list[Document]:
    """Tokenise documents in one call to the tokenizer; drop empty sentences and documents.

    Where a blank before a word is part of its token (byte-level BPE), every sentence but the first of a document has one.
    """
    options = {"add_special_tokens": False, "return_attention_mask": False, "return_token_type_ids": False}
    blank = "" if tokenizer(" a", **options).input_ids == tokenizer("a", **options).input_ids else " "
    sentences = [blank * (i > 0) + sentence for document in pool for i, sentence in enumerate(document)]
    ids = iter(tokenizer(sentences, verbose=False, **options).input_ids if sentences else [])
    documents = [[tokens for tokens in itertools.islice(ids, len(document)) if tokens] for document in pool]
    return [document for document in documents if document]
