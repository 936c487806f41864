"""Distillation: a model learns from the outputs of a teacher besides the labels."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, mse_loss
from transformers import PreTrainedModel

from prune_utils.study.sections.arms import Teacher


def distance(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """T² KL(teacher ‖ student) of the outputs at temperature T, mean over examples, in nats; both of shape (examples, labels).

    Source: Hinton, Vinyals, Dean 2015 (arXiv:1503.02531), section 2. Of a regression, one output, the mean squared difference.
    """
    if logits.shape[1] == 1:
        return mse_loss(logits, wanted)
    ours, theirs = (log_softmax(each / temperature, dim=1) for each in (logits, wanted))
    return temperature**2 * kl_div(ours, theirs, reduction="batchmean", log_target=True)


def distilled(teacher: PreTrainedModel, how: Teacher) -> Callable[[PreTrainedModel, dict[str, Tensor]], Tensor]:
    """The loss of a model on a batch: (1 − share) of the labels' and `share` of the distance to a teacher's outputs.

    Of a model in pre-training, the outputs are the logits of the masked tokens.
    """
    teacher.eval().requires_grad_(False)

    def loss(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
        outputs = model(**inputs)
        key = "word_logits" if "word_logits" in outputs else "logits"
        with torch.no_grad():
            wanted = teacher.to(outputs.loss.device)(**inputs)[key]
        of_teacher = distance(outputs[key].float(), wanted.float(), how.temperature)
        return (1 - how.share) * outputs.loss + how.share * of_teacher

    return loss
