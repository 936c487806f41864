"""Parts of the GPU benchmark on the machine, training steps, files, and exact repetition."""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from bench import Bench
from cases import CUDA, DEVICE, Case, bare_step

from prune_utils.data import text
from prune_utils.data.batches import padded
from prune_utils.data.pairs import examples
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study.params import load_study
from prune_utils.study.paths import PARAMS, given
from prune_utils.training.modeling import MaskedBert

PATIENT = {"accelerator_config": {"non_blocking": False}}
WORKERS = {"dataloader_num_workers": 2, "dataloader_persistent_workers": True}
STARTED = (
    "import time; start = time.perf_counter(); import torch, transformers, datasets; from transformers import Trainer; "
    f"torch.zeros(1, device='{DEVICE}'); print(time.perf_counter() - start)"
)


def machine(bench: Bench) -> None:
    """Versions, matrix products, copies, kernel launches, and the start of a process."""
    say = partial(bench.say, "machine")
    card = torch.cuda.get_device_name() if CUDA else "no GPU"
    say("torch", "", value=f"{torch.__version__}, CUDA {torch.version.cuda}, {card}")
    say("processor", "", value=f"{os.cpu_count()} cores, bfloat16 {'yes' if bench.bf16 else 'no'}")
    if CUDA:
        free, total = torch.cuda.mem_get_info()
        say("GPU memory", "", value=f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    for kind in bench.types:
        a, b = bench.operands(kind)
        product = bench.times(lambda a=a, b=b: a @ b, 10)
        say(f"product of {len(a)}", str(kind).removeprefix("torch."), product, flop=2 * len(a) ** 3)
    source = torch.randn((1 if bench.tiny else 512) * 2**20, device=DEVICE)
    copy = torch.empty_like(source)
    seconds = bench.times(lambda: copy.copy_(source), 10)
    say("copy, device to device", f"{2 * source.nbytes / median(seconds) / 1e12:.2f} TB/s", seconds)
    small = torch.zeros(8, device=DEVICE)
    say("launch of a kernel", "add to 8 numbers", bench.times(lambda: small.add_(1), 2000))
    ids = torch.zeros(32, 128, dtype=torch.int64)
    ids = ids.pin_memory() if CUDA else ids
    say("batch to device", "blocking", bench.times(lambda: ids.to(DEVICE), 500))
    say("batch to device", "non_blocking", bench.times(lambda: ids.to(DEVICE, non_blocking=True), 500))
    if not bench.tiny:
        done = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True)
        say("start of a process", "torch, transformers, datasets, a tensor", [float(done.stdout.split()[-1])])


def steps(bench: Bench) -> None:
    """The Trainer beside a bare loop, in pre-training and at the lengths of fine-tuning."""
    lengths = (bench.short, bench.base.tokens) if bench.tiny else (bench.short, 48, bench.base.tokens)
    tuned = [bench.base.of(pairs=False, tokens=length) for length in lengths]
    for case in (bench.base, bench.small, *tuned, bench.small.of(pairs=False, tokens=bench.short)):
        bench.need(20)
        _trainer_and_loop(bench, case, more=case.name == "base" and case.tokens in (bench.base.tokens, bench.short))
    data = bench.base.data.remove_columns("length")
    chosen, first = data.select(np.random.default_rng(1).permutation(len(data))), list(range(bench.base.batch))
    rows, what = chosen.select(first).to_list(), f"batch {bench.base.batch} x {bench.base.tokens}"
    bench.say("steps", what, "rows read from the data set", bench.times(lambda: chosen.__getitems__(first)))
    bench.say("steps", what, "padded", bench.times(lambda: padded(rows, 0)))


def _trainer_and_loop(bench: Bench, case: Case, more: bool) -> None:
    """Steps of one case; `more` adds the Trainer with other ways of feeding it."""
    say, model = partial(bench.say, "steps", case.what, **case.cost), case.model()
    ready, rows = itertools.cycle(case.batches()), case.data.remove_columns("length")
    starts = itertools.cycle(range(0, len(rows), case.batch))
    bare = say("bare loop", bench.times(bare_step(model, lambda: model(**next(ready)).loss, bench.bf16)))

    def fed():
        start = next(starts)
        made = padded([rows[i] for i in range(start, start + case.batch)], 0)
        return model(**{name: (v.pin_memory() if CUDA else v).to(DEVICE) for name, v in made.items()}).loss

    say("bare loop, batches made in it", bench.times(bare_step(model, fed, bench.bf16)))
    block = bench.calls(bare, 100)
    took = say("Trainer", bench.trained(model, case, block))
    compared = f"{1e3 * (took - bare):.2f} ms per step, {took / bare:.2f} x"
    bench.say("steps", case.what, "Trainer over the bare loop", value=compared)
    if more:
        say("Trainer, blocking copies", bench.trained(model, case, block, **PATIENT))
        say("Trainer, 2 workers", bench.trained(model, case, block, **WORKERS))


def files(bench: Bench) -> None:
    """Work outside the steps: checkpoints written, models loaded, sentence pairs made from text."""
    model, ready = bench.base.model(), bench.base.of(batch=4).batches(1)[0]
    step = bare_step(model, lambda: model(**ready).loss, bench.bf16)
    step()
    with tempfile.TemporaryDirectory() as folder:

        def save():
            model.save_pretrained(folder)
            torch.save(step.optimizer.state_dict(), Path(folder) / "optimizer.pt")

        bench.say("io", "base", "a Trainer's checkpoint written", bench.times(save, 1, 2))
        load = partial(MaskedBert.from_pretrained, folder, dtype=torch.float32)
        bench.say("io", "base", "a model loaded", bench.times(load, 1, 2))
    real = not bench.tiny and given("data/wikitext-2/train.txt.gz").exists()
    study = load_study(PARAMS / ("local_glue.yaml" if real else "smoke.yaml"))
    documents = list(itertools.islice(text.documents(study.corpus, False), 20 if bench.tiny else 400))
    tokenizer, began = tokenizer_of(study), time.perf_counter()
    made = sum(1 for _ in examples(iter(documents), tokenizer, study.corpus.max_length, study.pretraining, "bench"))
    seconds = (time.perf_counter() - began) / made
    rate = f"{1 / seconds:,.0f} per second of one process"
    bench.say("io", f"{study.study}: a sentence pair made from text", rate, [seconds])


def repeat(bench: Bench) -> None:
    """Whether the same training gives the same bits twice, as exact resuming requires."""
    for case in (bench.base, bench.base.of(pairs=False, tokens=max(bench.short, bench.base.tokens // 4))):
        for kind in bench.types:
            bench.need(5)
            precision, ends = str(kind).removeprefix("torch."), []
            for _ in range(2):
                model = case.model()
                bench.train(model, case, 3 if bench.tiny else 12, precision=precision)
                ends.append([p.detach().cpu() for p in model.parameters()])
            worst = [float((a - b).abs().max()) for a, b in zip(*ends, strict=True)]
            differ = sum(not torch.equal(a, b) for a, b in zip(*ends, strict=True))
            value = f"{differ} of {len(worst)} tensors differ" if differ else "the same bits"
            bench.say("repeat", f"{case.what}, twice", precision, value=value, differ=differ, largest=max(worst))
