"""PC-AVS (arXiv 2104.11116), and CRA and STAC on top of it (inferred): a portrait, moved by codes of mouth and pose.

One encoder finds who is seen, another one what the mouth and the head do, a third one hears the mouth, and a generator draws.
Stages make parts:

    landmarks     the trunk of the non-identity encoder, which learns heatmaps of landmarks (ours; for the published FAN weights)
    identity      the identity encoder
    speech        trunk, head for the mouth, audio encoder
    generate      all

With `face_size` 224 and `width` 1 every part has the published names and shapes; layers that the public code makes and does not
use are left out.
"""

from contextlib import contextmanager

import torch

from common.errors import InputError
from models.blocks import check_choice, check_flag, check_whole, check_width, scaled
from models.davs.frames import each_frame
from models.motion.action import PoseAction, change_in_time, mixed_in_time, partners
from models.motion.generator import Generator, start_of
from models.motion.identity import Identity, IdentityEncoder
from models.motion.non_identity import FEATURE, NonIdentityEncoder
from models.motion.sound import AudioEncoder
from models.network import Network

STAGES = ("landmarks", "identity", "speech", "generate")
FACE_SIZES = (64, 112, 128, 224, 256)
CROSSED = ("none", "swap", "random")
MIN_WIDTH, MAX_WIDTH = 0.125, 1.0
MOST_POSE = 48
_LANDMARKS = ("conv1", "bn1", "conv2", "conv3", "conv4", "m0", "top_m_0", "conv_last0", "bn_end0", "l0")
_PARTS = {  # part -> names of its modules, those that a stage has
    "landmarks": tuple(f"non_identity_encoder.model.{name}" for name in _LANDMARKS),
    "trunk": tuple(f"non_identity_encoder.model.{name}" for name in (*_LANDMARKS, "bn5", "conv6", "fc")),
    "mouth": ("non_identity_encoder.to_mouth",),
    "mouth_code": ("non_identity_encoder.mouth_embed",),
    "pose": ("non_identity_encoder.to_headpose", "non_identity_encoder.headpose_embed"),
    "pose_reader": ("non_identity_encoder.headpose_fc",),
    "audio_encoder": ("audio_encoder",),
    "identity_encoder": ("identity_encoder.model", "identity_encoder.fc"),
    "identity_maps": ("identity_encoder.conv1x1",),
    "generator": ("generator",),
    "pose_action": ("pose_action",),
}
_NON_IDENTITY = ("trunk", "mouth", "mouth_code", "pose", "pose_reader")


class PcAvs(Network):
    """The networks of PC-AVS that are kept after training; the discriminator of its losses is a module of its own.

    Args:
        face_size: S, 64, 112, 128, 224 (published) or 256.
        width: 0.125 to 1, multiplies the channels and the codes: with w, M = 512 w numbers of a mouth feature (that is what
            sound and video are compared by), M - `pose` of a mouth code, D = 2048 w of an identity code.
        stage: "landmarks", "identity", "speech" or "generate".
        people: classes of people; 0: there are no readers of people.
        pose: P, numbers of a pose code (published 12).
        read_frames: pose codes of so many frames, evenly spread over the window, are read together for the person; 0: there is
            no such reader. Published: all frames of a clip.
        drawn_frames: K consecutive frames of the window that are drawn in training.
        crossed: "none"; "swap": faces are also drawn from the pose of a clip and the mouth of the next one in the batch, and
            encoded again; "random" (a control): the mouth is that of another clip at every frame (CRA, inferred).
        mixed: the codes from which those faces are drawn are mixed in time first, see `models.motion.action.mixed_in_time`;
            with `crossed` "none" they are drawn from the clip's own codes (CRA, inferred).
        second_view: the window is also seen again, moved in space and time, and what its codes should be is computed from the
            codes of the first view (STAC, inferred).

    Raises:
        InputError: a value that is not possible.
    """

    role = "a PC-AVS network"
    # fmt: off
    published = {"face_size": 224, "width": 1.0, "stage": "generate"}
    published_data = {"crop": "pcavs", "channel_order": "rgb"}
    files = {"G": "generator", "V": "identity_encoder", "E": "non_identity_encoder", "A_sync": "audio_encoder"}
    unused = ("identity_encoder.model.fc.", "non_identity_encoder.classifier.", "non_identity_encoder.mouth_fc.",
              "audio_encoder.fc.", "generator.style.", "generator.input.")
    optional = ("identity_encoder", "identity_encoder.fc", "identity_encoder.conv1x1", "non_identity_encoder",
                *(f"non_identity_encoder.{name}" for name in ("model.bn5", "model.conv6", "model.fc", "to_mouth", "mouth_embed",
                                                              "to_headpose", "headpose_embed", "headpose_fc")),
                "audio_encoder", "generator", "pose_action")
    stages = {"identity_encoder": "identity", "trunk": "speech", "mouth": "speech", "audio_encoder": "speech",
              "mouth_code": "generate", "pose": "generate", "pose_reader": "generate", "identity_maps": "generate",
              "generator": "generate", "pose_action": "generate"}
    colours = {"identity_encoder.model.conv1.weight": 1, "non_identity_encoder.model.conv1.weight": 1,
               **{f"generator.{name}.{value}": 1 for name in ("to_rgb1", *(f"to_rgbs.{number}" for number in range(6)))
                  for value in ("conv.weight", "bias")}}
    # fmt: on

    def __init__(self, face_size=224, width=1.0, stage="generate", people=0, pose=12, read_frames=4, drawn_frames=2,
                 crossed="none", mixed=False, second_view=False):  # fmt: skip
        super().__init__()
        check_choice(face_size, "face_size", FACE_SIZES)
        check_width(width, "width", MIN_WIDTH, MAX_WIDTH)
        check_choice(stage, "stage", STAGES)
        check_whole(people, "people", 0, 100_000)
        check_whole(pose, "pose", 1, MOST_POSE)
        check_whole(read_frames, "read_frames", 0, 100)
        check_whole(drawn_frames, "drawn_frames", 1, 100)
        check_choice(crossed, "crossed", CROSSED)
        check_flag(mixed, "mixed")
        check_flag(second_view, "second_view")
        self.face_size, self.width, self.stage, self.people, self.pose_numbers = face_size, width, stage, people, pose
        self.read_frames, self.drawn_frames, self.crossed, self.mixed = read_frames, drawn_frames, crossed, mixed
        self.second_view = second_view
        draws = stage == "generate"
        self.identity_encoder = self.non_identity_encoder = self.audio_encoder = self.generator = self.pose_action = None
        if stage in ("identity", "generate"):
            self.identity_encoder = IdentityEncoder(width, people, start_of(face_size) if draws else 0)
        if stage != "identity":
            self.non_identity_encoder = NonIdentityEncoder(face_size, width, pose, people, read_frames, stage != "landmarks", draws)
        if stage in ("speech", "generate"):
            self.audio_encoder = AudioEncoder(width)
        if draws:
            style = self.identity_encoder.model.channels + scaled(FEATURE, width)
            self.generator = Generator(face_size, width, style)
            self.pose_action = PoseAction(pose) if second_view else None

    @classmethod
    def published_section(cls, state):
        """See models.network.Network: classes, the length of a pose code and the frames read as the shapes tell them."""
        told = {**cls.published, "people": 0, "read_frames": 0}
        weights = [state.get(f"{name}.weight") for name in ("identity_encoder.fc", "non_identity_encoder.headpose_embed.1",
                                                            "non_identity_encoder.headpose_fc.1")]  # fmt: skip
        people, pose, reader = (one.shape if one is not None and one.dim() == 2 else None for one in weights)
        if people is not None:
            told["people"] = people[0]
        if pose is not None:
            told["pose"] = pose[0]
            told["read_frames"] = 0 if reader is None or people is None else reader[1] // pose[0]
        return told

    # --- what the rest of the code asks -----------------------------------------------------------------------------------

    @property
    def _reads_people(self):
        return bool(self.stage == "generate" and self.non_identity_encoder.headpose_fc is not None)

    @property
    def _draws_more(self):
        return self.stage == "generate" and (self.crossed != "none" or self.mixed)

    @property
    def needs(self):
        """Fields that this stage is fed with."""
        if self.stage in ("landmarks", "identity"):
            return ("face",)
        more = ("identity_face",) if self.stage == "generate" else ()
        return ("augmented", "log_mel", *more, *(("second_view", "view_change") if self.pose_action is not None else ()))

    @property
    def gives(self):
        """Outputs of this stage, see `forward`."""
        if self.stage == "landmarks":
            return ("heatmaps", "heard")
        people = ("identity_people",) if self.people else ()
        if self.stage == "identity":
            return ("identity_codes", *people)
        given = ("video_mouth", "audio_mouth")
        if self.stage == "generate":
            given += ("identity_codes", *people, "mouth_codes", "pose_codes", "audio_face", "video_face", "drawn")
        given += ("pose_people", "pose_reader") if self._reads_people else ()
        given += ("crossed_face", "crossed_mouth", "crossed_pose", "wanted_mouth", "wanted_pose") if self._draws_more else ()
        return given + (("view_mouth", "view_pose", "expected_mouth", "expected_pose") if self.pose_action is not None else ())

    def parts(self):
        """See models.network.Network; `non_identity_encoder` is all of its parts."""
        own = {name: tuple(one for one in modules if _module(self, one) is not None) for name, modules in _PARTS.items()}
        parts = {name: modules for name, modules in own.items() if modules}
        if self.stage == "landmarks":
            del parts["trunk"]
        if self.non_identity_encoder is not None:
            parts["non_identity_encoder"] = tuple(one for name in _NON_IDENTITY for one in own[name])
        return parts

    def classes(self):
        """See models.network.Network."""
        readers = tuple(name for name in ("identity_encoder", "pose_reader") if name in self.parts())
        return {"people": (self.people, readers)} if self.people and readers else {}

    def pictures(self, outputs, batch):
        """See models.network.Network: the portrait, and the middle drawn frame by both drives."""
        if self.generator is None:
            return {}
        middle, face = self.drawn_frames // 2, batch.get("face")
        shown = {"identity": batch["identity_face"], "seen": batch["augmented"][:, self.pictured(outputs)],
                 "by sound": outputs["audio_face"][:, middle], "by video": outputs["video_face"][:, middle]}  # fmt: skip
        if self._draws_more:
            shown["crossed"] = outputs["crossed_face"][:, middle]
        return shown if face is None else {**shown, "real": face[:, self.pictured(outputs)]}

    def pictured(self, outputs):
        """See models.network.Network."""
        return int(outputs["drawn"][self.drawn_frames // 2])

    def configure(self, data):
        """See models.network.Network: the window must hold the frames that are drawn.

        Raises:
            InputError: it does not, or windows are whole phoneme runs, of which some frames are padding.
        """
        window = data.get("window")
        if window == "phoneme":
            raise InputError("data.window: a pcavs network takes its frames from windows without padding; give a number of "
                             "frames, such as 8")  # fmt: skip
        if self.generator is not None and isinstance(window, int) and window < self.drawn_frames:
            raise InputError(f"data.window: {window} frames are fewer than model.drawn_frames, {self.drawn_frames}; give at "
                             "least as many")  # fmt: skip

    # --- what drivers and losses call -------------------------------------------------------------------------------------

    def identify(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> models.motion.identity.Identity of each: code (N, D), maps (N, 512 w, s, s)."""
        return self.identity_encoder(faces)

    def watch(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> (N, F) float features, F = 512 at width 1, of which mouth and pose are read."""
        return self.non_identity_encoder(faces)

    def mouth(self, features):
        """(..., F) float features -> (..., M) float mouth features, as `hear` gives them."""
        return self.non_identity_encoder.to_mouth(features)

    def pose(self, features):
        """(..., F) float features -> (..., P) float pose codes."""
        return self.non_identity_encoder.headpose_embed(self.non_identity_encoder.to_headpose(features))

    def mouth_code(self, mouth):
        """(..., M) float mouth features -> (..., M - P) float mouth codes, which the generator reads."""
        return self.non_identity_encoder.mouth_embed(mouth)

    def hear(self, log_mel):
        """(N, 1, 80, 20) float in [0, 1] log mel windows -> (N, M) float mouth features."""
        return self.audio_encoder(log_mel)

    def paint(self, identity, mouth, pose):
        """Draw faces.

        Args:
            identity: Identity of N faces, or of one face, which then serves all.
            mouth: (N, M) float mouth features, of sound or of video; pose: (N, P) float pose codes.

        Returns:
            (N, 3, S, S) float32 in [0, 1] RGB.
        """
        return self.draw(identity, self.mouth_code(mouth), pose)

    def draw(self, identity, mouth_codes, pose):
        """As `paint`, from (N, M - P) float mouth codes."""
        code, maps = (one.expand(len(pose), *one.shape[1:]) for one in identity)
        return self.generator(maps, torch.cat([one.float() for one in (code, mouth_codes, pose)], 1))

    # --- training ---------------------------------------------------------------------------------------------------------

    def forward(self, batch):
        """Training. Which K frames of the window are drawn is drawn anew for each batch in training; otherwise the middle ones.

        Pictures of both views pass through the non-identity encoder at once, and so do all codes through the generator. Faces
        that are encoded again pass with the running statistics of the batch norms and without dropout, so that they leave no
        trace in those (ours).

        Args:
            batch: the fields of `needs`: `face` (B, T, 3, S, S) at the stages "landmarks" and "identity"; else `augmented`
                (B, T, 3, S, S), `log_mel` (B, T, 1, 80, 20), at the stage "generate" `identity_face` (B, 3, S, S), and with
                second_view `second_view` (B, T, 3, S, S) and `view_change` (B, 6): dx, dy (half a crop), log scale, roll
                (radians), offset (frames), rate.

        Returns:
            dict. landmarks: heatmaps (B, T, 68, S / 4, S / 4), heard (T,) int64, all frames.
            identity: identity_codes (B, T, D), identity_people (B, T, people) logits where people > 0.
            speech, generate: video_mouth, audio_mouth (B, T, M) mouth features.
            generate: mouth_codes (B, T, M - P), of the video, pose_codes (B, T, P); identity_codes (B, 1, D), identity_people
            (B, 1, people); audio_face, video_face (B, K, 3, S, S) in [0, 1], drawn (K,) int64, which of the T frames these are.
            With people and read_frames: logits (B, people) of the reader of pose codes; pose_people, of which the codes alone
            take a gradient, and pose_reader, the same numbers, of which the reader alone takes one.
            With crossed or mixed: crossed_face (B, K, 3, S, S), drawn from wanted_mouth (B, K, M - P) and wanted_pose
            (B, K, P), both without gradient; crossed_mouth, crossed_pose: the codes of it.
            With second_view: view_mouth (B, T, M - P), view_pose (B, T, P): codes of the second view; expected_mouth,
            expected_pose: what they should be, from the codes of the first view, see models.motion.action.

        Raises:
            ValueError: a window with too few frames.
        """
        if self.stage == "landmarks":
            heatmaps = each_frame(self.non_identity_encoder.heatmaps, batch["face"])
            return {"heatmaps": heatmaps, "heard": torch.arange(heatmaps.shape[1], device=heatmaps.device)}
        if self.stage == "identity":
            codes = self.identify(batch["face"].flatten(0, 1)).code.unflatten(0, batch["face"].shape[:2])
            return {"identity_codes": codes, **self._people(codes)}
        views = [batch["augmented"]] + ([batch["second_view"]] if self.pose_action is not None else [])
        features = each_frame(self.watch, torch.cat(views)).split(len(batch["augmented"]))
        given = {"video_mouth": self.mouth(features[0]), "audio_mouth": each_frame(self.hear, batch["log_mel"])}
        if self.stage == "generate":
            given |= {"mouth_codes": self.mouth_code(given["video_mouth"]), "pose_codes": self.pose(features[0])}
            given |= self._read(given["pose_codes"]) if self._reads_people else {}
            given |= self._drawn(batch["identity_face"], given)
            given |= self._seen_again(features[1], batch["view_change"], given) if self.pose_action is not None else {}
        return given

    def _people(self, codes):
        """Logits of the people in identity codes."""
        return {"identity_people": self.identity_encoder.fc(codes)} if self.people else {}

    def _read(self, codes):
        """Logits of the people in the pose codes of `read_frames` frames, evenly spread."""
        rows = torch.linspace(0, codes.shape[1] - 1, self.read_frames, device=codes.device).round().long()
        read = codes.index_select(1, rows).flatten(1)
        reader = self.non_identity_encoder
        return {"pose_people": reader.people_of(read, False), "pose_reader": reader.people_of(read, True)}

    def _drawn(self, portraits, given):
        """Faces of K frames of the window, by sound and by video, and those from crossed or mixed codes."""
        spare = given["pose_codes"].shape[1] - self.drawn_frames
        if spare < 0:
            raise ValueError(f"a window of {spare + self.drawn_frames} frames is too short for {self.drawn_frames} drawn frames")
        device = portraits.device
        start = torch.randint(spare + 1, (), device=device) if self.training else torch.full((), spare // 2, device=device)
        rows = start + torch.arange(self.drawn_frames, device=device)
        identity = self.identify(portraits)
        audio = self.mouth_code(given["audio_mouth"].index_select(1, rows))
        video, pose = (given[name].index_select(1, rows) for name in ("mouth_codes", "pose_codes"))
        mouths, poses, more = [audio, video], [pose, pose], {}
        if self._draws_more:
            more = self._wanted(given, rows)
            mouths, poses = [*mouths, more["wanted_mouth"]], [*poses, more["wanted_pose"]]
        mouths, poses = torch.stack([one.float() for one in mouths]), torch.stack([one.float() for one in poses])
        every = Identity(*(one[None, :, None].expand(*poses.shape[:3], *one.shape[1:]).flatten(0, 2) for one in identity))
        faces = self.draw(every, mouths.flatten(0, 2), poses.flatten(0, 2)).unflatten(0, poses.shape[:3])
        codes = identity.code[:, None]
        made = {"identity_codes": codes, **self._people(codes), "audio_face": faces[0], "video_face": faces[1], "drawn": rows}
        if more:
            with _as_in_use(self.non_identity_encoder):
                features = each_frame(self.watch, faces[2])
                again = {"crossed_mouth": self.mouth_code(self.mouth(features)), "crossed_pose": self.pose(features)}
            made |= {"crossed_face": faces[2], **again, **more}
        return made

    def _wanted(self, given, rows):
        """The codes of K frames from which more faces are drawn, without gradient."""
        wanted = {}
        for name, source in (("wanted_mouth", "mouth_codes"), ("wanted_pose", "pose_codes")):
            codes = given[source].detach()
            mixed = mixed_in_time(codes, rows, self.training, pose=name == "wanted_pose") if self.mixed else None
            wanted[name] = codes.index_select(1, rows) if mixed is None else mixed
        if self.crossed != "none":
            mouth = wanted["wanted_mouth"]
            clips = partners(len(mouth), len(rows), self.crossed, self.training, rows.device)
            wanted["wanted_mouth"] = mouth[clips, torch.arange(len(rows), device=rows.device)]
        return wanted

    def _seen_again(self, features, change, given):
        """Codes of the second view, and what they should be."""
        similarity, (offset, rate) = change[:, :4], change[:, 4:].unbind(1)
        mouth, pose = (change_in_time(given[name], offset, rate) for name in ("mouth_codes", "pose_codes"))
        return {"view_mouth": self.mouth_code(self.mouth(features)), "view_pose": self.pose(features),
                "expected_mouth": mouth, "expected_pose": self.pose_action(pose, similarity)}  # fmt: skip


@contextmanager
def _as_in_use(module):
    """The module as after training: running statistics, no dropout; gradients flow. What trained before trains again."""
    training = [one for one in module.modules() if one.training]
    for one in training:
        one.training = False
    try:
        yield
    finally:
        for one in training:
            one.training = True


def _module(network, name):
    """A module by its dotted name; None where a part of the name is not there."""
    for step in name.split("."):
        network = getattr(network, step, None)
    return network
