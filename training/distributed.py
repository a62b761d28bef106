"""Several processes that train one network, started by `torchrun` or `accelerate launch`: the same script, nothing home-made.

Each process takes its own share of the items of a step; torch's DistributedDataParallel averages the gradients. The first
process alone validates, logs and writes files.
"""

import os

import torch
import torch.distributed as dist


class Group:
    """The processes of this run; a single one unless a launcher has set WORLD_SIZE.

    Attributes:
        rank: number of this process, 0 for the first.
        size: how many there are.
    """

    def __init__(self, rank=0, size=1):
        self.rank, self.size = rank, size

    @staticmethod
    def join(device_name):
        """Join the group that the launcher's environment names.

        Args:
            device_name: "auto", "cpu", "cuda", ...; with CUDA each process takes the GPU of its local rank.

        Returns:
            Group, name of the device of this process.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return Group(), device_name
        cuda = torch.cuda.is_available() and device_name in ("auto", "cuda")
        if not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo")
        return Group(dist.get_rank(), size), f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else device_name

    @property
    def first(self):
        """True in the process that logs and writes."""
        return self.rank == 0

    def wrap(self, model):
        """The network whose backward pass averages gradients over the group."""
        if self.size == 1:
            return model
        return torch.nn.parallel.DistributedDataParallel(model, device_ids=None)

    def share(self, value):
        """The first process's `value`, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]
