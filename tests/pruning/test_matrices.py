import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, BertForPreTraining

from prune_utils.pruning.checkpoints import all_kept, load_checkpoint, save_checkpoint
from prune_utils.pruning.masks import magnitude_mask
from prune_utils.pruning.matrices import apply_masks, check_zeros, prunable_matrices, sparsities
from prune_utils.pruning.patterns import SparsityMismatch
from prune_utils.pruning.stored import MASKS, load_masks, save_masks
from prune_utils.study.section import ParamsError
from prune_utils.training.modeling import MaskedBert


def masks_at(model, sparsity):
    return {name: magnitude_mask(p, sparsity) for name, p in prunable_matrices(model).items()}


def test_bert_base_has_the_papers_74_matrices():
    with torch.device("meta"):
        model = BertForPreTraining(BertConfig())
    model.tie_weights()
    matrices = prunable_matrices(model)
    assert len(matrices) == 74
    assert sum(p.numel() for p in matrices.values()) == 108_965_376


def test_only_weight_matrices_words_and_pooler_are_pruned(tiny_bert):
    names = set(prunable_matrices(tiny_bert))
    layers = {
        f"encoder.layer.{i}.{part}.weight"
        for i in range(2)
        for part in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "intermediate.dense",
            "output.dense",
        )
    }
    assert names == layers | {"embeddings.word_embeddings.weight", "pooler.dense.weight"}


def test_names_are_those_of_the_same_encoder_under_another_head(tiny_bert):
    classifier = AutoModelForSequenceClassification.from_config(tiny_bert.config)
    assert set(prunable_matrices(classifier)) == set(prunable_matrices(tiny_bert))


def test_pruning_the_words_prunes_the_tied_decoder(tiny_bert):
    apply_masks(tiny_bert, masks_at(tiny_bert, 0.5))
    decoder = tiny_bert.get_output_embeddings().weight
    assert decoder is tiny_bert.get_input_embeddings().weight
    assert int((decoder == 0).sum()) == round(0.5 * decoder.numel())


def test_an_untied_decoder_is_refused(tiny_bert):
    tiny_bert.cls.predictions.decoder.weight = torch.nn.Parameter(torch.randn(40, 16))
    with pytest.raises(ValueError, match="not tied"):
        prunable_matrices(tiny_bert)


def test_a_pruned_weight_that_is_not_zero_is_found(tiny_bert):
    masks = masks_at(tiny_bert, 0.5)
    apply_masks(tiny_bert, masks)
    assert check_zeros(tiny_bert, masks) == pytest.approx(0.5, abs=1e-3)
    name, parameter = next(iter(prunable_matrices(tiny_bert).items()))
    with torch.no_grad():
        parameter[(~masks[name]).nonzero()[0].unbind()] = 1e-9
    with pytest.raises(SparsityMismatch, match=f"1 pruned weights are not zero, 1 of them in {name}"):
        check_zeros(tiny_bert, masks)


def test_a_mask_without_its_matrix_is_found(tiny_bert):
    masks = masks_at(tiny_bert, 0.5)
    del masks["pooler.dense.weight"]
    with pytest.raises(SparsityMismatch, match="pooler.dense.weight"):
        check_zeros(tiny_bert, masks)


def test_every_denominator_is_measured(tiny_bert):
    apply_masks(tiny_bert, masks_at(tiny_bert, 0.5))
    measured = sparsities(tiny_bert)
    assert measured["prunable"] == pytest.approx(0.5, abs=1e-3)
    assert measured["encoder"] == pytest.approx(0.5, abs=1e-3)
    assert 0 < measured["whole_model"] < 0.55


def test_masks_take_an_eighth_of_a_byte_a_weight_and_come_back(tmp_path):
    masks = {"odd": torch.rand(7, 13) < 0.5, "large": torch.rand(512, 512) < 0.5}
    save_masks(masks, tmp_path / MASKS)
    assert (tmp_path / MASKS).stat().st_size < 512 * 512 / 8 + 1000
    loaded = load_masks(tmp_path / MASKS)
    assert loaded.keys() == masks.keys() and all(torch.equal(loaded[n], masks[n]) for n in masks)


def test_a_checkpoint_is_an_ordinary_folder_with_its_zeros(tiny_bert, tmp_path, words):
    masks = masks_at(tiny_bert, 0.3)
    with torch.no_grad():  # a kept weight may be exactly zero: the mask, not the value, says what was pruned
        first = tiny_bert.bert.pooler.dense.weight
        first[masks["pooler.dense.weight"].nonzero()[0].unbind()] = 0.0
    apply_masks(tiny_bert, masks)
    realised = save_checkpoint(tiny_bert, masks, 0.3, tmp_path / "model", words)
    assert realised == pytest.approx(0.3, abs=1e-3)
    model, loaded, again = load_checkpoint(MaskedBert, tmp_path / "model", 0.3)
    assert again == realised and all(torch.equal(loaded[n], masks[n]) for n in masks)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    plain = BertForPreTraining.from_pretrained(tmp_path / "model")
    assert torch.equal(plain.bert.pooler.dense.weight, first)
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_a_checkpoint_whose_zeros_are_not_its_masks_is_not_left_behind(tiny_bert, tmp_path, words):
    with pytest.raises(SparsityMismatch):
        save_checkpoint(tiny_bert, masks_at(tiny_bert, 0.5), 0.5, tmp_path / "model", words)
    assert not list(tmp_path.iterdir())


def test_a_mask_of_another_sparsity_than_asked_for_is_found(tiny_bert, tmp_path, words):
    masks = masks_at(tiny_bert, 0.5)
    apply_masks(tiny_bert, masks)
    assert check_zeros(tiny_bert, masks, 0.5) == pytest.approx(0.5, abs=1e-3)
    name = "pooler.dense.weight"
    masks[name] = magnitude_mask(tiny_bert.bert.pooler.dense.weight, 127 / 256)  # one weight less
    with pytest.raises(
        SparsityMismatch, match=f"{name} has 127 of 256 weights pruned; a sparsity of 50 % requires 128"
    ):
        check_zeros(tiny_bert, masks, 0.5)
    with pytest.raises(SparsityMismatch):
        save_checkpoint(tiny_bert, masks, 0.5, tmp_path / "model", words)


def test_a_dense_model_keeps_everything(tiny_bert):
    assert check_zeros(tiny_bert, all_kept(tiny_bert)) == 0.0


@pytest.mark.parametrize("name", ["model.safetensors", "masks.safetensors", "config.json"])
def test_a_truncated_checkpoint_names_itself_and_the_remedy(tiny_bert, words, tmp_path, name):
    save_checkpoint(tiny_bert, all_kept(tiny_bert), 0.0, tmp_path / "run" / "model", words)
    file = tmp_path / "run" / "model" / name
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ParamsError, match="model cannot be read as a checkpoint .*; delete .*run to train it again"):
        load_checkpoint(type(tiny_bert), tmp_path / "run" / "model", 0.0)
