"""Parts of the GPU benchmark on other ways to take a pre-training step, including CUDA graphs and torch.compile."""

import time
from collections.abc import Callable
from functools import partial

import torch
from bench import Bench, sync
from cases import CUDA, Case, bare_step
from torch.nn.functional import cross_entropy
from transformers import BertForPreTraining

from prune_utils.data.masked_tokens import IGNORED

FOREACH = {"fused": False, "foreach": True}


def variants(bench: Bench) -> None:
    """Logits everywhere, positions known beforehand, another optimiser loop, eager attention, and larger batches."""
    for batch in (bench.base.batch, 4 * bench.base.batch):
        case = bench.base.of(batch=batch)
        _measure(bench, case, "as now", direct)
        _measure(bench, case, "logits everywhere", direct, BertForPreTraining)
        _measure(bench, case, "never waiting", located)
        _measure(bench, case, "AdamW foreach, not fused", located, **FOREACH)
        _measure(bench, case, "eager attention", located, attention="eager")
    for batch in (2 * bench.base.batch, 8 * bench.base.batch):
        _measure(bench, bench.base.of(batch=batch), "never waiting", located)


def _measure(bench: Bench, case: Case, name: str, loss_of: Callable, kind=None, attention=None, **options) -> None:
    bench.need(15)
    model = case.model(kind)
    if attention:
        model.set_attn_implementation(attention)
    if CUDA:
        torch.cuda.reset_peak_memory_stats()
    seconds = bench.times(bare_step(model, loss_of(model, case.batches(1)[0]), bench.bf16, **options))
    memory = f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if CUDA else ""
    bench.say("variants", case.what, name, seconds, **case.cost, note=memory)


def direct(model, batch: dict) -> Callable:
    """The model's own loss."""
    return lambda: model(**batch).loss


def located(model, batch: dict) -> Callable:
    """The loss of MaskedBert with the masked positions known beforehand, so that the host never waits for the device."""
    where = (batch["labels"].flatten() != IGNORED).nonzero().squeeze(1)
    answers = batch["labels"].flatten()[where]

    def loss_of():
        hidden, pooled = model.bert(batch["input_ids"], token_type_ids=batch["token_type_ids"])[:2]
        logits = model.cls.predictions(hidden.flatten(0, 1).index_select(0, where)).float()
        following = cross_entropy(model.cls.seq_relationship(pooled).float(), batch["next_sentence_label"])
        return cross_entropy(logits, answers) + following

    return loss_of


def graph(bench: Bench) -> None:
    """A CUDA graph of the whole step, and torch.compile. Run last: a failure of either can end the process."""
    short = bench.base.of(tokens=max(4, bench.base.tokens // 8))
    for case in [bench.base] if bench.tiny else [bench.base, short]:
        say = partial(bench.say, "graph", case.what)
        ways = {"CUDA graph of the step": _captured} if CUDA else {}
        for mode in ("default", "reduce-overhead") if CUDA else ("default",):
            ways[f"torch.compile {mode}"] = partial(_compiled, mode=mode)
        for name, way in ways.items():
            bench.need(60)
            try:
                run, note = way(bench, case)
                say(name, bench.times(run), **case.cost, note=note)
            except Exception as error:  # compilers raise errors of many types; the other ways are still measured
                say(name, note=f"failed: {type(error).__name__}: {str(error)[:200]}")


def _captured(bench: Bench, case: Case) -> tuple[Callable, str]:
    model = case.model()
    step = bare_step(model, located(model, case.batches(1)[0]), bench.bf16, capturable=True)
    side = torch.cuda.Stream()  # a graph is captured after warm-up steps on another stream
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        step()
    step.graph = captured  # the step keeps alive the tensors that the graph reads and writes
    return lambda: step.graph.replay(), ""


def _compiled(bench: Bench, case: Case, mode: str) -> tuple[Callable, str]:
    model = case.model()
    backend = {"mode": mode} if CUDA else {"backend": "eager"}  # no compiler is needed for the backend "eager"
    began = time.perf_counter()
    step = bare_step(model, torch.compile(located(model, case.batches(1)[0]), **backend), bench.bf16)
    step()
    sync()
    return step, f"first step {time.perf_counter() - began:.0f} s"
