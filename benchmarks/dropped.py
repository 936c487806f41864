"""Measure ways to train faster that were tried and dropped: stacked models, a compiled encoder, and less work.

- stacked: several models of one shape in one process, their products batched over the models by torch.vmap (forward and
  backward passes of fine-tuning steps, the model of the demo); the losses are compared with those of single models;
- compiled: `torch.compile` of the encoder with dynamic lengths (whole pre-training steps);
- fewer words: fine-tuning steps of BERT-Mini with fixed masks, with the whole vocabulary and with about as many words as a task
  of GLUE has, which is all that could be gained by leaving out the embeddings of the others;
- first token: fine-tuning steps of BERT-Mini whose last feed-forward network computes only the token that the classifier reads.
"""

import argparse
import copy
import time
from collections.abc import Callable

import torch
from cases import FULL, Case, bare_step
from cpu import seconds
from growth import Sized
from torch.func import functional_call, stack_module_state

from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.training.sizes import Shape

DEMO = Shape(2, 64, 2, 128, 710)
MODELS = (1, 4, 16)
RATIO = "{:<34}{:9.1f} ms   {:5.2f} x as fast"


def once(model: torch.nn.Module, batch: dict) -> Callable:
    """Forward and backward pass of a model."""

    def run():
        model.zero_grad()
        model(**batch).loss.backward()

    return run


def stacked(case: Case, counts: tuple[int, ...]) -> None:
    """Print the time of a pass per model, and the largest difference of a loss."""
    model, batch = case.model().train(), case.batches(1)[0]
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # as in the demo
    model.config._attn_implementation = (
        "eager"  # torch.vmap has no rule for the fused kernel and would loop over models
    )
    for count in counts:
        parameters, _ = stack_module_state([copy.deepcopy(model) for _ in range(count)])
        losses = torch.vmap(lambda one: functional_call(model, one, (), dict(batch)).loss, randomness="different")

        def run(parameters=parameters, losses=losses):
            for parameter in parameters.values():
                parameter.grad = None
            losses(parameters).sum().backward()

        alone, together = seconds(once(model, batch), run, rounds=9)
        print(
            RATIO.format(
                f"{count} stacked ({1000 * alone:.1f} ms alone), each",
                1000 * together / count,
                alone * count / together,
            )
        )
        with torch.no_grad():
            apart = (losses(parameters) - model(**batch).loss).abs().max().item()
        print(f"  losses differ by {apart:.1e}")


def compiled(case: Case, many: int) -> None:
    """Print the seconds of compiling and the time of a step, as it is and compiled, on batches of several lengths."""
    batches, steps = [case.of(tokens=tokens).batches(1)[0] for tokens in (12, 20, 28, 32)], []
    for compile_it in (False, True):
        model = case.model().train()
        if compile_it:
            model.base_model.compile(dynamic=True)
        turn = iter(range(10**9))
        steps.append(
            bare_step(model, lambda m=model, t=turn: m(**batches[next(t) % len(batches)]).loss, False, fused=True)
        )
    start = time.perf_counter()
    for _ in batches:
        steps[1]()
    print(f"compiling takes {time.perf_counter() - start:.0f} s")
    blocks = [lambda step=step: [step() for _ in range(many)] for step in steps]
    plain, quick = seconds(*blocks, rounds=5)
    print(RATIO.format("compiled encoder", 1000 * quick / many, plain / quick))


def fewer_words(shape: Shape, words: int) -> None:
    """Print the time of a fine-tuning step on texts of 16 tokens, and the time with a vocabulary of `words`."""
    whole, fewer = seconds(fine_tuning(shape), fine_tuning(shape._replace(vocabulary=words)), rounds=15)
    print(
        RATIO.format(f"{words:,} words ({1000 * whole:.1f} ms with {shape.vocabulary:,})", 1000 * fewer, whole / fewer)
    )


def first_token(shape: Shape) -> None:
    """Print the time of a fine-tuning step on 16 tokens whose last feed-forward network computes only the first one."""
    every, first = seconds(fine_tuning(shape), fine_tuning(shape, first=True), rounds=15)
    print(RATIO.format(f"first token ({1000 * every:.1f} ms with all)", 1000 * first, every / first))


def fine_tuning(shape: Shape, first: bool = False) -> Callable:
    """A fine-tuning step with fixed masks on texts of 16 tokens."""
    case = Sized("grown", False, 32, 16, True, shape)
    model, batch = case.model(), case.batches(1)[0]
    if first:
        last = model.base_model.encoder.layer[-1]
        whole = last.feed_forward_chunk
        last.feed_forward_chunk = lambda hidden: whole(hidden[:, :1])
    pruning = FixedMask(model, magnitude_masks(prunable_matrices(model), 0.6))
    pruning.on_train_begin(None, None, None)
    train = bare_step(model, lambda: model(**batch).loss, False, fused=True)
    return lambda: (train(), pruning.apply())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="small shapes, to test the benchmark itself")
    tiny = parser.parse_args().tiny
    torch.set_num_threads(1)
    shape = Shape(1, 16, 2, 32, 100) if tiny else DEMO
    stacked(Sized("grown", False, 32, 16, True, shape), MODELS[:1] if tiny else MODELS)
    if not tiny:
        compiled(Sized("grown", True, 128, 32, True, shape), 8)
    torch.set_num_threads(2)
    mini = shape if tiny else FULL["mini"]
    fewer_words(mini, 50 if tiny else 6000)
    first_token(mini)


if __name__ == "__main__":
    main()
