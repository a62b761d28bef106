"""What both renderers of action units do before they draw: sound and identity become a code of each frame."""

import torch

from models.network import Network


class Fusing(Network):
    """Base of networks with `audio_to_units` (or None), `speech_encoder` and `temporal`; see models.au.ActionUnits."""

    def hear(self, mfcc):
        """What a moment of sound gives to the fusion.

        Args:
            mfcc: (N, columns, 12) float MFCC windows, time by coefficient.

        Returns:
            (N, D) float features: 512 of the speech at width 1, then 320 of the units where `unit_codes` is true.
        """
        return self._heard(mfcc)[0]

    def fuse(self, identity, features):
        """Codes of the frames of whole sequences.

        Args:
            identity: what `identify` gives of B faces; features: (B, T, D) float of `hear`, any T.

        Returns:
            (B, T, C) float. `temporal.margin` says how many frames on either side a code depends on.
        """
        person = identity.code[:, None].expand(-1, features.shape[1], -1)
        return self.temporal(torch.cat((person.to(features.dtype), features), 2))

    def _heard(self, mfcc):
        """Features (N, D), codes (N, 320) and logits (N, 5) of units; None for what the network does not have."""
        codes, logits = self.audio_to_units(mfcc) if self.audio_to_units is not None else (None, None)
        if self.speech_encoder is None:
            return None, codes, logits
        speech = self.speech_encoder(mfcc)
        return (speech if codes is None else torch.cat((speech, codes), 1)), codes, logits
