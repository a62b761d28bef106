"""Networks made ready for inference: the same output in less time."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from models.blocks import ConvBlock, UpConvBlock
from models.winograd import Winograd


class FusedBlock(nn.Module):
    """A ConvBlock or UpConvBlock in eval mode, its batch norm folded into the convolution.

    (B, in, H, W) -> (B, out, H', W'), as the block that it is made from.
    """

    def __init__(self, block, winograd=True):
        super().__init__()
        conv, norm = block.conv_block
        up = isinstance(conv, nn.ConvTranspose2d)
        self.conv = fuse_conv_bn_eval(conv, norm, transpose=up)
        self.residual = not up and block.residual
        on_cpu = self.conv.weight.device.type == "cpu"
        possible = winograd and on_cpu and not up and Winograd.possible(self.conv)
        self.winograd = Winograd(self.conv) if possible else None

    def forward(self, x):
        if self.winograd is not None and self.winograd.pays(x):
            y = self.winograd(x, x if self.residual else None)
        else:
            y = self.conv(x)
            if self.residual:
                y = y.add_(x)
        return y.relu_()


def fuse_for_inference(model, *, winograd=True):
    """Return a copy of `model` for inference only: batch norms folded into the convolutions, maps stored channels last.

    On the CPU the wide 3x3 convolutions become Winograd's (`models.winograd`), so move the model to its device first. The
    original is left alone. The copy is in eval mode, its parameters take no gradient, and its outputs equal the original's in
    eval mode to 1e-4 or better. Its state dict has other names: save the original. Blocks without a norm stay as they are.

    Args:
        model: network of the Wav2Lip family.
        winograd: False where a gradient shall go through the copy to its input.
    """
    fused = copy.deepcopy(model).eval()
    for parent in list(fused.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ConvBlock | UpConvBlock):
                setattr(parent, name, FusedBlock(child, winograd))
    return fused.requires_grad_(False).to(memory_format=torch.channels_last)


class FusedConv(nn.Module):
    """A convolution with its batch norm folded in: Winograd's on the CPU, where that is possible and pays.

    Args:
        conv: nn.Conv2d or nn.ConvTranspose2d; norm: nn.BatchNorm2d, which follows it; both in eval mode.
    """

    def __init__(self, conv, norm):
        super().__init__()
        up = isinstance(conv, nn.ConvTranspose2d)
        self.conv = fuse_conv_bn_eval(conv, norm, transpose=up)
        possible = self.conv.weight.device.type == "cpu" and not up and Winograd.possible(self.conv)
        self.winograd = Winograd(self.conv) if possible else None

    def forward(self, x):
        """(B, in, H, W) -> (B, out, H', W'), as convolution and norm gave it."""
        return self.winograd(x) if self.winograd is not None and self.winograd.pays(x) else self.conv(x)


def fuse_named(model):
    """Return a copy of `model` for inference only in which each convolution NAME has taken in the batch norm NAME_bn.

    For networks that name their layers so and call one after the other (`models.davs`: identity encoder, decoder); other layers
    stay as they are. The original is left alone; outputs equal its own in eval mode to 1e-4 or better. Move the model to its
    device first. Maps are stored channels last.
    """
    fused = copy.deepcopy(model).eval()
    for parent in list(fused.modules()):
        for name, child in list(parent.named_children()):
            norm = getattr(parent, f"{name}_bn", None)
            if isinstance(child, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, FusedConv(child, norm))
                setattr(parent, f"{name}_bn", nn.Identity())
    return fused.requires_grad_(False).to(memory_format=torch.channels_last)


def fuse_sequences(model):
    """Return a copy of `model` for inference only with the batch norms of its `nn.Sequential` parts folded in.

    For networks that are plain sequences, or made of them (`models.syncnet_v2`, `models.au`). The original is left alone;
    outputs equal its own in eval mode to 1e-4 or better. Maps are stored channels last.
    """
    fused = copy.deepcopy(model).eval()
    for parent in list(fused.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Sequential):
                setattr(parent, name, _fused_sequence(child))
    return fused.requires_grad_(False)


def _with_norm(layer, norm):
    """A linear layer or a convolution, transposed or not, that has taken in the batch norm after it."""
    if isinstance(layer, nn.Linear):
        return fuse_linear_bn_eval(layer, norm)
    return fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))


def _fused_sequence(sequence):
    """nn.Sequential without its batch norms."""
    layers = []
    for layer in sequence:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            layer = _with_norm(layers.pop(), layer)
        layers.append(layer)
    whole = nn.Sequential(*layers)
    flat = all(parameter.dim() <= 4 for parameter in whole.parameters())
    return whole.to(memory_format=torch.channels_last) if flat else whole
