"""Speech action units: a talking face from one picture of a person and sound (arXiv 2110.09951, arXiv 2204.12756).

Five nets predict units of the lower face from sound. A temporal module fuses their codes with the speech and the identity. A
decoder draws the face, and a classifier reads units in it. Stages:

    audio        audio_to_units
    classifier   unit_classifier
    fusion       both, identity_encoder, speech_encoder, temporal, decoder
"""

from models.au.classifier import UnitClassifier
from models.au.faces import Decoder, Identity, IdentityEncoder
from models.au.fusing import Fusing
from models.au.sound import COLUMNS, LEAST_COLUMNS, MOST_COLUMNS, UNIT_CODE, AudioToUnits, SpeechEncoder
from models.au.temporal import ATTENTION, TEMPORAL, Temporal
from models.blocks import check_choice, check_flag, check_share, check_whole, check_width

STAGES = ("audio", "classifier", "fusion")
FACE_SIZES = (96, 112, 128)
MIN_WIDTH, MAX_WIDTH = 0.125, 1.0
_PARTS = ("audio_to_units", "unit_classifier", "identity_encoder", "speech_encoder", "temporal", "decoder")


class ActionUnits(Fusing):
    """The networks of a stage.

    Args:
        stage: "audio", "classifier" or "fusion".
        face_size: S, 96, 112 (published) or 128; the stage "audio" sees no faces.
        width: 0.125 to 1, multiplies the channels; the code of a unit always has 64 numbers.
        columns: of a window of MFCC, 10 ms each, 12 to 100; 28 is published.
        temporal: "gru" (2021), "tcn" or "tcsan" (2022).
        attention: of "tcsan": "features" of a frame (published), or "frames" (ours).
        unit_codes: at the stage "fusion": whether codes of units are fused; without them there is no audio_to_units.
        unit_reader: at the stage "fusion": whether units are read in what is drawn; without it there is no unit_classifier.
        dropout: share of hidden numbers that the stages "audio" and "classifier" set to 0 in training. At the stage "fusion"
            their networks leave nothing out (ours).

    Raises:
        InputError: a value that is not possible.
    """

    role = "a network of action units"
    judging = "unit_classifier"
    stages = {"audio_to_units": "audio", "unit_classifier": "classifier",
              **dict.fromkeys(("identity_encoder", "speech_encoder", "temporal", "decoder"), "fusion")}  # fmt: skip

    def __init__(self, stage="fusion", face_size=112, width=1.0, columns=COLUMNS, temporal="tcsan", attention="features",
                 unit_codes=True, unit_reader=True, dropout=0.5):  # fmt: skip
        super().__init__()
        check_choice(stage, "stage", STAGES)
        check_choice(face_size, "face_size", FACE_SIZES)
        check_choice(temporal, "temporal", TEMPORAL)
        check_choice(attention, "attention", ATTENTION)
        check_width(width, "width", MIN_WIDTH, MAX_WIDTH)
        check_whole(columns, "columns", LEAST_COLUMNS, MOST_COLUMNS)
        check_flag(unit_codes, "unit_codes")
        check_flag(unit_reader, "unit_reader")
        check_share(dropout, "dropout")
        draws = stage == "fusion"
        hears, reads = stage == "audio" or (draws and unit_codes), stage == "classifier" or (draws and unit_reader)
        dropout = 0.0 if draws else dropout
        self.stage, self.width, self.columns = stage, width, columns
        self.face_size = None if stage == "audio" else face_size
        self.audio_to_units = AudioToUnits(columns, width, dropout) if hears else None
        self.unit_classifier = UnitClassifier(face_size, width, dropout) if reads else None
        self.identity_encoder = IdentityEncoder(face_size, width) if draws else None
        self.speech_encoder = SpeechEncoder(columns, width) if draws else None
        self.temporal, self.decoder = None, None
        if draws:
            features = self.identity_encoder.code.out_features + self.speech_encoder.second.out_features
            features += UNIT_CODE * len(self.audio_to_units.nets) if hears else 0
            self.temporal = Temporal(features, temporal, attention, width)
            self.decoder = Decoder(self.temporal.channels, face_size, width)

    @property
    def needs(self):
        """Fields that this stage is fed with."""
        return {"audio": ("mfcc",), "classifier": ("face",), "fusion": ("mfcc", "identity_face")}[self.stage]

    @property
    def gives(self):
        """Outputs of this stage, see `forward`."""
        heard = ("audio_units", "audio_unit_codes") if self.audio_to_units is not None else ()
        read = () if self.unit_classifier is None else ("face_units",) if self.stage == "classifier" else ("drawn_units",)
        return (*heard, *(("face",) if self.decoder is not None else ()), *read)

    def parts(self):
        """See models.network.Network."""
        return {name: (name,) for name in _PARTS if getattr(self, name) is not None}

    def field_options(self):
        """See models.network.Network: windows of sound have their middle in that of the frame."""
        return {"mfcc": {"columns": self.columns, "place": "centred"}} if self.stage != "classifier" else {}

    def identify(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> Identity of each; see models.au.faces.Identity."""
        return self.identity_encoder(faces)

    def paint(self, identity, codes):
        """Faces of fused codes, in any order.

        Args:
            identity: Identity of N faces, or of one face, which then serves all N codes; codes: (N, C) float of `fuse`.

        Returns:
            (N, 3, S, S) float32 in [0, 1] RGB.
        """
        return self.decoder(codes, [one.expand(len(codes), *one.shape[1:]) for one in identity.maps])

    def draw(self, identity, features):
        """Faces of one clip: Identity of one face, (T, D) float features of `hear` -> (T, 3, S, S) float32 in [0, 1] RGB."""
        return self.paint(identity, self.fuse(identity, features[None])[0])

    def read_units(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> (N, 5) float logits of the units, of the lower halves."""
        return self.unit_classifier(faces)

    def forward(self, batch):
        """Training, on windows of T frames.

        Args:
            batch: `mfcc` (B, T, columns, 12) at the stages "audio" and "fusion"; `face` (B, T, 3, S, S) at "classifier";
                `identity_face` (B, 3, S, S) at "fusion".

        Returns:
            dict: audio_units (B, T, 5) logits and audio_unit_codes (B, T, 320), heard; face_units (B, T, 5) logits, read in the
            real faces; face (B, T, 3, S, S) float32 in [0, 1] drawn, and drawn_units (B, T, 5) logits, read in it.
        """
        if self.stage == "classifier":
            return {"face_units": self.read_units(batch["face"].flatten(0, 1)).unflatten(0, batch["face"].shape[:2])}
        window = batch["mfcc"].shape[:2]
        features, codes, logits = self._heard(batch["mfcc"].flatten(0, 1))
        given = {"audio_units": logits, "audio_unit_codes": codes} if logits is not None else {}
        if self.stage == "fusion":
            identity = self.identify(batch["identity_face"])
            fused = self.fuse(identity, features.unflatten(0, window))
            each = Identity(identity.code, tuple(one.repeat_interleave(window[1], 0, output_size=len(features))
                                                 for one in identity.maps))  # fmt: skip
            given["face"] = self.paint(each, fused.flatten(0, 1))
            if self.unit_classifier is not None:
                given["drawn_units"] = self.read_units(given["face"])
        return {name: value.unflatten(0, window) for name, value in given.items()}
