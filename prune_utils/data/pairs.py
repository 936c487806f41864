"""Sentence pairs with masked tokens, made once and kept, as BERT's own data were (Devlin et al. 2019, §3.1)."""

import itertools
from collections.abc import Iterator
from random import Random

from transformers import PreTrainedTokenizerBase

from prune_utils.study.recipes import Pretraining

IGNORED = -100  # the label of a token that is not predicted, as in transformers
IS_NEXT, IS_RANDOM = 0, 1  # next_sentence_label, as in transformers' BertForPreTraining
POOL = 20_000  # documents held at a time, from which random second segments are drawn
SHORT_SHARE = 0.1  # of pairs are cut to a random shorter length


def sentence_pairs(documents: list[list[list[int]]], length: int, random: Random) -> Iterator[tuple]:
    """Segments a, b and the next-sentence label from tokenised documents; a and b together hold `length` tokens
    at most. Half of the second segments continue the first, half come from another document: where a document has
    one sentence left, it is cut in two for that, or single sentences would all be followed by a random one."""
    for index, document in enumerate(documents):
        position = 0
        while position < len(document):
            target = random.randint(2, length) if random.random() < SHORT_SHARE else length
            chunk, end = _chunk(document, position, target, least=2)
            if len(chunk) == 1:
                chunk = _halves(chunk[0])
            split = random.randint(1, max(1, len(chunk) - 1))
            first = [token for sentence in chunk[:split] for token in sentence]
            if random.random() < 0.5:
                second, label = _random_segment(documents, index, target - len(first), random), IS_RANDOM
                position = min(position + split, end)  # what was not used comes again
            else:
                second, label = [token for sentence in chunk[split:] for token in sentence], IS_NEXT
                position = end
            if first and second:
                yield *_truncated(first, second, target), label


def _halves(sentence: list[int]) -> list[list[int]]:
    middle = len(sentence) // 2
    return [sentence[:middle], sentence[middle:]]


def _chunk(document: list[list[int]], start: int, target: int, least: int = 1) -> tuple[list[list[int]], int]:
    """Sentences from `start` on until `target` tokens are reached, `least` of them where there are as many, and
    the position after them."""
    taken, tokens = [], 0
    for position in range(start, len(document)):
        if len(taken) >= least and tokens + len(document[position]) > target:
            return taken, position
        taken.append(document[position])
        tokens += len(document[position])
    return taken, len(document)


def _random_segment(documents: list, but: int, target: int, random: Random) -> list[int]:
    if len(documents) < 2:
        return []
    other = (but + random.randrange(1, len(documents))) % len(documents)
    document = documents[other]
    chunk, _ = _chunk(document, random.randrange(len(document)), max(target, 1))
    return [token for sentence in chunk for token in sentence]


def _truncated(first: list[int], second: list[int], length: int) -> tuple[list[int], list[int]]:
    """Both segments cut at their ends, the longer one first, to `length` tokens together."""
    excess = max(0, len(first) + len(second) - length)
    from_longer = min(excess, abs(len(first) - len(second)))
    cut_first = from_longer * (len(first) > len(second)) + (excess - from_longer) // 2
    return first[: len(first) - cut_first], second[: len(second) - (excess - cut_first)]


def masked(pair: tuple, tokenizer: PreTrainedTokenizerBase, recipe: Pretraining, random: Random) -> dict:
    """A pair as an example: `recipe.masked_share` of its tokens, one at least and `max_masked` at most, are to be
    predicted; 80 % of them read [MASK], 10 % a random word, 10 % themselves."""
    first, second, label = pair
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    ids = [cls, *first, sep, *second, sep]
    candidates = [i for i, token in enumerate(ids) if token not in (cls, sep)]
    count = min(recipe.max_masked, max(1, round(recipe.masked_share * len(ids))), len(candidates))
    labels = [IGNORED] * len(ids)
    for i in random.sample(candidates, count):
        labels[i] = ids[i]
        fate = random.random()
        if fate < 0.9:
            ids[i] = tokenizer.mask_token_id if fate < 0.8 else random.randrange(len(tokenizer))
    return {
        "input_ids": ids,
        "token_type_ids": [0] * (len(first) + 2) + [1] * (len(second) + 1),
        "labels": labels,
        "next_sentence_label": label,
        "length": len(ids),
    }


def examples(
    texts: Iterator[list[str]], tokenizer: PreTrainedTokenizerBase, length: int, recipe: Pretraining, seed: str
) -> Iterator[dict]:
    """Masked pairs from documents, a pool at a time, each pool's in random order."""
    random = Random(seed)
    for pool in _batched(texts, POOL):
        pairs = list(sentence_pairs(_tokenised(pool, tokenizer), length - 3, random))
        random.shuffle(pairs)
        for pair in pairs:
            yield masked(pair, tokenizer, recipe, random)


def _tokenised(pool: list[list[str]], tokenizer: PreTrainedTokenizerBase) -> list[list[list[int]]]:
    """Documents as token ids, in one call to the tokenizer; empty sentences and documents are left out."""
    sentences = [sentence for document in pool for sentence in document]
    ids = iter(
        tokenizer(
            sentences, add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False, verbose=False
        )["input_ids"]
    )
    documents = [[tokens for tokens in itertools.islice(ids, len(document)) if tokens] for document in pool]
    return [document for document in documents if document]


def _batched(items: Iterator, size: int) -> Iterator[list]:
    """Lists of `size` items (itertools.batched, which Python 3.11 lacks)."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
