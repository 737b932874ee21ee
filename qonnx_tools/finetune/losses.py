"""What training lessens: the divergence from a teacher's answers, and the cross entropy of the labels."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def loss_of(
    outputs: Tensor, teacher: Tensor | None, labels: Tensor | None, share: float, temperature: float = 1.0
) -> Tensor:
    """Return the mean loss of logits ``[N, classes]``; of other outputs the squared distance to the teacher's.

    Args:
        outputs: of the network that is trained.
        teacher: the teacher's outputs, where there is one.
        labels: classes ``[N]``, or shares of the first classes ``[N, some]``, where there are any.
        share: of the teacher in the loss; the labels have the rest.
        temperature: that logits are divided by before the teacher's are compared; gradients stay of one size.
    """
    if outputs.dim() != 2:
        if teacher is None:
            raise ValueError("outputs that are no logits need a teacher")
        scale = teacher.square().mean().clamp_min(torch.finfo(torch.float32).tiny)
        return F.mse_loss(outputs, teacher) / scale
    total = torch.zeros((), device=outputs.device)
    if teacher is not None and share > 0:
        ours, theirs = (F.log_softmax(logits / temperature, 1) for logits in (outputs, teacher))
        divergence = F.kl_div(ours, theirs, log_target=True, reduction="batchmean")
        total = total + share * temperature**2 * divergence
    if labels is not None and share < 1:
        known = labels if labels.dim() == 1 else F.pad(labels, (0, outputs.shape[1] - labels.shape[1]))
        total = total + (1 - share) * F.cross_entropy(outputs, known)
    return total
