"""A batch on the device: what the loader shipped, and the fields that are derived of it."""

import torch


class Shipped:
    """Arrays that the loader shipped, as tensors, and what several fields derive from them alike.

    Args:
        tensors: dict of name -> (B, ...) tensor, all on one device.
        length: T, frames of a window.
        mask_top: share of the crop's height from which on `masked_face` is 0.
        options: dict of field -> dict of options.
    """

    def __init__(self, tensors, length, mask_top, options):
        self._tensors, self._pictures = tensors, {}
        self.length, self.mask_top, self.options = length, mask_top, options

    def __contains__(self, name):
        return name in self._tensors

    def __getitem__(self, name):
        return self._tensors[name]

    def pictures(self, name):
        """(B, n, S, S, 3) uint8 as shipped -> (B, n, 3, S, S) float32 in [0, 1], the item's gain and offset applied.

        The same arithmetic in the same order for every field; computed once for each name, so a caller must not write to it.
        """
        if name not in self._pictures:
            faces = self[name].movedim(-1, -3).to(torch.float32, memory_format=torch.contiguous_format)
            # by a tensor of the device: divided by a number, a GPU multiplies by the reciprocal, which rounds otherwise
            faces = faces.div_(torch.full((), 255.0, device=faces.device))
            if "colour" in self:
                gain, offset = self["colour"][:, :, None, :, None, None].unbind(1)
                faces = faces.mul_(gain).add_(offset).clamp_(0, 1)
            self._pictures[name] = faces
        return self._pictures[name]

    def held(self, tensor):
        """(B, 1, ...) of one frame -> (B, T, ...), the same all through the window."""
        return tensor.repeat_interleave(self.length, dim=1, output_size=self.length)
