import torch
from transformers import BertForPreTraining

from prune_utils.data.masked_tokens import IGNORED


def test_loss_is_that_of_transformers_own_model(tiny_bert, tiny_batch):
    plain = BertForPreTraining(tiny_bert.config)
    plain.load_state_dict(tiny_bert.state_dict())
    plain.train(), tiny_bert.train()
    ours, theirs = tiny_bert(**tiny_batch).loss, plain(**tiny_batch).loss
    torch.testing.assert_close(ours, theirs)
    ours.backward(), theirs.backward()
    for (name, a), (_, b) in zip(tiny_bert.named_parameters(), plain.named_parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=name)


def test_evaluation_by_example_adds_up_to_the_loss(tiny_bert, tiny_batch):
    tiny_bert.eval()
    with torch.no_grad():
        out = tiny_bert(**tiny_batch)
    torch.testing.assert_close(out.mlm_nll.sum() / out.mlm_tokens.sum() + out.nsp_nll.mean(), out.loss)
    assert torch.equal(out.mlm_tokens, (tiny_batch["labels"] != IGNORED).sum(1))
    assert (out.mlm_correct <= out.mlm_tokens).all()
