"""Batch norm over the batches of all processes, so that n processes learn what one with n times the batch would."""

import torch
import torch.distributed as dist
from torch import nn


class GroupBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d whose training statistics are those of all processes; on any device (torch's SyncBatchNorm wants a GPU).

    Every process must hold equally many values.
    """

    def forward(self, x):
        """(B, C, H, W) -> (B, C, H, W)."""
        if not self.training or dist.get_world_size() == 1:
            return super().forward(x)
        count = x.numel() // x.shape[1] * dist.get_world_size()
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = _SumOverGroup.apply(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _SumOverGroup.apply(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(1, count - 1)), self.momentum)
        scale = torch.rsqrt(variance + self.eps)
        if not self.affine:
            return (centred * scale[:, None, None]).to(x.dtype)
        return (centred * (self.weight * scale)[:, None, None] + self.bias[:, None, None]).to(x.dtype)


class _SumOverGroup(torch.autograd.Function):
    """Sum over the processes; what flows back is summed as well, for each process's loss depends on everybody's values."""

    @staticmethod
    def forward(ctx, values):
        values = values.clone()
        dist.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient


def share_batch_norm(module, device):
    """`module` with its batch norms over all processes: torch's own on GPUs, ours elsewhere; names and values stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for part in module.modules():
        if type(part) is nn.BatchNorm2d:
            part.__class__ = GroupBatchNorm
    return module
