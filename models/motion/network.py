"""PC-AVS (arXiv 2104.11116), and CRA and STAC on top of it (inferred): a portrait, moved by codes of mouth and pose.

One encoder finds who is seen, another one what the mouth and the head do, a third one hears the mouth, and a generator draws.
Stages make parts:

    landmarks     the trunk of the non-identity encoder, which learns heatmaps of landmarks (ours; it stands for FAN's weights)
    identity      the identity encoder
    speech        trunk, head for the mouth, audio encoder
    pose          and the codes, by which the landmarks of a portrait move (ours)
    generate      all

With `face_size` 224 and `width` 1 every part has the published names and shapes; layers that the public code makes and does not
use are left out.
"""

from functools import partial

import torch

from common.errors import InputError
from models.blocks import check_choice, check_flag, check_whole, check_width, scaled
from models.davs.frames import each_frame
from models.motion.action import PoseAction, change_in_time
from models.motion.drawing import drawn_faces, moves_of
from models.motion.generator import Generator, start_of
from models.motion.identity import IdentityEncoder
from models.motion.lip_reader import LipReader
from models.motion.mover import Mover
from models.motion.non_identity import FEATURE, NonIdentityEncoder
from models.motion.sound import AudioEncoder
from models.motion.stages import STAGES, draws_more, fields_of, outputs_of, parts_of, reads_people
from models.network import Network

FACE_SIZES = (64, 96, 112, 128, 224, 256)
CROSSED = ("none", "swap", "random")
MIN_WIDTH, MAX_WIDTH = 0.125, 1.0
MOST_POSE = 48


class PcAvs(Network):
    """The networks of PC-AVS that are kept after training; the discriminator of its losses is a module of its own.

    Args:
        face_size: S, 64, 96, 112, 128, 224 (published) or 256.
        width: 0.125 to 1, multiplies the channels and the codes: with w, M = 512 w numbers of a mouth feature (that is what
            sound and video are compared by), M - `pose` of a mouth code, D = 2048 w of an identity code.
        stage: "landmarks", "identity", "speech", "pose" or "generate".
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
        reads_lips: a reader finds the movements of the lips in the mouth features of sound and of video (ours), for losses such
            as `lip_coefficients`; from stage "speech" on.
        moves_portrait: the generator also moves the portrait and the finer maps of its encoder by a flow, and lays that over
            what it draws (ours); the trunk must have learned landmarks. It sees how codes differ from the portrait's, not
            the codes themselves: these would tell which of the training people is drawn.
        normed_codes: codes are read of features without mean and with unit spread (ours).
        own_pose: the pose is read in the places of the landmarks that go with the head, those of mouth and chin left out, so
            that it tells little of the mouth; it begins with the affine map of a mean head (ours).

    Raises:
        InputError: a value that is not possible, or stage "pose" without moves_portrait.
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
                "audio_encoder", "generator", "generator.portrait", "pose_action", "lip_reader", "mover")
    stages = {"identity_encoder": "identity", "trunk": "speech", "mouth": "speech", "audio_encoder": "speech",
              "mouth_code": "generate", "pose": "generate", "pose_reader": "generate", "identity_maps": "generate",
              "generator": "generate", "pose_action": "generate", "lip_reader": "speech", "mover": "pose"}
    colours = {"identity_encoder.model.conv1.weight": 1, "non_identity_encoder.model.conv1.weight": 1,
               **{f"generator.{name}.{value}": axis for name in ("to_rgb1", *(f"to_rgbs.{number}" for number in range(6)))
                  for value, axis in (("conv.weight", 0), ("bias", 1))}}
    # fmt: on

    def __init__(self, face_size=224, width=1.0, stage="generate", people=0, pose=12, read_frames=4, drawn_frames=2,
                 crossed="none", mixed=False, second_view=False, reads_lips=False, moves_portrait=False,
                 normed_codes=False, own_pose=False):  # fmt: skip
        super().__init__()
        check_choice(face_size, "face_size", FACE_SIZES)
        check_width(width, "width", MIN_WIDTH, MAX_WIDTH)
        check_choice(stage, "stage", STAGES)
        check_whole(people, "people", 0, 100_000)
        check_whole(pose, "pose", 1, MOST_POSE)
        check_whole(read_frames, "read_frames", 0, 100)
        check_whole(drawn_frames, "drawn_frames", 1, 100)
        check_choice(crossed, "crossed", CROSSED)
        flags = {"mixed": mixed, "second_view": second_view, "reads_lips": reads_lips, "moves_portrait": moves_portrait,
                 "normed_codes": normed_codes, "own_pose": own_pose}  # fmt: skip
        for name, value in flags.items():
            check_flag(value, name)
        self.face_size, self.width, self.stage, self.people, self.pose_numbers = face_size, width, stage, people, pose
        self.read_frames, self.drawn_frames, self.crossed, self.mixed = read_frames, drawn_frames, crossed, mixed
        self.second_view = second_view
        draws, told = stage == "generate", stage in ("pose", "generate")
        if stage == "pose" and not moves_portrait:
            raise InputError("model.stage: pose is for networks that move the portrait; set model.moves_portrait: true")
        self.identity_encoder = self.non_identity_encoder = self.audio_encoder = self.generator = self.pose_action = None
        self.lip_reader = self.mover = None
        if stage in ("identity", "generate"):
            self.identity_encoder = IdentityEncoder(width, people, start_of(face_size) if draws else 0,
                                                    draws and moves_portrait)  # fmt: skip
        if stage != "identity":
            self.non_identity_encoder = NonIdentityEncoder(face_size, width, pose, people if draws else 0, read_frames,
                                                           stage != "landmarks", told, normed_codes, own_pose)  # fmt: skip
        if stage in ("speech", "pose", "generate"):
            self.audio_encoder = AudioEncoder(width)
            self.lip_reader = LipReader(scaled(FEATURE, width)) if reads_lips else None
        if told and moves_portrait:
            self.mover = Mover(scaled(FEATURE, width), pose, own_pose)
        if draws:
            style = self.identity_encoder.model.channels + scaled(FEATURE, width)
            self.generator = Generator(face_size, width, style, moves_portrait)
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

    @classmethod
    def adopted(cls, state):
        """See models.network.Network: kernels of modulated convolutions lose their first axis, of length 1."""
        return {name: tensor[0] if tensor.dim() == 5 and len(tensor) == 1 else tensor for name, tensor in state.items()}

    # --- what the rest of the code asks -----------------------------------------------------------------------------------

    @property
    def needs(self):
        """Fields that this stage is fed with."""
        return fields_of(self)

    @property
    def gives(self):
        """Outputs of this stage, see `forward`."""
        return outputs_of(self)

    def parts(self):
        """See models.network.Network; `non_identity_encoder` is all of its parts."""
        return parts_of(self)

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
        if draws_more(self):
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
        found = self.identity_encoder(faces)
        if self.mover is None:
            return found
        codes, landmarks = self.non_identity_encoder.at_rest(faces)
        return found._replace(codes=codes, landmarks=landmarks)

    def watch(self, faces):
        """(N, 3, S, S) float in [0, 1] RGB -> (N, F) float features, of which mouth and pose are read.

        F = 512 at width 1, and P more with own_pose.
        """
        return self.non_identity_encoder(faces)

    def mouth(self, features):
        """(..., F) float features -> (..., M) float mouth features, as `hear` gives them."""
        return self.non_identity_encoder.mouth_of(features)

    def pose(self, features, window=False):
        """(..., F) float features -> (..., P) float pose codes; `window`: of the windows of video that train."""
        return self.non_identity_encoder.pose_of(features.flatten(0, -2), window).unflatten(0, features.shape[:-1])

    def mouth_code(self, mouth, window=False):
        """(..., M) float mouth features -> (..., M - P) float mouth codes; `window`: of the windows of video that train."""
        return self.non_identity_encoder.mouth_code_of(mouth.flatten(0, -2), window).unflatten(0, mouth.shape[:-1])

    def amplified(self, mouth, gain):
        """(..., M) float mouth features, `gain` times as strong."""
        return self.non_identity_encoder.amplified(mouth, gain)

    def hear(self, log_mel, window=False):
        """(N, 1, 80, 20) float in [0, 1] log mel windows -> (N, M) float mouth features; `window`: those that train."""
        heard = self.audio_encoder(log_mel)
        return heard if self.non_identity_encoder is None else self.non_identity_encoder.placed(heard, window)

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
        who = identity.each(lambda one: one.expand(len(pose), *one.shape[1:]))
        codes = torch.cat([mouth_codes.float(), pose.float()], 1)
        if self.mover is None:
            return self.generator(who, codes)
        return self.generator(who, codes - who.codes, self.mover(who.codes, codes))

    # --- training ---------------------------------------------------------------------------------------------------------

    def forward(self, batch):
        """Training. Which K frames of the window are drawn is drawn anew for each batch in training; otherwise the middle ones.

        Pictures of both views pass through the non-identity encoder at once, and so do all codes through the generator. Faces
        that are encoded again pass with the running statistics of the batch norms and without dropout, so that they leave no
        trace in those (ours).

        Args:
            batch: the fields of `needs`: `face` (B, T, 3, S, S) at the stages "landmarks" and "identity"; else `augmented`
                (B, T, 3, S, S), `log_mel` (B, T, 1, 80, 20), from the stage "pose" on `identity_face` (B, 3, S, S), and with
                second_view `second_view` (B, T, 3, S, S) and `view_change` (B, 6): dx, dy (half a crop), log scale, roll
                (radians), offset (frames), rate.

        Returns:
            dict. landmarks: heatmaps (B, T, 68, S / 4, S / 4), heard (T,) int64, all frames.
            identity: identity_codes (B, T, D), identity_people (B, T, people) logits where people > 0.
            speech, pose, generate: video_mouth, audio_mouth (B, T, M) mouth features; with reads_lips video_lips, audio_lips
            (B, T, 20, 2), eye distances.
            pose, generate: mouth_codes (B, T, M - P), of the video, pose_codes (B, T, P). With moves_portrait audio_moves,
            video_moves (B, T, 68, 2): how the portrait's landmarks move for the codes of all frames, right and down, in half
            sides.
            generate: identity_codes (B, 1, D), identity_people
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
            return {"identity_codes": codes, **self.tell_people(codes)}
        views = [batch["augmented"]] + ([batch["second_view"]] if self.pose_action is not None else [])
        features = each_frame(self.watch, torch.cat(views)).split(len(batch["augmented"]))
        heard = each_frame(partial(self.hear, window=True), batch["log_mel"])
        given = {"video_mouth": self.mouth(features[0]), "audio_mouth": heard}
        if self.lip_reader is not None:
            given |= {f"{name}_lips": self.lip_reader(given[f"{name}_mouth"]) for name in ("video", "audio")}
        if self.stage in ("pose", "generate"):
            given |= {"mouth_codes": self.mouth_code(given["video_mouth"], True), "pose_codes": self.pose(features[0], True)}
        if self.stage == "pose":
            own, _ = self.non_identity_encoder.at_rest(batch["identity_face"])
            given |= moves_of(self, own, given)
        if self.stage == "generate":
            given |= self._read(given["pose_codes"]) if reads_people(self) else {}
            given |= drawn_faces(self, batch["identity_face"], given)
            given |= self._seen_again(features[1], batch["view_change"], given) if self.pose_action is not None else {}
        return given

    def tell_people(self, codes):
        """(..., D) identity codes -> {"identity_people": logits}; {} where people are not told apart."""
        return {"identity_people": self.identity_encoder.fc(codes)} if self.people else {}

    def _read(self, codes):
        """Logits of the people in the pose codes of `read_frames` frames, evenly spread."""
        rows = torch.linspace(0, codes.shape[1] - 1, self.read_frames, device=codes.device).round().long()
        read = codes.index_select(1, rows).flatten(1)
        reader = self.non_identity_encoder
        return {"pose_people": reader.people_of(read, False), "pose_reader": reader.people_of(read, True)}

    def _seen_again(self, features, change, given):
        """Codes of the second view, and what they should be."""
        similarity, (offset, rate) = change[:, :4], change[:, 4:].unbind(1)
        mouth, pose = (change_in_time(given[name], offset, rate) for name in ("mouth_codes", "pose_codes"))
        return {"view_mouth": self.mouth_code(self.mouth(features)), "view_pose": self.pose(features),
                "expected_mouth": mouth, "expected_pose": self.pose_action(pose, similarity)}  # fmt: skip
