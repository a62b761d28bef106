"""Spatial modules as an input of the generator: the C + P of the pipeline picture (docs/methods.md, eq. (40); inferred).

Of the *reference* face alone. Modules of the target would show the generator the mouth that it must make up from the sound.
"""

import torch
from torch import nn

from faces.texture import most_modules


def module_maps(pictures, labels, most=None):
    """Mean colour and centre of each pixel's module, spread over the module; no loop over modules.

    Args:
        pictures: (N, C, H, W) float.
        labels: (N, H, W) int64, 0 or more; a label counts within its own picture.
        most: all labels are below it; None looks for the greatest, which waits for the device.

    Returns:
        colour (N, C, H, W) of the pictures' dtype: mean of the pixel's module. position (N, 2, H, W), the same dtype: x and y
        of the module's centre in [-1, 1], the outermost pixels' middles at -1 and 1 (0 where the picture is one pixel wide).
    """
    count, channels, height, width = pictures.shape
    flat = labels.reshape(count, 1, height * width)
    modules = int(labels.max()) + 1 if most is None else most
    x = torch.linspace(-1, 1, width, device=pictures.device) if width > 1 else torch.zeros(1, device=pictures.device)
    y = torch.linspace(-1, 1, height, device=pictures.device) if height > 1 else torch.zeros(1, device=pictures.device)
    places = torch.stack((x.expand(height, width), y[:, None].expand(height, width))).expand(count, 2, height, width)
    values = torch.cat((pictures.float(), places, torch.ones_like(places[:, :1])), dim=1).flatten(2)
    sums = values.new_zeros((count, channels + 3, modules))
    sums = sums.scatter_add(2, flat.expand(-1, channels + 3, -1), values)
    means = sums[:, :-1] / sums[:, -1:].clamp_min(1)
    spread = means.gather(2, flat.expand(-1, channels + 2, -1)).unflatten(2, (height, width)).to(pictures.dtype)
    return spread[:, :channels], spread[:, channels:]


class SpatialInput(nn.Module):
    """C and P, each through a 1x1 convolution, added to the first map of the face encoder (docs/methods.md, eq. (40)).

    Added to that map and not appended to the encoder's input (ours): no weight of the network changes its shape, so that an old
    checkpoint can be taught on with it, and the sum reaches the last stage of the decoder through the skip connection of full
    size, where texture is made. The convolutions begin at 0, where the input changes nothing.

    Args:
        channels: of the face encoder's first map.

    Attributes:
        most: labels of modules are below it (faces.texture.most_modules).
    """

    def __init__(self, channels):
        super().__init__()
        self.most = most_modules()
        self.colour = nn.Conv2d(3, channels, kernel_size=1, bias=False)
        self.position = nn.Conv2d(2, channels, kernel_size=1, bias=False)
        nn.init.zeros_(self.colour.weight)
        nn.init.zeros_(self.position.weight)

    def forward(self, references, modules):
        """What is added to the first map.

        Args:
            references: (N, 3, S, S) float in [0, 1].
            modules: (N, S, S) int64 labels of the references' modules.

        Returns:
            (N, channels, S, S) of the references' dtype.
        """
        colour, position = module_maps(references, modules, self.most)
        return self.colour(colour) + self.position(position)
