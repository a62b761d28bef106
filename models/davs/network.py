"""DAVS: a talking face from one picture of a person, driven by sound or by another face (arXiv 1807.07860).

One space of speech codes for sound and lips, one of identity codes, and a decoder that draws from both. Stages add parts:

    words         audio_encoder, video_encoder, word_classifier
    disentangle   and identity_encoder, and a person_classifier where `people` is not 0
    generate      and decoder

With `face_size` 256 and `width` 1 every part has the published names and shapes; layers that the public code makes and never
uses are left out.
"""

import torch
from torch import nn

from common.errors import InputError
from models.blocks import check_share, check_whole
from models.davs.classifiers import PersonClassifier, WordClassifier
from models.davs.decoder import Decoder
from models.davs.frames import each_frame, span
from models.davs.identity import Identity, IdentityEncoder
from models.davs.levels import Levels
from models.davs.speech import CODE, AudioSpeechEncoder, VideoSpeechEncoder
from models.network import Network

STAGES = ("words", "disentangle", "generate")
FACE_SIZES = (64, 96, 128, 192, 256)
MIN_WIDTH, MAX_WIDTH = 0.125, 1.0
LEVELS = (3, 255)
_PARTS = ("audio_encoder", "video_encoder", "word_classifier", "identity_encoder", "person_classifier", "decoder")


class Davs(Network):
    """The networks of DAVS that are kept after training; the adversaries of its losses are modules of their own.

    Args:
        face_size: S, 64, 96, 128, 192 or 256. Other sizes than 256 have the same geometry (ours).
        width: 0.125 to 1, multiplies the channels and the length D of the codes, which is 256 at width 1.
        words: classes of the word classifier.
        people: classes of the person classifier; 0: there is none. It stands for the published training of the identity encoder
            as a face recogniser (ours).
        stage: "words", "disentangle" or "generate".
        speech_frames, speech_stride: N frames that the word classifier hears, and the step from one to the next.
        drawn_frames: K consecutive ones of them that are drawn in training.
        identity_frames, identity_stride: M frames whose identity is asked for in training.
        dropout: share of the numbers of a code that are set to 0 before the word classifier in training (ours).
        identity_levels, speech_levels: levels of each number of an identity code and of a speech code, odd, 3 to 255; None:
            codes are not rounded, as published. See models.davs.levels.Levels (ours).

    Raises:
        InputError: a value that is not possible.
    """

    role = "a DAVS network"
    # fmt: off
    published = {"face_size": 256, "width": 1.0, "stage": "generate"}
    published_data = {"crop": "davs", "raw_crops": True, "channel_order": "rgb"}
    bundle = {"mfcc_encoder": "audio_encoder", "lip_feature_encoder": "video_encoder", "model_fusion": "word_classifier",
              "ID_encoder": "identity_encoder", "Decoder": "decoder"}
    unused = ("audio_encoder.model1.bn5.", "video_encoder.model.conv5.", "video_encoder.model.conv6.",
              "video_encoder.model.fc.", "word_classifier.dis.")
    optional = ("identity_encoder", "person_classifier", "decoder")
    stages = {"identity_encoder": "disentangle", "person_classifier": "disentangle", "decoder": "generate"}
    colours = {"identity_encoder.block1.conv01_a.weight": 1, "identity_encoder.block1.conv01_b.weight": 1,
               "video_encoder.model.conv1.weight": 1, "decoder.conv7_2.weight": 1, "decoder.conv7_2.bias": 0}
    # fmt: on

    def __init__(self, face_size=256, width=1.0, words=500, people=0, stage="generate", speech_frames=12, speech_stride=2,
                 drawn_frames=6, identity_frames=20, identity_stride=1, dropout=0.0, identity_levels=None,
                 speech_levels=None):  # fmt: skip
        super().__init__()
        _check_size(face_size, width)
        if not isinstance(stage, str) or stage not in STAGES:
            raise InputError(f"model.stage: {stage!r} is not possible; choose one of {', '.join(STAGES)}")
        check_whole(words, "words", 2, 100_000)
        check_whole(people, "people", 0, 100_000)
        check_whole(speech_frames, "speech_frames", 1, 100)
        check_whole(speech_stride, "speech_stride", 1, 25)
        check_whole(drawn_frames, "drawn_frames", 1, speech_frames)
        check_whole(identity_frames, "identity_frames", 1, 100)
        check_whole(identity_stride, "identity_stride", 1, 25)
        check_share(dropout, "dropout")
        _check_levels(identity_levels, "identity_levels")
        _check_levels(speech_levels, "speech_levels")
        self.face_size, self.width, self.stage, self.words, self.people = face_size, width, stage, words, people
        self.speech_frames, self.speech_stride, self.drawn_frames = speech_frames, speech_stride, drawn_frames
        self.identity_frames, self.identity_stride = identity_frames, identity_stride
        self.audio_encoder = AudioSpeechEncoder(width)
        self.video_encoder = VideoSpeechEncoder(face_size, width)
        self.word_classifier = WordClassifier(words, speech_frames, width)
        knows, draws = stage != "words", stage == "generate"
        self.identity_encoder = IdentityEncoder(width) if knows else None
        self.person_classifier = PersonClassifier(people, width) if knows and people else None
        self.decoder = Decoder(face_size, width) if draws else None
        self.dropout = nn.Dropout(dropout)
        self.identity_levels, self.speech_levels = Levels(identity_levels), Levels(speech_levels)

    @classmethod
    def published_section(cls, state):
        """See models.network.Network: classes and frames as the shapes of the word classifier tell them."""
        told = {}
        for key, name, axis, each in (("words", "fc_2", 0, 1), ("speech_frames", "fc_1", 1, CODE)):
            weight = state.get(f"word_classifier.{name}.weight")
            if weight is not None and weight.dim() == 2:
                told[key] = weight.shape[axis] // each
        return {**cls.published, **told}

    @property
    def needs(self):
        """Fields that this stage is fed with."""
        return ("face", "mfcc", *(("identity_face",) if self.decoder is not None else ()))

    @property
    def gives(self):
        """Outputs of this stage, see `forward`."""
        given = ["audio_speech", "video_speech", "audio_words", "video_words", "heatmaps", "heard"]
        given += ["identity_codes", "identity_maps"] if self.identity_encoder is not None else []
        given += ["identity_people"] if self.person_classifier is not None else []
        return (*given, *(("audio_face", "video_face", "drawn") if self.decoder is not None else ()))

    def parts(self):
        """See models.network.Network."""
        parts = {name: (name,) for name in _PARTS if getattr(self, name) is not None}
        return {**parts, "hourglass": ("video_encoder.model",)}

    def classes(self):
        """See models.network.Network."""
        return {"words": (self.words, ("word_classifier",)), "people": (self.people, ("person_classifier",))}

    def pictures(self, outputs, batch):
        """See models.network.Network: the identity picture, and the middle one of the frames that are drawn, by both drives."""
        if self.decoder is None:
            return {}
        middle = self.drawn_frames // 2
        return {"identity": batch["identity_face"], "by sound": outputs["audio_face"][:, middle],
                "by video": outputs["video_face"][:, middle], "real": batch["face"][:, self.pictured(outputs)]}  # fmt: skip

    def pictured(self, outputs):
        """See models.network.Network."""
        return int(outputs["drawn"][self.drawn_frames // 2])

    def configure(self, data):
        """See models.network.Network: the window must hold the frames that the network takes of it.

        Raises:
            InputError: it does not, or windows are whole phoneme runs, of which some frames are padding.
        """
        window = data.get("window")
        if window == "phoneme":
            raise InputError("data.window: a davs network takes its frames from windows without padding; give a number of "
                             "frames, such as 25")  # fmt: skip
        spans = [("speech", self.speech_frames, self.speech_stride)]
        spans += [("identity", self.identity_frames, self.identity_stride)] if self.identity_encoder is not None else []
        for name, count, stride in spans:
            if isinstance(window, int) and window < span(count, stride):
                raise InputError(f"data.window: {window} frames are too few; {count} frames of model.{name}_frames with a step "
                                 f"of {stride} need {span(count, stride)}")  # fmt: skip

    def hear(self, mfcc):
        """(N, 20, 12) float MFCC windows, time by coefficient -> (N, D) float speech codes."""
        return self.speech_levels(self.audio_encoder(mfcc))

    def watch(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> (N, D) float speech codes."""
        return self._watched(faces)[0]

    def identify(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> Identity of each; see models.davs.identity.Identity."""
        found = self.identity_encoder(faces)
        return found._replace(code=self.identity_levels(found.code))

    def draw(self, identity, codes):
        """Draw faces.

        Args:
            identity: Identity of N faces, or of one face, which then serves all N codes.
            codes: (N, D) float speech codes, of sound or of video.

        Returns:
            (N, 3, S, S) float32 in [0, 1] RGB.
        """
        return self.decoder(Identity(*(one.expand(len(codes), *one.shape[1:]) for one in identity)), codes)

    def classify(self, codes):
        """(B, N, D) float speech codes of N = speech_frames frames -> (B, words) logits."""
        return self.word_classifier(self.dropout(codes))

    def forward(self, batch):
        """Training. Which frames of the window are taken is drawn anew for each batch in training, and fixed otherwise.

        All pictures of a batch pass through the identity encoder at once, and so do all codes through the decoder, so that the
        batch norms have the same statistics for what is compared (ours; the published code passes them one after the other).

        Args:
            batch: `face` (B, T, 3, S, S), `mfcc` (B, T, 20, 12), at the stage "generate" also `identity_face` (B, 3, S, S).

        Returns:
            dict, with N, M and K as of the class and C = 64 at width 1:
            audio_speech, video_speech (B, N, D); audio_words, video_words (B, words) logits; heatmaps (B, N, 68, S / 4, S / 4);
            heard (N,) int64, which of the T frames these are;
            identity_codes (B, M, D), identity_maps (B, M, C, S / 4, S / 4), identity_people (B, M, people) logits;
            audio_face, video_face (B, K, 3, S, S) in [0, 1], drawn from `identity_face` and the codes of K heard frames;
            drawn (K,) int64, which of the T frames these are.

        Raises:
            ValueError: a window with too few frames.
        """
        face, mfcc = batch["face"], batch["mfcc"]
        heard = self._rows(face, self.speech_frames, self.speech_stride)
        audio = each_frame(self.hear, mfcc.index_select(1, heard))
        video, heatmaps = each_frame(self._watched, face.index_select(1, heard))
        given = {"audio_speech": audio, "video_speech": video, "audio_words": self.classify(audio),
                 "video_words": self.classify(video), "heatmaps": heatmaps, "heard": heard}  # fmt: skip
        if self.identity_encoder is None:
            return given
        seen = face.index_select(1, self._rows(face, self.identity_frames, self.identity_stride))
        items, count = seen.shape[:2]
        pictures = [seen.flatten(0, 1)] + ([batch["identity_face"]] if self.decoder is not None else [])
        found = self.identify(torch.cat(pictures))
        given["identity_codes"], given["identity_maps"] = (
            one[: items * count].unflatten(0, (items, count)) for one in (found.code, found.maps)
        )
        if self.person_classifier is not None:
            given["identity_people"] = self.person_classifier(given["identity_codes"])
        if self.decoder is not None:
            given |= self._drawn(Identity(*(one[items * count :] for one in found)), audio, video, heard)
        return given

    def _watched(self, faces):
        """Speech codes and heatmaps of (N, 3, S, S) faces, see VideoSpeechEncoder."""
        codes, heatmaps = self.video_encoder(faces)
        return self.speech_levels(codes), heatmaps

    def _drawn(self, identity, audio, video, heard):
        """Faces of K of the heard frames, from the codes of both sides."""
        start = self._start(self.speech_frames - self.drawn_frames, heard.device, middle=True)
        rows = start + torch.arange(self.drawn_frames, device=heard.device)
        codes = torch.stack([one.index_select(1, rows) for one in (audio, video)])  # (2, B, K, D)
        every = Identity(*(one[None, :, None].expand(*codes.shape[:3], *one.shape[1:]).flatten(0, 2) for one in identity))
        faces = self.decoder(every, codes.flatten(0, 2)).unflatten(0, codes.shape[:3])
        return {"audio_face": faces[0], "video_face": faces[1], "drawn": heard.index_select(0, rows)}

    def _rows(self, face, count, stride):
        """(count,) int64: which frames of the window are taken."""
        spare = face.shape[1] - span(count, stride)
        if spare < 0:
            raise ValueError(f"a window of {face.shape[1]} frames is too short for {count} frames with a step of {stride}")
        return self._start(spare, face.device) + stride * torch.arange(count, device=face.device)

    def _start(self, last, device, middle=False):
        """() int64 in [0, last]: drawn in training; otherwise 0, or the middle."""
        if self.training:
            return torch.randint(last + 1, (), device=device)
        return torch.full((), last // 2 if middle else 0, device=device)


def _check_size(face_size, width):
    if isinstance(face_size, bool) or not isinstance(face_size, int) or face_size not in FACE_SIZES:
        raise InputError(f"model.face_size: {face_size!r} is not possible; choose one of {', '.join(map(str, FACE_SIZES))}")
    if isinstance(width, bool) or not isinstance(width, int | float) or not MIN_WIDTH <= width <= MAX_WIDTH:
        raise InputError(f"model.width: {width!r} is not possible; give a number from {MIN_WIDTH} to {MAX_WIDTH}")


def _check_levels(levels, name):
    if levels is not None:
        check_whole(levels, name, *LEVELS)
        if levels % 2 == 0:
            raise InputError(f"model.{name}: {levels} is not possible; give an odd number, so that 0 is a level, or null")
