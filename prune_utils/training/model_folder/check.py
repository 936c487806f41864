"""Check a model folder before anything runs: facts about it, or why it is refused."""

from collections.abc import Iterator

from transformers import AutoConfig, PreTrainedTokenizerBase

from prune_utils.data.rows.lines import shown
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.study.schema import Study
from prune_utils.study.section import Fact
from prune_utils.study.words import many
from prune_utils.training.model_folder.config import Fields, fields, folder_of, new_fields, positions, written
from prune_utils.training.model_folder.files import refused
from prune_utils.training.model_folder.weights import Fitting, fitting, short, skeleton, weights

MOST_ZEROS = 0.01  # share of zeros in the prunable matrices above which they are odd
HIGHEST = 3e-4  # rate of fine-tuning in the papers of these families: that of ELECTRA-Small (Clark et al. 2020)
# fields of configs that transformers of some version wrote, which say nothing about the encoder
KNOWN = {"torch_dtype", "gradient_checkpointing", "finetuning_task", "position_embedding_type", "pruned_heads"}
KNOWN |= {"directionality", "num_labels", "use_bfloat16", "torchscript", "output_past", "reference_compile"}


def check(study: Study, tokenizer: PreTrainedTokenizerBase) -> list[Fact]:
    """Check the model that a study starts from, a new or a pre-trained one, and return facts about it.

    Config and headers are checked first, then every weight is read once. Raises ParamsError if the model cannot be
    right: see `config.fields`, `weights.fitting` and `weights.weights`.
    """
    folder = folder_of(study)
    if folder is None and study.model.pretrained:
        return []
    content = written(folder) if folder else {}
    of = fields(content, folder) if folder else new_fields(study, tokenizer)
    check_fits(of, study, tokenizer)
    found = fitting(folder, of) if folder else None
    told = []
    if found:
        told += [*_config_facts(content, of, tokenizer), *_weight_facts(found, of), *_recipe_facts(study, found, of)]
    told += [] if of.family.next_sentence else [("objective", _objective(of, found), False)]
    return [Fact("model.pretrained" if folder else "model", *fact) for fact in told]


def _objective(of: Fields, found: Fitting | None) -> str:
    new = "; its MLM head is new" if found and set(found.new) & set(of.family.head) else ""
    return f"masked tokens alone, since {of.family.one} predicts no next sentence; pretrain_loss is the MLM loss{new}"


def check_fits(of: Fields, study: Study, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ParamsError if a model has fewer words or positions than the study needs, or reads other special tokens."""
    name, asked, family = study.model.pretrained, study.model.family, of.family
    key = "model.pretrained" if name else "model"
    if asked and asked != of.kind:
        raise refused(f"the config of {name} is of type {of.kind!r}, and model.family is {asked!r}; leave the key out")
    most = of.max_position_embeddings - (of.padding + 1 if family.offset else 0)
    if len(tokenizer) > of.vocab_size:
        raise refused(f"{name} knows {of.vocab_size} words, and the tokenizer of the study has {len(tokenizer)}")
    if positions(study) > most:
        asked = f"{name} has {most} positions, and corpus.max_length is {study.corpus.max_length}"
        raise refused(f"{asked}; allowed is at most {most // 8 * 8} (batches are padded to a multiple of 8)")
    padding = of.padding if family.padding is None else family.padding
    if padding not in (None, tokenizer.pad_token_id):
        theirs = f"the tokenizer's is {tokenizer.pad_token_id}, and {family.one} counts positions from it"
        raise refused(f"the padding token has id {padding} in {name or family.one}; {theirs}", key)
    if family.segments and len({*tokenizer("a", "b")["token_type_ids"]}) < 2:
        allowed = "allowed are [CLS] a [SEP] b [SEP] with two token types"
        raise refused(
            f"{family.one} tells the texts of a pair apart by token types, and the tokenizer has one; {allowed}", key
        )


def _config_facts(content: dict, of: Fields, tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple]:
    shape = f"{many(of.num_hidden_layers, 'layer')} x {of.hidden_size}, {many(of.num_attention_heads, 'head')} each"
    yield "shape", f"{shape}, {of.vocab_size:,} words, {of.max_position_embeddings} positions"
    if of.kind != "bert":
        yield "family", of.family.title
    if "model_type" not in content:
        yield "family", "bert, since its fields are BERT's; its config has no model_type", True
    if (spare := of.vocab_size - len(tokenizer)) > 0:
        yield "words that the tokenizer lacks", f"{spare:,}"
    if (pad := content.get("pad_token_id", 0)) != tokenizer.pad_token_id:
        yield "padding", f"token {tokenizer.pad_token_id}, the tokenizer's; its config says {pad}", True
    known = {*AutoConfig.for_model(of.kind).to_dict(), *of.family.also, *KNOWN}
    if other := sorted(name for name in content if name not in known and not name.startswith(("_", "pooler_"))):
        yield "fields of its config that are not used", shown(other), True


def _recipe_facts(study: Study, found: Fitting, of: Fields) -> Iterator[tuple]:
    """What in the recipe may undo what a trained encoder knows."""
    recipe = study.pretraining
    rates = {
        "pretraining.burn_in_learning_rate": recipe.burn_in_learning_rate,
        "pretraining.learning_rate": recipe.learning_rate,
        "finetuning.learning_rates": max(study.finetuning.learning_rates),
    }
    if high := [f"{name} {rate:g}" for name, rate in rates.items() if rate > HIGHEST]:
        yield "high learning rates", f"{', '.join(high)}; above {HIGHEST:g} an encoder may lose what it knows", True
    if {*found.new} & {*of.family.head} and not recipe.head_steps:
        yield (
            "new MLM head",
            "trained with the encoder at once; pretraining.head_steps trains new heads alone first",
            True,
        )


def _weight_facts(found: Fitting, of: Fields) -> Iterator[tuple]:
    kinds = sorted({short(part.dtype) for part in found.parts.values()})
    yield "weights", f"{found.file.name}, {' and '.join(kinds)}" + ("" if kinds == ["float32"] else ", read as float32")
    if found.masked:
        yield "masks of torch.nn.utils.prune", f"applied to {many(found.masked, 'tensor')}", True
    if found.new:
        yield "parts with new, random weights", ", ".join(found.new), True
    if found.unused:
        yield "tensors that are not used", shown(found.unused, 8)
    prunable = {f"{of.family.encoder}.{name}" for name in prunable_matrices(skeleton(of))}
    size, zeros, flat = 0, 0, []
    for name, tensor in weights(found):
        if name in prunable:
            size, zeros = size + tensor.numel(), zeros + tensor.numel() - int(tensor.count_nonzero())
            flat += [name] if tensor.min() == tensor.max() else []
    if flat:
        yield "matrices with one value throughout", shown(flat), True
    yield "zeros in the prunable matrices", f"{100 * zeros / size:.1f} %", zeros > MOST_ZEROS * size
