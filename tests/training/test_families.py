"""Every family of encoders: what is pruned, what is trained, and what is refused."""

import copy
from types import SimpleNamespace

import pytest
import torch
import transformers
from encoders import NO_DROPOUT, config, documents, library, save, save_tokenizer, study
from hostile import write_task
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from prune_utils.data import prepared
from prune_utils.data.masked_tokens import IGNORED
from prune_utils.data.pairs import examples, tokenised
from prune_utils.data.vocabulary import pair_template, tokenizer_of
from prune_utils.inside.heads import head_shares
from prune_utils.inside.similarity import mean_cosines
from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.pruning.families import FAMILIES, in_order, kind_and_layer, label, words_of
from prune_utils.pruning.matrices import apply_masks, prunable_matrices
from prune_utils.pruning.scores import by_magnitude
from prune_utils.pruning.sparse import identical, load_sparse, save_sparse
from prune_utils.pruning.stored import MASKS, heads, load_masks, matrices, word_embeddings
from prune_utils.study import paths
from prune_utils.study.grid import Cell, Run
from prune_utils.study.params import complete, merge, validated
from prune_utils.study.section import ParamsError
from prune_utils.study.sections import recipes
from prune_utils.training import probe, sizes
from prune_utils.training.finetuning import finetune, starting_model
from prune_utils.training.model_folder.check import check
from prune_utils.training.modeling import MaskedEncoder, masked, new_model, special_ids
from prune_utils.training.pretraining import pretrain
from prune_utils.training.sizes import Shape, shape
from prune_utils.workflow.preflight import check_inputs

pytestmark = pytest.mark.slow

# the base configuration of each family as it was released, where it differs from transformers' defaults; a layer has
# four square matrices and two (gated: three) of width x intermediate
LAYER = 4 * 768 * 768 + 2 * 768 * 3072
BASE = {
    "bert": ({}, 12 * 6 + 2, 12 * LAYER + 30_522 * 768 + 768 * 768),
    "roberta": ({"type_vocab_size": 1, "max_position_embeddings": 514}, 12 * 6 + 1, 12 * LAYER + 50_265 * 768),
    "distilbert": ({}, 6 * 6 + 1, 6 * LAYER + 30_522 * 768),
    "electra": (  # the discriminator; its embeddings are as wide as its layers
        {"embedding_size": 768, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
        12 * 6 + 1,
        12 * LAYER + 30_522 * 768,
    ),
    # queries, keys and values in one matrix: four matrices a layer
    "modernbert": ({}, 22 * 4 + 1, 22 * (4 * 768 * 768 + 3 * 768 * 1152) + 50_368 * 768),
    "mpnet": ({"max_position_embeddings": 514}, 12 * 6 + 1, 12 * LAYER + 30_527 * 768),
}
KINDS = list(FAMILIES)
DOCS = (paths.ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def shape_of(config):
    sides = (config.num_hidden_layers, config.hidden_size, config.num_attention_heads)
    inner = getattr(config, "intermediate_size", None) or config.hidden_dim
    narrow = getattr(config, "embedding_size", config.hidden_size)
    kind = config.model_type
    return Shape(*sides, inner, config.vocab_size, kind, None if narrow == config.hidden_size else narrow)


def test_the_params_name_the_families_of_the_table():
    assert list(recipes.FAMILIES) == KINDS and set(BASE) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_and_weights_of_the_base_configuration_are_those_worked_by_hand(kind):
    fields, count, weights = BASE[kind]
    given = AutoConfig.for_model(kind, **fields)
    with torch.device("meta"):
        model = masked(kind)(given)
    found = prunable_matrices(model)
    assert len(found) == count and sum(p.numel() for p in found.values()) == weights == shape_of(given).weights
    assert {"bert": 108_965_376, "modernbert": 148_979_712}.get(kind, weights) == weights
    row = next(line for line in DOCS.splitlines() if f"| `{kind}` |" in line)
    assert f": {count} |" in row and f"{weights:,}" in row and ("next sentence" in row) == (kind == "bert")
    # every name is understood, in the order of the model
    assert in_order(sorted(found)) == list(found) and len({*map(label, found)}) == count
    assert max(kind_and_layer(name)[1] or 0 for name in found) == given.num_hidden_layers
    assert found[words_of(found)] is model.get_input_embeddings().weight is model.get_output_embeddings().weight
    # the classifier of the family has the same matrices, under the same names
    with torch.device("meta"):
        assert list(prunable_matrices(AutoModelForSequenceClassification.from_config(given))) == list(found)
    # what is left out of the encoder: biases, norms, and embeddings of positions, types and distances
    left = {name for name, p in model.base_model.named_parameters() if p.dim() > 1} - set(found)
    assert all("position" in name or "token_type" in name or "relative_attention_bias" in name for name in left), left


def test_a_small_electra_has_narrow_embeddings_and_their_projection():
    given = AutoConfig.for_model("electra")
    with torch.device("meta"):
        found = prunable_matrices(masked("electra")(given))
    # 12 layers of 256 x 1024, embeddings of 128, and 128 x 256 from one to the other
    weights = 12 * (4 * 256 * 256 + 2 * 256 * 1024) + 30_522 * 128 + 128 * 256
    assert len(found) == 12 * 6 + 2 and sum(p.numel() for p in found.values()) == weights == shape_of(given).weights
    assert in_order(sorted(found)) == list(found) and "embeddings projection" in map(label, found)


def batch_of(kind, seed=1):
    """Ids of six sequences, two of them padded, with a quarter of the tokens to be predicted."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 200, (6, 12), generator=generator)
    labels = torch.where(torch.rand(ids.shape, generator=generator) < 0.25, ids, IGNORED)
    attention = torch.ones_like(ids)
    for row in (1, 4):
        ids[row, 8:], labels[row, 8:], attention[row, 8:] = 1, IGNORED, 0
    batch = {"input_ids": ids, "labels": labels, "attention_mask": attention}
    if FAMILIES[kind].segments:
        batch["token_type_ids"] = (torch.arange(12)[None] > 5).long().expand(6, -1).contiguous()
    return batch


@pytest.mark.parametrize("kind", KINDS[1:])
def test_loss_and_gradients_are_those_of_transformers_own_model(kind):
    plain, batch = library(kind).train(), batch_of(kind)
    ours = masked(kind)(plain.config)
    ours.load_state_dict(plain.state_dict())
    losses = [model.train()(**batch).loss for model in (ours, plain)]
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.backward()
    for (name, a), (_, b) in zip(ours.named_parameters(), plain.named_parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=name)
    with torch.no_grad():
        out = ours.eval()(**batch)
        logits = plain.eval()(**{name: part for name, part in batch.items() if name != "labels"}).logits
    assert "nsp_nll" not in out and torch.equal(out.mlm_tokens, (batch["labels"] != IGNORED).sum(1))
    torch.testing.assert_close(out.mlm_nll.sum() / out.mlm_tokens.sum(), out.loss)
    right = ((logits.argmax(-1) == batch["labels"]) & (batch["labels"] != IGNORED)).sum(1)
    assert torch.equal(out.mlm_correct, right.float())


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("kind", KINDS[1:])
def test_flop_agrees_with_torchs_own_count(kind, pairs):
    wide = {"dim": 64, "hidden_dim": 128} if kind == "distilbert" else {"hidden_size": 64, "intermediate_size": 128}
    given, batch = config(kind, **wide), batch_of(kind)
    given._attn_implementation = "eager"  # torch counts the products it sees, and a fused kernel hides two
    predicted = int((batch["labels"] != IGNORED).sum()) / 6 if pairs else 0
    if not pairs:
        batch = {"input_ids": batch["input_ids"], "labels": torch.tensor([0, 1, 0, 1, 1, 0])}
    model = masked(kind)(given) if pairs else AutoModelForSequenceClassification.from_config(given)
    with FlopCounterMode(display=False) as counter:
        model.train()(**batch)
    assert counter.get_total_flops() == pytest.approx(6 * sizes.forward(shape_of(given), 12, predicted), rel=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pruned_head_passes_nothing_on_and_the_others_do(kind):
    given = config(kind)
    model = masked(kind)(given).eval()
    masks = by_magnitude("heads", prunable_matrices(model), 0.25, 2)  # one head of four
    shares = head_shares(masks, 2)
    assert sorted(shares.pruned_share) == [0, 0, 0, 1]
    layer, head = shares[shares.pruned_share == 1][["layer", "head"]].iloc[0]
    pruned = sum(int((~mask).sum()) for mask in masks.values())
    assert pruned == 4 * 8 * 16  # eight units of query, key, value and output, fused or not
    apply_masks(model, masks)
    outputs = [name for name in masks if kind_and_layer(name) == ("attention output", layer)]
    module, seen = model.base_model.get_submodule(outputs[0].removesuffix(".weight")), []
    module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    with torch.no_grad():
        model.base_model(**{name: part for name, part in batch_of(kind).items() if name != "labels"})
    by_heads = seen[0].unflatten(-1, (2, 8)).abs().sum((0, 1, 3))
    assert by_heads[head - 1] == 0 < by_heads[2 - head]  # biases of value are 0 at the start


def facts(of):
    return {fact.what: (fact.value, fact.odd) for fact in check(of, tokenizer_of(of))}


def from_folder(folder, **more):
    model = tuple({"pretrained": str(folder), "dropout": 0.0, **more}.items())
    return study((("study", folder.name), ("model", model)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_computes_what_transformers_own_model_of_it_does(kind, tmp_path):
    """All fields of its config that act are used."""
    save(kind, tmp_path / kind)
    of = from_folder(tmp_path / kind)
    ours, theirs = new_model(of, tokenizer_of(of), 0).eval(), AutoModel.from_pretrained(tmp_path / kind).eval()
    ids = torch.randint(5, 200, (2, 24), generator=torch.Generator().manual_seed(0))  # longer than the local window
    with torch.no_grad():
        expected = theirs(ids).last_hidden_state
        assert torch.equal(ours.base_model(ids).last_hidden_state, expected)
        logits = getattr(transformers, FAMILIES[kind].trained).from_pretrained(tmp_path / kind).eval()(ids)
    logits = logits.prediction_logits if kind == "bert" else logits.logits
    torch.testing.assert_close(ours.word_logits(expected), logits)
    assert shape(of) == shape_of(ours.config)
    told = facts(of)
    assert "parts with new, random weights" not in told and "tensors that are not used" not in told
    assert ("objective" in told) == (kind != "bert") and "fields of its config that are not used" not in told
    if kind != "bert":
        assert told["objective"][0].endswith("pretrain_loss is the MLM loss")
        assert told["family"] == (FAMILIES[kind].title, False)


NEW = [
    ("electra", "ElectraForPreTraining", "discriminator_predictions"),
    ("roberta", "RobertaModel", "pooler"),
    ("mpnet", "MPNetModel", "pooler"),
    ("distilbert", "DistilBertForSequenceClassification", "pre_classifier"),
    ("modernbert", "ModernBertForSequenceClassification", "head.dense"),
]


@pytest.mark.parametrize(("kind", "name", "unused"), NEW)
def test_a_model_of_another_use_gets_a_new_head_and_says_so(tmp_path, kind, name, unused):
    theirs = save(kind, tmp_path / "model", name)
    told = facts(from_folder(tmp_path / "model"))
    assert told["parts with new, random weights"] == (
        ", ".join(p for p in FAMILIES[kind].head if p != "activation"),
        True,
    )
    assert unused in told["tensors that are not used"][0] and told["objective"][0].endswith("its MLM head is new")
    of = from_folder(tmp_path / "model")
    one, again, other = (new_model(of, tokenizer_of(of), seed) for seed in (0, 0, 1))
    head = "lm_head.dense" if kind in ("roberta", "mpnet") else f"{FAMILIES[kind].head[0]}."
    for tensor, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[tensor])
        if tensor.startswith(f"{FAMILIES[kind].encoder}."):
            assert torch.equal(value, theirs.base_model.state_dict()[tensor.partition(".")[2]])
        if tensor.startswith(head) and value.dim() == 2:
            assert not torch.equal(value, other.state_dict()[tensor])


def test_the_head_of_electras_generator_is_kept(tmp_path):
    theirs = save("electra", tmp_path / "model")
    of = from_folder(tmp_path / "model")
    ours = new_model(of, tokenizer_of(of), 3)
    assert torch.equal(ours.generator_predictions.dense.weight, theirs.generator_predictions.dense.weight)
    assert "new" not in facts(of)["objective"][0]


@pytest.mark.parametrize("kind", ["roberta", "modernbert", "mpnet", "electra"])
def test_pairs_are_those_of_the_tokenizer_and_no_special_token_is_masked(tmp_path, kind):
    save_tokenizer(kind, tmp_path / "own")
    of = from_folder(tmp_path / "own")
    tokenizer = tokenizer_of(of)
    first, second = documents()[0][:2]
    before, between, after = pair_template(tokenizer)
    parts = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (first, second)]
    assert [*before, *parts[0], *between, *parts[1], *after] == tokenizer(first, second)["input_ids"]
    assert len(between) == (2 if kind in ("roberta", "mpnet") else 1)
    made = list(examples(iter(documents()), tokenizer, 32, of.pretraining, "seed"))
    special = {*before, *between, *after}
    for pair in made:
        ids, labels = pair["input_ids"], pair["labels"]
        assert len(ids) <= 32 and ids[0] == before[0] and ids[-1] == after[0]
        assert not special & {answer for answer in labels if answer != IGNORED}
        assert max(ids) < len(tokenizer)
        assert sum(pair["token_type_ids"]) == len(ids) - pair["token_type_ids"].index(1)
    predicted = [
        (i, a) for pair in made for i, a in zip(pair["input_ids"], pair["labels"], strict=True) if a != IGNORED
    ]
    share = sum(i == tokenizer.mask_token_id for i, _ in predicted) / len(predicted)
    assert 0.7 < share < 0.9


def test_sentences_of_a_document_are_joined_with_blanks_by_byte_level_tokens(tmp_path):
    save_tokenizer("roberta", tmp_path / "own")
    tokenizer, document = tokenizer_of(from_folder(tmp_path / "own")), documents()[0]
    (sentences,) = tokenised([document], tokenizer)
    assert tokenizer.decode([token for tokens in sentences for token in tokens]) == " ".join(document)


def result_of(of, kind):
    """Burn-in, gradual run and a fine-tuned cell, with all that is stored of them; returns the pruned model."""
    task = of.tasks[0].name
    results = [pretrain(of, run) for run in (Run("dense", 0.0, 0), Run("gradual", 0.5, 0))]
    for result in results:
        assert ("nsp_loss" in result) == (kind == "bert") and 0 < result["mlm_loss"] < 9
        assert result["pretrain_loss"] == pytest.approx(result["mlm_loss"] + result.get("nsp_loss", 0.0))
    assert results[1]["realised_sparsity"] == pytest.approx(0.5, abs=1e-3)
    assert results[1]["encoder_sparsity"] == pytest.approx(0.5, abs=1e-3)
    folder = Run("gradual", 0.5, 0).checkpoint(of.study)
    model, masks, _ = load_checkpoint(MaskedEncoder, folder, 0.5)
    assert type(model) is masked(kind)
    for name, matrix in matrices(folder).items():
        assert torch.equal(matrix, prunable_matrices(model)[name]) and not matrix[~masks[name]].any()
    assert torch.equal(word_embeddings(folder), model.get_output_embeddings().weight)
    save_sparse(folder, folder.parent / "sparse.safetensors")
    restored = load_sparse(folder.parent / "sparse.safetensors")
    stored = {name: p for name, p in model.state_dict().items() if name in restored}
    assert identical(restored, {name: stored[name] for name in restored}) and len(restored) >= len(masks)
    assert (folder.parent / "sparse.safetensors").stat().st_size < 0.8 * (folder / paths.WEIGHTS).stat().st_size
    shares = head_shares(masks, heads(folder))
    assert shares.groupby("layer").pruned_share.mean().tolist() == pytest.approx([0.5, 0.5], abs=1e-3)
    cell = finetune(of, Cell(task, "pretrain", 0.5, 1e-3, 0))
    assert 0 <= cell["dev_accuracy"] <= 1 and cell["final_sparsity"] == pytest.approx(0.5, abs=1e-3)
    return model


@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_plan_measures_the_model_of_the_family(kind, monkeypatch):
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    of = study((("study", "p"), ("model", (("family", kind),))))
    pace = probe.measure(of, pair_tokens=10, masked=2, task_tokens=[8.0])
    assert pace.pair > 0 and pace.finetuning_step(8) > 0 and pace.evaluation > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS[1:] if kind != "mpnet"])
def test_a_study_of_a_new_model_on_the_embedded_language(kind):
    more = {"embedding_size": 8} if kind == "electra" else {}
    of = study((("study", f"new_{kind}"), ("model", tuple({"family": kind, **more}.items()))))
    told = {fact.what: fact.value for fact in check_inputs(of)}
    assert told == {"objective": facts(of)["objective"][0]} and FAMILIES[kind].title in told["objective"]
    model = result_of(of, kind)
    assert model.config.model_type == kind and shape(of) == shape_of(model.config)
    assert shape(of).weights == sum(p.numel() for p in prunable_matrices(model).values())
    dense, _, _ = load_checkpoint(MaskedEncoder, Run("dense", 0.0, 0).checkpoint(of.study), 0.0)
    ids = torch.randint(5, 200, (2, 9))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    cosines = mean_cosines(model.base_model, dense.base_model, [batch])
    assert len(cosines) == 3 and all(0 < cosine < 1 + 1e-6 for cosine in cosines)
    if kind == "modernbert":  # a head is pruned in three blocks of rows
        pretrain(of, Run("heads", 0.5, 0))
        whole = load_masks(Run("heads", 0.5, 0).checkpoint(of.study) / MASKS)
        assert sorted(head_shares(whole, 2).pruned_share) == [0, 0, 1, 1]
    scratch, masks, _ = starting_model(of, Cell("entailment", "scratch", 0.0, 1e-3, 0), 3)
    assert set(masks) == set(prunable_matrices(model)) and scratch.config.num_labels == 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_study_of_a_folder_with_its_own_tokenizer(kind, tmp_path):
    start = save(kind, tmp_path / f"own_{kind}")
    of = from_folder(tmp_path / f"own_{kind}")
    model = result_of(of, kind)
    data = prepared.pretraining_data(of)
    assert tokenizer_of(of).decode(data[0]["input_ids"]).count(tokenizer_of(of).sep_token) in (2, 3)
    assert type(model) is not type(start) and model.config.vocab_size == start.config.vocab_size


@pytest.mark.slow
def test_a_study_of_a_new_mpnet_on_local_text(tmp_path):
    save_tokenizer("mpnet", tmp_path / "words")
    for part in ("train", "held"):
        lines = "\n\n".join("\n".join(document) for document in documents()[:40])
        (tmp_path / f"{part}.txt").write_text(lines + "\n", encoding="utf-8")
    corpus = {"source": "local", "files": [str(tmp_path / "train.txt")], "held_out_files": [str(tmp_path / "held.txt")]}
    corpus |= {"vocabulary": str(tmp_path / "words"), "max_length": 32}
    tiny = study().model_dump() | {
        "study": "new_mpnet",
        "corpus": corpus,
        "tasks": [write_task(tmp_path / "task", 64, 32)],
    }
    of = validated(merge(tiny, {"model": {"family": "mpnet"}}))
    assert {"objective", "tokens"} <= {fact.what for fact in check_inputs(of)}
    result_of(of, "mpnet")


def refusal(of):
    """The sentence of the check, which is also that of a training that is started without it."""
    with pytest.raises(ParamsError) as first:
        check(of, tokenizer_of(of))
    with pytest.raises(ParamsError) as later:
        new_model(of, tokenizer_of(of), 0)
    assert str(first.value) == str(later.value)
    return str(later.value)


def test_a_family_that_is_not_the_folders_is_refused(tmp_path):
    save("roberta", tmp_path / "model")
    said = refusal(from_folder(tmp_path / "model", family="bert"))
    assert "is of type 'roberta', and model.family is 'bert'; leave the key out" in said
    assert facts(from_folder(tmp_path / "model", family="roberta"))["family"] == ("RoBERTa", False)


def test_positions_of_roberta_are_counted_from_padding(tmp_path):
    # 32 tokens need 2 + 32 positions: those of the padding token and before are never read
    save("roberta", tmp_path / "enough", max_position_embeddings=34)
    new_model(from_folder(tmp_path / "enough"), tokenizer_of(from_folder(tmp_path / "enough")), 0)
    save("roberta", tmp_path / "model", max_position_embeddings=33)
    assert "has 31 positions, and corpus.max_length is 32; allowed is at most 24" in refusal(
        from_folder(tmp_path / "model")
    )
    of = study((("study", "positions"), ("model", (("family", "roberta"),))))
    assert new_model(of, tokenizer_of(of), 0).config.max_position_embeddings == 32 + tokenizer_of(of).pad_token_id + 1
    save("roberta", tmp_path / "other", pad_token_id=3)
    said = refusal(from_folder(tmp_path / "other"))
    assert "the padding token has id 3" in said and "the tokenizer's is 1, and a RoBERTa counts positions" in said


def test_what_cannot_work_is_refused_with_the_reason(tmp_path):
    of = study((("study", "a"), ("model", (("family", "mpnet"),))))
    assert refusal(of).startswith("model: the padding token has id 1 in an MPNet; the tokenizer's is 0")
    save("bert", tmp_path / "types", own="modernbert")
    said = refusal(from_folder(tmp_path / "types"))
    assert "a BERT tells the texts of a pair apart by token types, and the tokenizer has one" in said
    save("modernbert", tmp_path / "odd", hidden_size=18, num_attention_heads=2)
    assert "has heads of 9 dimensions; allowed in a ModernBERT is an even number" in refusal(
        from_folder(tmp_path / "odd")
    )
    odd = (("family", "modernbert"), ("hidden_size", 18), ("num_attention_heads", 2))
    assert refusal(study((("study", "b"), ("model", odd)))).startswith("model: the section has heads of 9 dimensions")
    with pytest.raises(ParamsError, match="embedding_size is 8; only allowed"):
        study((("model", (("embedding_size", 8),)),))
    with pytest.raises(ParamsError, match="model.family is 'albert'; input should be 'bert', 'roberta'"):
        validated(merge(complete("smoke"), {"model": {"family": "albert"}}))


def test_an_untied_decoder_of_any_family_is_refused(tmp_path):
    for kind, decoder in (("roberta", "lm_head.decoder"), ("modernbert", "decoder"), ("electra", "generator_lm_head")):
        model = save(kind, tmp_path / kind, tie_word_embeddings=False)
        with pytest.raises(ValueError, match="not tied"):
            prunable_matrices(model)
        with pytest.raises(ParamsError, match=f"{decoder}.weight in .* differs from .*embeddings.weight; allowed is"):
            check(from_folder(tmp_path / kind), tokenizer_of(from_folder(tmp_path / kind)))


def test_dropout_of_the_params_is_that_of_every_part(tmp_path):
    for kind in KINDS:
        if kind == "mpnet":
            continue
        of = study((("study", "d"), ("model", (("family", kind), ("dropout", 0.3)))))
        given = new_model(of, tokenizer_of(of), 0).config
        assert {name: getattr(given, name) for name in NO_DROPOUT[kind]} == dict.fromkeys(NO_DROPOUT[kind], 0.3)


def test_the_random_weights_of_a_new_bert_are_those_of_transformers_own_class():
    of = study()
    plain = copy.deepcopy(new_model(of, tokenizer_of(of), 3))
    transformers.set_seed(3)
    theirs = transformers.BertForPreTraining(plain.config)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), theirs.parameters(), strict=True))


def test_special_tokens_of_a_config_are_those_of_the_tokenizer():
    tokenizer = SimpleNamespace(pad_token_id=0, cls_token_id=2, sep_token_id=3)
    ids = {kind: special_ids(SimpleNamespace(kind=kind), tokenizer) for kind in ("bert", "roberta", "modernbert")}
    assert ids["bert"] == {"pad_token_id": 0}
    assert ids["roberta"] == {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    assert ids["modernbert"] == ids["roberta"] | {"cls_token_id": 2, "sep_token_id": 3}
