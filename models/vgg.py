"""VGG-19, whose features a perceptual loss compares.

The weights are those of torchvision's file, which does not come with the project.
"""

import torch
from torch import nn

from models.network import Network

CHANNELS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))  # a 2x2 maximum lies between the groups
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the pictures of ImageNet, as torchvision has them


class Vgg19(Network):
    """VGG-19 (arXiv 1409.1556) up to its 13th convolution, under the names of torchvision's file `vgg19-dcbb9e9d.pth`."""

    role = "VGG-19"
    sign = ("features.0.weight", "features.16.weight", "features.28.weight")
    unused = ("features.30.", "features.32.", "features.34.", "classifier.")
    colours = {"features.0.weight": 1}

    def __init__(self):
        super().__init__()
        layers, before, self.ends = [], 3, []
        for group in CHANNELS:
            layers += [nn.MaxPool2d(2)] if layers else []
            self.ends.append(len(layers) + 1)  # the first ReLU of the group
            for channels in group:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                before = channels
        self.features = nn.Sequential(*layers)

    def forward(self, faces):
        """Features of pictures.

        Args:
            faces: (N, 3, H, W) float in [0, 1] RGB, 16 pixels or more a side.

        Returns:
            tuple of five (N, C, H', W') float, not negative, after the first convolution of each group (relu1_1 to relu5_1):
            64, 128, 256, 512 and 512 channels at 1, 1/2, 1/4, 1/8 and 1/16 of the size.
        """
        means, deviations = (torch.tensor(one, dtype=faces.dtype, device=faces.device)[:, None, None]
                             for one in (MEANS, DEVIATIONS))  # fmt: skip
        x, found = (faces - means) / deviations, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.ends:
                found.append(x)
        return tuple(found)
