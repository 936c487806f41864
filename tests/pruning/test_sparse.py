import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from prune_utils.inside.disk import sizes_frame
from prune_utils.pruning.checkpoints import load_checkpoint, save_checkpoint
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import apply_masks, prunable_matrices
from prune_utils.pruning.sparse import FORMAT, identical, load_sparse, save_sparse, write_sparse
from prune_utils.pruning.stored import MASKS
from prune_utils.study import paths
from prune_utils.study.params import load_study
from prune_utils.study.paths import WEIGHTS
from prune_utils.study.section import ParamsError
from prune_utils.training.modeling import MaskedBert

SMOKE = load_study(paths.PARAMS / "smoke.yaml")
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64]


class Tokenizer:
    def save_pretrained(self, folder):
        pass


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sparse.safetensors"


@pytest.fixture
def checkpoint(tiny_bert, tmp_path):
    """A function: the folder of a tiny BERT pruned to a sparsity."""

    def make(sparsity, folder=None):
        masks = magnitude_masks(prunable_matrices(tiny_bert), sparsity)
        apply_masks(tiny_bert, masks)
        folder = folder or tmp_path / "checkpoint"
        save_checkpoint(tiny_bert, masks, sparsity, folder, Tokenizer())
        return folder

    return make


@st.composite
def matrices(draw):
    """Any bits at all, NaN with payload and negative zeros among them, and a mask that need not fit them."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 9), max_size=3))
    size = int(np.prod(shape)) * torch.empty((), dtype=dtype).element_size()
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight = torch.frombuffer(bytearray(random.bytes(size)), dtype=dtype) if size else torch.empty(0, dtype=dtype)
    weight, share = weight.view(shape), draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    mask = torch.from_numpy(np.asarray(random.random(shape) < share))
    zero = draw(st.sampled_from([0.0, -0.0, None]))  # None: the mask is not applied
    return weight if zero is None else torch.where(mask, weight, torch.tensor(zero).to(dtype)), mask


@settings(max_examples=60)
@given(st.lists(matrices(), max_size=3))
def test_every_bit_comes_back(tmp_path_factory, made):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    weights = {f"w{i}": weight for i, (weight, _) in enumerate(made)}
    write_sparse(weights, {f"w{i}": mask for i, (_, mask) in enumerate(made)}, path)
    assert identical(load_sparse(path), weights)


def test_one_bit_is_a_difference():
    zeros = torch.zeros(3)
    assert identical({"w": zeros}, {"w": zeros.clone()})
    for other in (-zeros, zeros.view(3, 1), zeros.double()):
        assert not identical({"w": zeros}, {"w": other})
    assert not identical({"w": zeros}, {})


def test_bytes_worked_by_hand(path):
    weight = torch.zeros(16, 16)
    weight[3, 4:6] = torch.tensor([7.0, -0.0])
    write_sparse({"w": weight, "bias": torch.ones(5)}, {"w": weight.view(torch.int32) != 0}, path)
    stored = load_file(path)
    assert {name: part.nbytes for name, part in stored.items()} == {"w#mask": 256 // 8, "w#kept": 2 * 4, "bias": 5 * 4}
    assert stored["w#kept"][0] == 7 and stored["w#kept"][1].signbit()


def test_what_would_be_larger_stays_dense(path):
    # of 32 bits a mask takes one: above 31 of 32 kept there is nothing to win
    for zeros, names in ((8, {"w"}), (9, {"w#mask", "w#kept"})):
        weight = torch.arange(256.0) + 1
        weight[:zeros] = 0
        write_sparse({"w": weight}, {"w": weight != 0}, path)
        assert set(load_file(path)) == names
        assert torch.equal(load_sparse(path)["w"], weight)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
def test_a_checkpoint_comes_back_and_makes_the_same_model(checkpoint, sparsity, tiny_batch, tmp_path, path):
    folder = checkpoint(sparsity)
    save_sparse(folder, path)
    weights = load_sparse(path)
    assert identical(weights, load_file(folder / WEIGHTS))
    assert ("bert.embeddings.word_embeddings.weight#mask" in load_file(path)) == (sparsity > 0)
    (folder / WEIGHTS).unlink()
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    model = load_checkpoint(MaskedBert, folder, sparsity)[0].eval()
    assert np.isfinite(model(**tiny_batch).loss.item()) and AutoModel.from_pretrained(folder)


def test_a_decoder_stored_beside_its_embeddings_comes_back_too(checkpoint, path):
    folder = checkpoint(0.9)
    weights = load_file(folder / WEIGHTS)
    weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"].clone()
    save_file(weights, folder / WEIGHTS)
    save_sparse(folder, path)
    assert identical(load_sparse(path), weights)


def test_what_is_pruned_is_stored_without_a_sign(checkpoint):
    weights = load_file(checkpoint(0.5) / WEIGHTS)
    words = weights["bert.embeddings.word_embeddings.weight"]
    assert (words == 0).any() and not words[words == 0].signbit().any()


def test_sizes_are_those_of_the_files(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path)
    for sparsity in SMOKE.grid.sparsities:
        checkpoint(sparsity, paths.pretraining("smoke", "gradual", sparsity, 0) / paths.CHECKPOINT)
    frame = sizes_frame(SMOKE)
    columns = ["seed", "sparsity", "dense_bytes", "sparse_bytes", "format", "dense_file", "sparse_file"]
    assert list(frame.columns) == columns
    assert list(frame.sparsity) == [0.0, 0.6, 0.9] and set(frame.seed) == {0} and set(frame.format) == {FORMAT}
    for row in frame.itertuples():
        assert row.dense_bytes == (paths.results("smoke") / row.dense_file).stat().st_size
        assert row.sparse_bytes == (paths.results("smoke") / row.sparse_file).stat().st_size
    assert frame.dense_bytes.nunique() == 1 and frame.sparse_bytes.is_monotonic_decreasing
    again = sizes_frame(SMOKE, [0])
    assert again.equals(frame)
    assert {file.name for file in (paths.inside("smoke") / "sparse/seed-0").iterdir()} == {
        f"sparsity-{percent}.safetensors" for percent in ("00", "60", "90")
    }


def test_a_file_that_does_not_give_back_its_checkpoint_is_an_error(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path)
    checkpoint(0.0, paths.pretraining("smoke", "gradual", 0.0, 0) / paths.CHECKPOINT)
    monkeypatch.setattr("prune_utils.inside.disk.load_sparse", lambda path: {})
    with pytest.raises(ParamsError, match="does not reproduce"):
        sizes_frame(SMOKE)


def test_faults_are_said(checkpoint, tmp_path, path):
    folder = checkpoint(0.9)
    with pytest.raises(ParamsError, match="cannot be read"):
        load_sparse(tmp_path / "none.safetensors")
    with pytest.raises(ParamsError, match="has format 'pt', expected 'bit mask and kept values'"):
        load_sparse(folder / WEIGHTS)
    save_sparse(folder, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    with pytest.raises(ParamsError, match="cannot be read"):
        load_sparse(path)
    broken, name = load_file(folder / WEIGHTS), "bert.pooler.dense.weight"
    write_sparse(broken, {name: broken[name] != 0}, path)
    stored = load_file(path)
    stored[f"{name}#kept"] = stored[f"{name}#kept"][1:].clone()
    save_file(stored, path, metadata={"format": FORMAT, "shapes": f'{{"{name}": [16, 16]}}'})
    with pytest.raises(ParamsError, match=f"mask of {name} keeps 26 weights, but 25 are stored"):
        load_sparse(path)
    (folder / MASKS).unlink()
    with pytest.raises(ParamsError, match=MASKS):
        save_sparse(folder, path)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda parts, metadata: parts.pop("w#mask"), "has no tensor w#mask"),
        (lambda parts, metadata: parts.pop("w#kept"), "has no tensor w#kept"),
        (lambda parts, metadata: metadata.pop("shapes"), "has no 'shapes'"),
        (
            lambda parts, metadata: parts.update({"w#mask": parts["w#mask"][:-1]}),
            "mask of w does not match its shape: .* takes 32 bytes, got 31",
        ),
        (
            lambda parts, metadata: metadata.update(shapes='{"w": [8, 16]}'),
            "mask of w does not match its shape: .* takes 16 bytes, got 32",
        ),
    ],
)
def test_a_part_that_is_missing_or_too_short_is_said(path, fault, said):
    weight = torch.zeros(16, 16)
    weight[0, 0] = 1  # what a mask cut short leaves out is not kept, so that the counts agree
    write_sparse({"w": weight}, {"w": weight != 0}, path)
    parts, metadata = load_file(path), {"format": FORMAT, "shapes": '{"w": [16, 16]}'}
    fault(parts, metadata)
    save_file(parts, path, metadata=metadata)
    with pytest.raises(ParamsError, match=said):
        load_sparse(path)


@pytest.mark.slow
def test_reading_sparse_weights_needs_no_transformers():
    code = "import sys, prune_utils.pruning.sparse; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
