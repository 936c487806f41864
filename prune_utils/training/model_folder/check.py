"""What is told about a model folder, or why it is refused, before anything runs."""

from collections.abc import Iterator

from transformers import BertConfig, PreTrainedTokenizerBase

from prune_utils.data.rows.lines import shown
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.study.schema import Study
from prune_utils.study.section import Fact
from prune_utils.study.words import many
from prune_utils.training.model_folder.config import Fields, fields, folder_of, positions, refused, written
from prune_utils.training.model_folder.weights import Fitting, fitting, short, skeleton, weights

MOST_ZEROS = 0.01  # share of zeros in the prunable matrices above which they are odd
# fields of configs that transformers of some version wrote, which say nothing about the encoder
KNOWN = {*BertConfig().to_dict(), "torch_dtype", "gradient_checkpointing", "finetuning_task", "position_embedding_type"}
KNOWN |= {"pruned_heads", "directionality", "num_labels", "use_bfloat16", "torchscript", "output_past"}


def check(study: Study, tokenizer: PreTrainedTokenizerBase) -> list[Fact]:
    """Check the folder of `model.pretrained` and return facts about it; none for a new model.

    Config and headers are checked first, then every weight is read once. Raises ParamsError if the model cannot be
    right: see `config.fields`, `weights.fitting` and `weights.weights`.
    """
    folder = folder_of(study)
    if folder is None:
        return []
    content = written(folder)
    of = fields(content, folder)
    check_fits(of, study, tokenizer)
    told = [*_config_facts(content, of, tokenizer), *_weight_facts(fitting(folder, of), of)]
    return [Fact("model.pretrained", *fact) for fact in told]


def check_fits(of: Fields, study: Study, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ParamsError if a model has fewer words or positions than the study needs."""
    name, most = study.model.pretrained, of.max_position_embeddings
    if len(tokenizer) > of.vocab_size:
        raise refused(f"{name} knows {of.vocab_size} words, and the tokenizer of the study has {len(tokenizer)}")
    if positions(study) > most:
        asked = f"{name} has {most} positions, and corpus.max_length is {study.corpus.max_length}"
        raise refused(f"{asked}; allowed is at most {most // 8 * 8} (batches are padded to a multiple of 8)")


def _config_facts(content: dict, of: Fields, tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple]:
    shape = f"{many(of.num_hidden_layers, 'layer')} x {of.hidden_size}, {many(of.num_attention_heads, 'head')} each"
    yield "shape", f"{shape}, {of.vocab_size:,} words, {of.max_position_embeddings} positions"
    if "model_type" not in content:
        yield "family", "bert, since its fields are BERT's; its config has no model_type", True
    if (spare := of.vocab_size - len(tokenizer)) > 0:
        yield "words that the tokenizer has not", f"{spare:,}"
    if (pad := content.get("pad_token_id", 0)) != tokenizer.pad_token_id:
        yield "padding", f"token {tokenizer.pad_token_id}, the tokenizer's; its config says {pad}", True
    if other := sorted(name for name in content if name not in KNOWN and not name.startswith(("_", "pooler_"))):
        yield "fields of its config that are not used", shown(other), True


def _weight_facts(found: Fitting, of: Fields) -> Iterator[tuple]:
    kinds = sorted({short(part.dtype) for part in found.parts.values()})
    yield "weights", f"{found.file.name}, {' and '.join(kinds)}" + ("" if kinds == ["float32"] else ", read as float32")
    if found.masked:
        yield "masks of torch.nn.utils.prune", f"applied to {many(found.masked, 'tensor')}", True
    if found.new:
        yield "parts with new, random weights", ", ".join(found.new), True
    if found.unused:
        yield "tensors that are not used", shown(found.unused, 8)
    prunable = {f"bert.{name}" for name in prunable_matrices(skeleton(of))}
    size, zeros, flat = 0, 0, []
    for name, tensor in weights(found):
        if name in prunable:
            size, zeros = size + tensor.numel(), zeros + tensor.numel() - int(tensor.count_nonzero())
            flat += [name] if tensor.min() == tensor.max() else []
    if flat:
        yield "matrices with one value throughout", shown(flat), True
    yield "zeros in the prunable matrices", f"{100 * zeros / size:.1f} %", zeros > MOST_ZEROS * size
