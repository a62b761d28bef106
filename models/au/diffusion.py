"""Speech action units: the renderer by latent diffusion, after the published code of 2024, with a condition that steers it.

The published code draws the key and value projections of its attention anew at every call and never trains them. Its condition
is one token a frame, over which a softmax is always 1. Here the projections are weights of diffusers' UNet. The condition of a
frame is made of the codes of five frames around it, each with a learned place (ours).
"""

from typing import NamedTuple

import torch

from models.au.autoencoder import CODES, DEPTH, LEAST_CODES, MOST_CODES, MOST_DEPTH, Autoencoder
from models.au.autoencoder import MIN_WIDTH as LEAST_WIDTH
from models.au.faces import IdentityEncoder
from models.au.fusing import Fusing
from models.au.network import FACE_SIZES, MAX_WIDTH, MIN_WIDTH
from models.au.noising import PREDICTS, SEED, STEPS, draw_noise, draw_steps, fixed_generator, noised, sample, wanted_of
from models.au.sound import COLUMNS, LEAST_COLUMNS, MOST_COLUMNS, UNIT_CODE, AudioToUnits, SpeechEncoder
from models.au.temporal import ATTENTION, TEMPORAL, Temporal
from models.au.unet import REACH, Unet
from models.blocks import check_choice, check_flag, check_whole, check_width

DDIM_STEPS = 20  # published: 200
SHOWN, SHOWN_STEPS = 8, 10  # faces and steps of the pictures of a validation
_PARTS = ("audio_to_units", "identity_encoder", "speech_encoder", "temporal", "autoencoder", "unet")


class Person(NamedTuple):
    """What the network takes from N pictures of people.

    Attributes:
        code: (N, 512) float at width 1, for the fusion; latents: (N, 3, S / 4, S / 4) float, for the UNet.
    """

    code: torch.Tensor
    latents: torch.Tensor


class ActionUnitsDiffusion(Fusing):
    """The renderer by latent diffusion.

    The parts audio_to_units, identity_encoder, speech_encoder and temporal are those of the stage "fusion" of
    models.au.ActionUnits, so that they can begin from its checkpoint. The autoencoder never learns here; it comes from a
    checkpoint of FaceAutoencoder. The UNet sees the frame without its lower half, the identity picture and the condition. The
    published mask is a polygon along the jaw, whose form tells how far the jaw is open; ours tells nothing of it.

    Args:
        face_size: S, 96, 112 (published) or 128; width: of the parts of the fusion, 0.125 to 1; columns, temporal, attention,
            unit_codes: as of ActionUnits.
        unet_width: 0.0625 to 1; autoencoder_width, codes: as of FaceAutoencoder; depth: residual blocks a level of both.
        frames: how many frames of a window are noised in a training step; the others are heard alone (ours).
        predicts: "noise" (published) or "velocity" (ours).
        shuffled: a control: in training each token is the code of a random frame of the window. What is drawn hears in order.
        steps: of DDIM, 1 to 1000.

    Raises:
        InputError: a value that is not possible, or diffusers is not installed.
    """

    role = "a diffusion renderer of action units"
    begins = ("autoencoder",)
    needs = ("mfcc", "identity_face", "face", "masked_face")
    gives = ("noise_predicted", "noise", "noised_frames", "fused_codes")

    def __init__(self, face_size=112, width=1.0, columns=COLUMNS, temporal="tcsan", attention="features", unit_codes=True,
                 unet_width=1.0, autoencoder_width=1.0, codes=CODES, depth=DEPTH, frames=4, predicts="noise", shuffled=False,
                 steps=DDIM_STEPS):  # fmt: skip
        super().__init__()
        check_choice(face_size, "face_size", FACE_SIZES)
        check_width(width, "width", MIN_WIDTH, MAX_WIDTH)
        check_whole(columns, "columns", LEAST_COLUMNS, MOST_COLUMNS)
        check_choice(temporal, "temporal", TEMPORAL)
        check_choice(attention, "attention", ATTENTION)
        check_flag(unit_codes, "unit_codes")
        check_width(unet_width, "unet_width", LEAST_WIDTH, MAX_WIDTH)
        check_width(autoencoder_width, "autoencoder_width", LEAST_WIDTH, MAX_WIDTH)
        check_whole(codes, "codes", LEAST_CODES, MOST_CODES)
        check_whole(depth, "depth", 1, MOST_DEPTH)
        check_whole(frames, "frames", 1, STEPS)
        check_choice(predicts, "predicts", PREDICTS)
        check_flag(shuffled, "shuffled")
        check_whole(steps, "steps", 1, STEPS)
        self.face_size, self.width, self.columns = face_size, width, columns
        self.frames, self.predicts, self.shuffled, self.steps = frames, predicts, shuffled, steps
        self.audio_to_units = AudioToUnits(columns, width, 0.0) if unit_codes else None
        self.identity_encoder, self.speech_encoder = IdentityEncoder(face_size, width), SpeechEncoder(columns, width)
        features = self.identity_encoder.code.out_features + self.speech_encoder.second.out_features
        features += UNIT_CODE * len(self.audio_to_units.nets) if unit_codes else 0
        self.temporal = Temporal(features, temporal, attention, width)
        self.autoencoder = Autoencoder(autoencoder_width, codes, depth).requires_grad_(False)
        self.unet = Unet(self.temporal.channels, unet_width, depth)

    def train(self, mode=True):
        """The autoencoder stays as it is, its batch norm, too."""
        super().train(mode)
        self.autoencoder.eval()
        return self

    def parts(self):
        """See models.network.Network."""
        return {name: (name,) for name in _PARTS if getattr(self, name) is not None}

    def field_options(self):
        """See models.network.Network: windows of sound have their middle in that of the frame."""
        return {"mfcc": {"columns": self.columns, "place": "centred"}}

    def identify(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> Person."""
        return Person(self.identity_encoder(faces).code, self.see(faces))

    @torch.no_grad()
    def see(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> latents (N, 3, S / 4, S / 4) float."""
        return self.autoencoder.encode(faces)

    def around(self, places):
        """list of n places in frames -> n lists of five places, those of the tokens of its condition; they may lie outside."""
        return [[place + offset for offset in range(-REACH, REACH + 1)] for place in places]

    def conditions(self, codes):
        """Tokens of all frames of clips: (B, T, C) float of `fuse` -> (B, T, 5, C); beyond an end its frame is repeated."""
        return codes[:, self._near(torch.arange(codes.shape[1], device=codes.device), codes.shape[1])]

    def paint(self, person, masked, tokens, steps=None, seed=SEED):
        """Faces by DDIM, in any order; a frame does not depend on the others of the call.

        All frames begin from the same noise, so that what differs from frame to frame is what the condition and the frame say.

        Args:
            person: Person of N pictures, or of one, which then serves all; masked: (N, 3, S, S) or (1, 3, S, S) float in
                [0, 1] RGB, the lower part 0 as in training; tokens: (N, 5, C) float of `conditions`; steps: of DDIM, None: the
                network's own; seed: of the noise.

        Returns:
            (N, 3, S, S) float32 in [0, 1] RGB.
        """
        seen, beside = (one.expand(len(tokens), -1, -1, -1) for one in (self.see(masked), person.latents))
        start = draw_noise((1, *seen.shape[1:]), False, seen.device, seed).expand(seen.shape)
        found = sample(lambda latents, step: self.unet(latents, step, seen, beside, tokens), start, steps or self.steps,
                       self.predicts)  # fmt: skip
        return self.autoencoder.draw(found)

    def draw(self, person, features, masked, steps=None, seed=SEED):
        """Faces of one clip: Person of one picture, (T, D) float of `hear`, (T, 3, S, S) masked frames; see `paint`."""
        return self.paint(person, masked, self.conditions(self.fuse(person, features[None]))[0], steps, seed)

    def forward(self, batch):
        """Training, on windows of T frames of which `frames` are noised, all at a step of their own.

        Args:
            batch: `mfcc` (B, T, columns, 12), `identity_face` (B, 3, S, S), `face` and `masked_face` (B, T, 3, S, S).

        Returns:
            dict: noise_predicted, noise (B, F, 3, S / 4, S / 4) float, what the network says and what is right (`predicts`);
            noised_frames (B, F) int64, numbers of the frames; fused_codes (B, T, C) float.
        """
        items, length = batch["mfcc"].shape[:2]
        person = self.identify(batch["identity_face"])
        codes = self.fuse(person, self.hear(batch["mfcc"].flatten(0, 1)).unflatten(0, (items, length)))
        frames = self._some(items, length, codes.device)
        rows = torch.arange(items, device=codes.device)[:, None]
        faces, masked = (self.see(batch[name][rows, frames].flatten(0, 1)).float() for name in ("face", "masked_face"))
        beside = person.latents.repeat_interleave(frames.shape[1], 0, output_size=len(faces))
        found, wanted = self.denoise(faces, masked, beside, codes, frames)
        return {"noise_predicted": found.unflatten(0, frames.shape), "noise": wanted.unflatten(0, frames.shape),
                "noised_frames": frames, "fused_codes": codes}  # fmt: skip

    def denoise(self, faces, masked, person, codes, frames):
        """Noise latents of some frames of windows, each at a step of its own, and let the UNet say what was added.

        Args:
            faces, masked, person: (B * F, 3, h, w) float latents; codes: (B, T, C) float; frames: (B, F) int64.

        Returns:
            (B * F, 3, h, w) float: what the UNet says; likewise: what is right.
        """
        near, length = self._near(frames, codes.shape[1]), codes.shape[1]
        if self.shuffled:
            near = self._random(near.shape, length, codes.device)
        tokens = codes[torch.arange(len(codes), device=codes.device)[:, None, None], near].flatten(0, 1)
        steps = draw_steps(len(faces), self.training, faces.device)
        noise = draw_noise(faces.shape, self.training, faces.device)
        found = self.unet(noised(faces, noise, steps), steps, masked, person, tokens)
        return found, wanted_of(self.predicts, faces, noise, steps)

    def pictured(self, outputs):
        """See models.network.Network."""
        return outputs["fused_codes"].shape[1] // 2

    @torch.no_grad()
    def pictures(self, outputs, batch):
        """See models.network.Network; the middle frames of the first windows, by 10 steps of DDIM."""
        middle = self.pictured(outputs)
        rows = {"input": batch["masked_face"][:SHOWN, middle], "reference": batch["identity_face"][:SHOWN],
                "real": batch["face"][:SHOWN, middle]}  # fmt: skip
        tokens = self.conditions(outputs["fused_codes"][:SHOWN].float())[:, middle]
        rows["generated"] = self.paint(self.identify(rows["reference"]), rows["input"], tokens, SHOWN_STEPS)
        return {name: rows[name] for name in ("input", "reference", "generated", "real")}

    def _near(self, frames, length):
        """(...) int64 numbers of frames -> (..., 5), of those around them."""
        offsets = torch.arange(-REACH, REACH + 1, device=frames.device)
        return (frames[..., None] + offsets).clamp(0, length - 1)

    def _some(self, items, length, device):
        """(B, F) int64: which frames of a window are noised; random in training, else evenly spread."""
        count = min(self.frames, length)
        if not self.training:
            return ((torch.arange(count, device=device) + 0.5) * length / count).long().expand(items, -1)
        return torch.rand(items, length, device=device).argsort(1)[:, :count].sort(1).values

    def _random(self, shape, length, device):
        """int64 random numbers of frames; outside training always the same."""
        if self.training:
            return torch.randint(0, length, shape, device=device)
        return torch.randint(0, length, shape, generator=fixed_generator()).to(device)
