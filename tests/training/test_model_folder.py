"""Folders of a tiny BERT as people have them, sound or damaged: used rightly or refused, never silently wrong."""

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch.nn.utils import prune
from transformers import (
    AlbertForPreTraining,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForSequenceClassification,
    BertModel,
    DistilBertForMaskedLM,
    ElectraForMaskedLM,
    ModernBertForMaskedLM,
    RobertaForMaskedLM,
)

from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.study.params import complete, extended, merge, read_yaml, validated
from prune_utils.study.paths import PARAMS
from prune_utils.study.section import ParamsError
from prune_utils.training.model_folder.check import check
from prune_utils.training.model_folder.config import Fields, positions
from prune_utils.training.modeling import new_configuration, new_model
from prune_utils.training.sizes import BERT_BASE, shape

HOME = tempfile.TemporaryDirectory()  # removed when the interpreter ends
CONFIG, WEIGHTS, BIN = "config.json", "model.safetensors", "pytorch_model.bin"


smoke = cache(lambda: complete("smoke"))


def of(pretrained, **more):
    changes = {"model": {"pretrained": str(pretrained), "dropout": None}, **more}
    return validated(merge(smoke(), changes))


@cache
def words():
    return tokenizer_of(validated(smoke()))


@cache
def tiny():
    return {
        "vocab_size": len(words()),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
    }


@cache
def source():
    """A sound folder, made once and copied."""
    torch.manual_seed(7)
    folder = Path(HOME.name) / "sound"
    BertForPreTraining(BertConfig(**tiny())).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(source(), tmp_path / "model")


@cache
def stored():
    return load_file(source() / WEIGHTS)


@cache
def reference():
    """The tensors of the encoder, from the model that was saved."""
    return BertForPreTraining.from_pretrained(source()).bert.state_dict()


def rewritten(folder, rule):
    save_file({name: tensor.clone() for name, tensor in rule(dict(stored())).items()}, folder / WEIGHTS)


def configured(folder, **fields):
    content = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**content, **fields}))


def facts(folder, **more):
    return {fact.what: (fact.value, fact.odd) for fact in check(of(folder, **more), words())}


def test_a_recipe_that_may_undo_what_an_encoder_knows_is_told(tmp_path):
    BertModel(BertConfig(**tiny())).save_pretrained(tmp_path)
    told = facts(tmp_path)  # with the demo's rates, for a new model
    rates, odd = told["high learning rates"]
    assert odd and rates.startswith(
        "pretraining.burn_in_learning_rate 0.005, pretraining.learning_rate 0.001, finetuning."
    )
    assert "pretraining.head_steps trains new heads alone first" in told["new MLM head"][0]
    recipe = extended(read_yaml(PARAMS / "own_model.yaml"))
    told = facts(tmp_path, pretraining=recipe["pretraining"], finetuning=recipe["finetuning"])
    assert "parts with new, random weights" in told and not {"high learning rates", "new MLM head"} & {*told}


def loaded(folder, **more):
    """Load a folder and take a step at the longest sequence that a batch may have."""
    study = of(folder, **more)
    model = new_model(study, words(), 0)
    ids = torch.arange(positions(study))[None] % len(words())
    labels = torch.full_like(ids, -100)
    labels[0, 3] = 5
    segments = (torch.arange(ids.shape[1])[None] > 9).long()
    batch = {"input_ids": ids, "labels": labels, "token_type_ids": segments, "attention_mask": torch.ones_like(ids)}
    loss = model.train()(**batch, next_sentence_label=torch.tensor([0])).loss
    loss.backward()
    assert torch.isfinite(loss) and len(prunable_matrices(model)) == 6 * model.config.num_hidden_layers + 2
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    return model


def differing(model, expected=None):
    found = model.bert.state_dict()
    return {name for name, tensor in (expected or reference()).items() if not torch.equal(tensor, found[name])}


def refusal(folder, **more):
    """The sentence of the check, which is also that of a model that is loaded without it."""
    with pytest.raises(ParamsError) as at_first:
        check(of(folder, **more), words())
    with pytest.raises(ParamsError) as later:
        new_model(of(folder, **more), words(), 0)
    assert str(at_first.value) == str(later.value) and str(later.value).startswith("model.pretrained")
    return str(later.value)


def prefixed(prefix):
    return lambda folder: rewritten(folder, lambda w: {f"{prefix}{name}": tensor for name, tensor in w.items()})


def bare(folder):
    rewritten(folder, lambda w: {n.removeprefix("bert."): t for n, t in w.items() if n.startswith("bert.")})


def pickled(folder, **options):
    (folder / WEIGHTS).unlink()
    old = {n.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): t for n, t in stored().items()}
    old["bert.embeddings.position_ids"] = torch.arange(64)[None]
    torch.save(old, folder / BIN, **options)


def in_shards(folder):
    (folder / WEIGHTS).unlink()
    BertForPreTraining.from_pretrained(source()).save_pretrained(folder, max_shard_size="8KB")
    assert len(list(folder.glob("model-*"))) > 1


def pickled_in_shards(folder):
    (folder / WEIGHTS).unlink()
    names = sorted(stored())
    where = {name: f"{BIN[:-4]}-{i % 2}.bin" for i, name in enumerate(names)}
    for file in set(where.values()):
        torch.save({name: stored()[name] for name in names if where[name] == file}, folder / file)
    (folder / f"{BIN}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def old_name(folder):
    (folder / CONFIG).rename(folder / "bert_config.json")


def decoder_beside(folder):
    rewritten(folder, lambda w: w | {"cls.predictions.decoder.weight": w["bert.embeddings.word_embeddings.weight"]})


SOUND = {
    "as saved": lambda folder: None,
    "data parallel": prefixed("module."),
    "lightning": prefixed("model."),
    "compiled": prefixed("_orig_mod."),
    "both": prefixed("_orig_mod.module."),
    "a bare encoder": bare,
    "pickled": pickled,
    "pickled long ago": lambda folder: pickled(folder, _use_new_zipfile_serialization=False),
    "in shards": in_shards,
    "pickled in shards": pickled_in_shards,
    "google's name of the config": old_name,
    "a decoder that is tied": decoder_beside,
    "a config that says it is not": lambda folder: configured(folder, tie_word_embeddings=False),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_folders_of_all_kinds_load_bit_for_bit(folder, name):
    SOUND[name](folder)
    told = facts(folder)
    assert not differing(loaded(folder))
    assert told["zeros in the prunable matrices"][1] is False
    assert ("parts with new, random weights" in told) == (name == "a bare encoder")


LEFTOVERS = {
    "num_labels": 5,
    "id2label": {"0": "NEG", "1": "NEU", "2": "POS"},
    "label2id": {"NEG": 0, "NEU": 1, "POS": 2},
    "problem_type": "regression",
    "output_hidden_states": True,
    "output_attentions": True,
    "return_dict": False,
    "dtype": "float16",
    "torch_dtype": "float16",
    "gradient_checkpointing": True,
    "classifier_dropout": 0.5,
    "finetuning_task": "mnli",
    "architectures": ["BertForSequenceClassification"],
    "chunk_size_feed_forward": 1,
    "use_cache": False,
    "position_embedding_type": "absolute",
    "pruned_heads": {},
    "tie_word_embeddings": False,
    "pad_token_id": 3,
}


def test_leftovers_of_a_last_task_do_not_act(folder):
    plain = new_configuration(of(folder), words()).to_dict()
    configured(folder, **LEFTOVERS)
    assert new_configuration(of(folder), words()).to_dict() == plain
    assert plain["pad_token_id"] == words().pad_token_id
    assert not differing(loaded(folder))
    assert facts(folder)["padding"] == ("token 0, the tokenizer's; its config says 3", True)
    configured(folder, speed="high")
    assert facts(folder)["fields of its config that are not used"] == ("speed", True)


def test_shape_and_dropout_of_the_config_are_kept(folder):
    configured(folder, hidden_dropout_prob=0.3, layer_norm_eps=1e-7, hidden_act="relu", num_attention_heads=4)
    config = new_configuration(of(folder), words())
    assert (config.hidden_dropout_prob, config.layer_norm_eps, config.hidden_act) == (0.3, 1e-7, "relu")
    assert config.num_attention_heads == 4
    given = new_configuration(of(folder, model={"pretrained": str(folder), "dropout": 0.2}), words())
    assert given.hidden_dropout_prob == given.attention_probs_dropout_prob == 0.2
    assert shape(of(folder)).heads == 4 and shape(of(folder)).vocabulary == len(words())


@pytest.mark.parametrize("kind", [BertModel, BertForMaskedLM, BertForSequenceClassification])
def test_new_parts_are_told_and_depend_on_the_seed_alone(tmp_path, kind):
    torch.manual_seed(3)
    model = kind(BertConfig(**tiny()))
    model.save_pretrained(tmp_path)
    new, odd = facts(tmp_path)["parts with new, random weights"]
    assert odd and "cls.seq_relationship" in new
    assert ("bert.pooler" in new) == (kind is BertForMaskedLM) and ("predictions" in new) == (
        kind is not BertForMaskedLM
    )
    theirs = {name: t for name, t in model.base_model.state_dict().items() if t.is_floating_point()}
    one, again, other = loaded(tmp_path), new_model(of(tmp_path), words(), 0), new_model(of(tmp_path), words(), 1)
    assert not differing(one, theirs) and not differing(other, theirs)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    assert not torch.equal(one.cls.seq_relationship.weight, other.cls.seq_relationship.weight)
    if kind is BertForSequenceClassification:
        assert facts(tmp_path)["tensors that are not used"] == ("classifier.bias, classifier.weight", False)


def test_masks_of_torchs_pruning_are_applied_and_told(folder):
    model = BertForPreTraining.from_pretrained(source())
    for layer in model.bert.encoder.layer:
        prune.l1_unstructured(layer.output.dense, "weight", amount=0.5)
        prune.random_unstructured(layer.output.dense, "bias", amount=4)
    expected = dict(reference())
    for i, layer in enumerate(model.bert.encoder.layer):
        for name in ("weight", "bias"):
            expected[f"encoder.layer.{i}.output.dense.{name}"] = getattr(layer.output.dense, name).detach()
    rewritten(folder, lambda w: {n: t for n, t in model.state_dict().items() if "decoder" not in n})
    assert not differing(loaded(folder), expected)
    told = facts(folder)
    assert told["masks of torch.nn.utils.prune"] == ("applied to 4 tensors", True)
    prunable = [t for n, t in expected.items() if t.dim() == 2 and "position" not in n and "token_type" not in n]
    zeros = sum(int((t == 0).sum()) for t in prunable) / sum(t.numel() for t in prunable)
    assert told["zeros in the prunable matrices"] == (f"{100 * zeros:.1f} %", True)
    mask = "bert.encoder.layer.0.output.dense.weight_mask"
    everything = {n: t for n, t in model.state_dict().items() if "decoder" not in n}
    rewritten(folder, lambda w: {n: t for n, t in everything.items() if n != mask})
    assert "needs" in refusal(folder) and mask in refusal(folder)
    rewritten(folder, lambda w: everything | {mask: torch.full((16, 32), 0.5)})
    assert "other than 0 and 1" in refusal(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read_as_float32(folder, dtype):
    rewritten(folder, lambda w: {n: t.to(dtype) for n, t in w.items()})
    model = loaded(folder)
    assert not differing(model, {n: t.to(dtype).float() for n, t in reference().items() if t.is_floating_point()})
    assert facts(folder)["weights"][0].endswith(f"{str(dtype)[6:]}, read as float32")


def other_family(folder, kind, **config):
    shutil.rmtree(folder)
    kind(kind.config_class(**{"vocab_size": len(words()), **config})).save_pretrained(folder)


SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
FAMILIES = {
    "distilbert": (DistilBertForMaskedLM, {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}),
    "roberta": (RobertaForMaskedLM, SMALL),
    "electra": (ElectraForMaskedLM, {**SMALL, "embedding_size": 16}),
    "albert": (AlbertForPreTraining, {**SMALL, "embedding_size": 8}),
    "modernbert": (ModernBertForMaskedLM, {**SMALL, **dict.fromkeys(("pad_token_id", "bos_token_id"), 0)}),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "fields", [{}, {"model_type": "bert"}, {"model_type": None}], ids=["named", "as bert", "unnamed"]
)
def test_other_families_are_named_or_do_not_fit(folder, name, fields):
    kind, config = FAMILIES[name]
    other_family(folder, kind, **config)
    configured(folder, **fields)
    if not fields and name != "albert":
        assert shape(of(folder)).kind == name
    else:
        refusal(folder)


@pytest.mark.parametrize("kind", ["albert", "gpt2", "t5", "xlnet", "deberta-v2", "frog", 3, ["bert"]])
def test_a_family_that_is_not_supported_is_refused_with_what_is_allowed_and_the_known_reason(folder, kind):
    configured(folder, model_type=kind)
    message = refusal(folder)
    assert f"is of type {kind!r}" in message and "allowed is type 'bert', 'roberta', 'distilbert'" in message
    assert ("because it" in message) == (kind not in ("frog", 3, ["bert"])), message
    with pytest.raises(ParamsError, match="is of type"):
        shape(of(folder))


def without(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def dropped(*parts):
    return lambda folder: rewritten(folder, lambda w: {n: t for n, t in w.items() if not any(p in n for p in parts)})


def changed(name, change):
    return lambda folder: rewritten(folder, lambda w: w | {name: change(w[name])})


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


def with_field(**fields):
    return lambda folder: configured(folder, **fields)


def pickle_of(content):
    def make(folder):
        (folder / WEIGHTS).unlink()
        torch.save(content() if callable(content) else content, folder / BIN)

    return make


def heads_removed(folder):
    cut = "bert.encoder.layer.0.attention.self.query.weight"
    changed(cut, lambda t: t[:8])(folder)
    configured(folder, pruned_heads={"0": [1]})


def both_names(folder):
    rewritten(folder, lambda w: w | {"encoder.layer.0.output.dense.bias": w["bert.encoder.layer.0.output.dense.bias"]})


def lost_shard(folder):
    in_shards(folder)
    sorted(folder.glob("model-*"))[1].unlink()


def shard_index(**content):
    def make(folder):
        in_shards(folder)
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(content))

    return make


def poked(value):
    def change(tensor):
        tensor = tensor.clone()
        tensor.view(-1)[5] = value
        return tensor

    return changed("bert.encoder.layer.1.output.dense.weight", change)


QUERY, WORD = "bert.encoder.layer.1.attention.self.query.weight", "bert.embeddings.word_embeddings.weight"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 440449768\n"
REFUSED = {
    "no config": (without(CONFIG), "no config.json; found: model.safetensors"),
    "an empty config": (text(CONFIG, ""), "cannot be read as JSON"),
    "a config that is a list": (text(CONFIG, "[1]"), "holds list; allowed is a mapping"),
    "a config of deep brackets": (text(CONFIG, "[" * 100_000), "cannot be read as JSON"),
    "a config that is a pointer": (text(CONFIG, POINTER), "Git LFS pointer"),
    "no weights": (without(WEIGHTS), "has no weights; allowed are model.safetensors"),
    "weights that are a pointer": (text(WEIGHTS, POINTER), "Git LFS pointer"),
    "empty weights": (text(WEIGHTS, ""), "cannot be read as weights"),
    "a broken link": (lambda f: (without(WEIGHTS)(f), (f / WEIGHTS).symlink_to("nowhere")), "No such file"),
    "a field that is missing": (lambda f: text(CONFIG, '{"model_type": "bert"}')(f), "num_attention_heads is missing"),
    "heads that do not divide": (with_field(num_attention_heads=3), "hidden_size 16; allowed is a multiple"),
    "a decoder": (with_field(is_decoder=True), "is_decoder True; allowed is False"),
    "cross attention": (with_field(add_cross_attention=True), "add_cross_attention True"),
    "relative positions": (with_field(position_embedding_type="relative_key"), "allowed is 'absolute'"),
    "removed heads": (heads_removed, "pruned_heads {'0': [1]}"),
    "quantised": (with_field(quantization_config={"load_in_8bit": True}), "quantization_config"),
    "one segment": (with_field(type_vocab_size=1), "type_vocab_size is 1"),
    "an unknown activation": (with_field(hidden_act="fast"), "hidden_act is 'fast'"),
    "infinite initial weights": (with_field(initializer_range=float("inf")), "initializer_range is inf"),
    "all dropped": (with_field(hidden_dropout_prob=1.0), "hidden_dropout_prob is 1.0, input should be less than 1"),
    "no trained weights": (
        lambda f: rewritten(f, lambda w: {n: torch.full_like(t, 0.02) for n, t in w.items()}),
        "have one value throughout",
    ),
    "a number as text": (with_field(hidden_size="16"), "hidden_size is '16'"),
    "a million layers": (with_field(num_hidden_layers=10**6), "has 2 layers"),
    "a size that overflows": (with_field(intermediate_size=10**30), "intermediate_size is"),
    "more layers in the config": (with_field(num_hidden_layers=3), "has 2 layers"),
    "fewer layers in the config": (with_field(num_hidden_layers=1), "has 2 layers"),
    "fewer positions than max_length": (
        with_field(max_position_embeddings=8),
        "has 8 positions, and corpus.max_length",
    ),
    "other positions than the weights": (with_field(max_position_embeddings=80), "has shape (64, 16)"),
    "fewer words than the tokenizer": (with_field(vocab_size=100), "knows 100 words, and the tokenizer"),
    "a wider intermediate": (with_field(intermediate_size=64), "its config makes it (64, 16)"),
    "another prefix": (prefixed("roberta."), "has 0 layers named bert.encoder.layer.0..."),
    "a lost tensor": (dropped(QUERY), f"lacks weights of a BERT: {QUERY}"),
    "a lost bias": (dropped("layer.0.output.LayerNorm.bias"), "lacks weights"),
    "half a pooler": (dropped("pooler.dense.bias"), "lacks weights of a BERT: bert.pooler.dense.bias"),
    "half a head": (dropped("transform.LayerNorm"), "cls.predictions.transform.LayerNorm.bias"),
    "both names": (both_names, "has two tensors for bert.encoder.layer.0.output.dense.bias"),
    "low-rank adapters": (
        lambda f: rewritten(f, lambda w: w | {f"{QUERY[:-6]}lora_A.weight": torch.ones(2, 16)}),
        "a BERT of its config does not have",
    ),
    "a tensor of another shape": (changed(QUERY, lambda t: t[:8]), "has shape (8, 16)"),
    "a tensor of bytes": (changed(QUERY, lambda t: t.to(torch.int8)), "is int8"),
    "eight-bit floats": (changed(QUERY, lambda t: t.to(torch.float8_e4m3fn)), "is float8_e4m3fn"),
    "not a number": (poked(float("nan")), "not finite as float32"),
    "infinite": (poked(float("-inf")), "not finite as float32"),
    "an untied decoder": (
        lambda f: rewritten(f, lambda w: w | {"cls.predictions.decoder.weight": w[WORD] + 1}),
        "allowed is a decoder tied to the word embeddings",
    ),
    "a pickle with an object": (pickle_of(lambda: {"a": Path("x")}), "holds more than tensors"),
    "a pickle of a list": (pickle_of([torch.ones(2)]), "is list; allowed is a dictionary of tensors"),
    "a checkpoint of a trainer": (pickle_of({"state_dict": {}}), "'state_dict'"),
    "a sparse tensor": (
        pickle_of(lambda: stored() | {QUERY: stored()[QUERY].to_sparse()}),
        f"{QUERY} is sparse_coo",
    ),
    "a lost shard": (lost_shard, "No such file"),
    "an index of nothing": (shard_index(weight_map=[]), "has no weight_map"),
    "an index to another shard": (
        lambda f: shard_index(weight_map={QUERY: sorted(p.name for p in f.glob("model*"))[0]})(f),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_in_one_sentence(folder, name):
    make, expected = REFUSED[name]
    make(folder)
    message = refusal(folder)
    assert expected in message and "\n" not in message and len(message) < 700, message
    if (folder / CONFIG).exists() and name not in ("a config that is a pointer",):
        assert str(folder) in message or QUERY in message or "cls." in message


def test_a_path_that_is_a_file_or_empty_is_refused(folder):
    with pytest.raises(ParamsError, match="is a file; allowed is the folder"):
        check(of(folder / WEIGHTS), words())
    with pytest.raises(ParamsError, match="model.pretrained"):
        of("")
    with pytest.raises(ParamsError, match="num_attention_heads"):
        validated(merge(smoke(), {"model": {"num_attention_heads": 3}}))


# Random damage: whatever is accepted is the encoder that was saved, bit for bit.
NAMES = sorted(BertForPreTraining(BertConfig(**{**SMALL, "vocab_size": 8})).state_dict())
NAMES = [name for name in NAMES if "decoder" not in name]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 80),
    st.floats(width=32),
    st.text(max_size=8),
    st.just([]),
    st.just({"0": [1]}),
)


@st.composite
def damage(draw):
    kind = draw(
        st.sampled_from(["rename", "drop", "reshape", "cast", "poke", "config", "no field", "cut", "header", "bin"])
    )
    name = draw(st.sampled_from(NAMES))
    if kind == "rename":
        part = st.sampled_from(["module.", "bert.", "model.", "", "x", ".", "_orig", "_mask", "gamma"])
        return kind, name, draw(part) + name[draw(st.integers(0, 6)) :] + draw(part)
    if kind == "config":
        return (
            kind,
            draw(st.sampled_from([*Fields.model_fields, "model_type", "architectures", "is_decoder"])),
            draw(VALUES),
        )
    if kind == "no field":
        return kind, draw(st.sampled_from([*Fields.model_fields, "model_type", "architectures"])), None
    if kind == "header":
        return kind, draw(st.integers(0, 1500)), draw(st.integers(0, 255))
    if kind in ("cut", "bin"):
        return kind, draw(st.integers(0, 60_000)), None
    return kind, name, draw(st.integers(0, 5))


def apply(folder, weights, kind, what, value):
    """Damage a folder whose tensors are `weights`; the files are written by the last of several damages."""
    file = folder / WEIGHTS
    if kind == "rename" and what in weights:
        weights[value] = weights.pop(what)
    elif kind == "drop":
        weights.pop(what, None)
    elif kind == "reshape" and what in weights and weights[what].dim() and weights[what].numel():
        tensor = weights[what]
        weights[what] = [tensor[1:], tensor[:0], tensor[None], tensor.flatten()[:-1], tensor[..., :-1], tensor[0]][
            value
        ]
    elif kind == "cast" and what in weights:
        dtypes = [torch.int8, torch.int64, torch.bool, torch.float64, torch.complex64, torch.float8_e5m2]
        weights[what] = weights[what].to(dtypes[value])
    elif kind == "poke" and what in weights and weights[what].is_floating_point() and weights[what].numel():
        weights[what] = weights[what].clone()
        weights[what].view(-1)[0] = float("nan") if value % 2 else float("inf")
    elif kind in ("config", "no field"):
        content = json.loads((folder / CONFIG).read_text())
        content[what] = value
        if kind == "no field":
            content.pop(what)
        (folder / CONFIG).write_text(json.dumps(content))
    if kind in ("config", "no field"):
        return
    save_file({name: tensor.clone() for name, tensor in weights.items()}, file)
    content = bytearray(file.read_bytes())
    if kind == "cut":
        file.write_bytes(content[:what])
    if kind == "header":
        content[min(what, int.from_bytes(content[:8], "little"))] = value
        file.write_bytes(content)
    if kind == "bin":
        file.unlink()
        torch.save(weights, folder / BIN)
        (folder / BIN).write_bytes((folder / BIN).read_bytes()[: what * 2])


@settings(max_examples=100, derandomize=True)
@given(st.lists(damage(), min_size=1, max_size=2))
def test_damage_is_refused_or_does_not_matter(damages):
    with tempfile.TemporaryDirectory() as place:
        folder = shutil.copytree(source(), Path(place) / "model")
        weights = dict(stored())
        for one in damages:
            apply(folder, weights, *one)
        try:
            check(of(folder), words())
        except ParamsError as error:
            assert "\n" not in str(error)
            with pytest.raises(ParamsError):
                new_model(of(folder), words(), 0)
            return
        model = loaded(folder)
        assert not differing(model)
        content = json.loads((folder / CONFIG).read_text())
        assert all(getattr(model.config, name) == content.get(name, getattr(model.config, name)) for name in tiny())
        assert shape(of(folder)).weights == sum(m.numel() for m in prunable_matrices(model).values())


def test_a_model_of_the_hub_is_taken_for_bert_base_until_the_study_is_started():
    study = of("google-bert/bert-base-uncased")
    assert shape(study) == BERT_BASE and check(study, words()) == []
    with pytest.raises(ParamsError, match="model.pretrained: google-bert/bert-base-uncased is not in the hub's cache"):
        new_model(study, words(), 0)


def test_the_vocabulary_of_a_new_model_is_that_of_its_files(tmp_path):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(300))]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n")
    corpus = {"source": "local", "files": ["a"], "held_out_files": ["b"], "max_length": 32}
    task = {"source": "local", "name": "t", "folder": "c"}
    changes = {"corpus": {**corpus, "vocabulary": str(tmp_path / "vocab.txt")}, "tasks": [task]}
    study = validated(merge(smoke(), changes))
    model = new_model(study, tokenizer_of(study), 0)
    assert shape(study).weights == sum(m.numel() for m in prunable_matrices(model).values())
    assert shape(study).vocabulary == 305
