import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prune_utils.pruning.stored import packed, save_masks, unpacked
from prune_utils.study.files import whole_file


@given(st.lists(st.integers(0, 9), max_size=3), st.integers(-3, 3).filter(bool))
def test_a_packed_mask_has_the_bytes_of_its_shape(shape, other):
    bits = packed(torch.ones(shape, dtype=torch.bool))
    assert unpacked(bits, shape).shape == torch.Size(shape) and unpacked(bits, shape).all()
    with pytest.raises(ValueError, match="takes"):
        unpacked(torch.zeros(max(len(bits) + other, 0) or len(bits) + 1, dtype=torch.uint8), shape)


def test_a_file_is_whole_or_absent(tmp_path):
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a" / "file") as unfinished:
        save_masks({}, unfinished)
        raise RuntimeError
    assert not list((tmp_path / "a").iterdir())
