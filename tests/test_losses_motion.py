"""Terms of motion: their values by hand, where their gradients go, their forms, what they refuse."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from common.errors import InputError
from datasets.fields.registry import check_options
from losses.criterion import LOSSES, build_criterion
from losses.motion.alignment import ViewAlignment, moment_contrast
from losses.motion.crossed import CrossedCycle, CrossedMoments
from losses.motion.mouth_match import MouthMatch
from losses.motion.perceptual import SHARES, DrawnVgg
from losses.motion.portrait_moves import PortraitMoves
from losses.motion.pose_blind import PoseBlind, PoseReading
from losses.motion.speech_contrast import SpeechContrast
from losses.motion.two_scale import TwoScale
from losses.term import Setting
from models.motion.non_identity import NonIdentityEncoder

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(deadline=None, max_examples=10)
CODES = ("pose_codes", "mouth_codes", "crossed_pose", "crossed_mouth", "wanted_pose", "wanted_mouth")
VIEWS = ("view_mouth", "view_pose", "expected_mouth", "expected_pose")


def rand(seed, *size):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed % 2**31)).requires_grad_()


def codes(seed, names, items=3, frames=4, size=5):
    return {name: rand(seed + number, items, frames, size) for number, name in enumerate(names)}


def array(tensor):
    return tensor.detach().numpy().astype(np.float64)


def taught(term, outputs, batch=None):
    """Value of a term, and the outputs that take a gradient of it."""
    found = term(outputs, batch or {})
    value, figures = found if isinstance(found, tuple) else (found, {})
    value.backward()
    return float(value.detach()), {name for name, one in outputs.items() if one.grad is not None and one.grad.any()}, figures


def cross_entropy(logits):
    """Mean over the rows of choosing the entry on the diagonal."""
    return float(np.mean(np.log(np.exp(logits).sum(1)) - logits.diagonal()))


def joined(features, starts, frames, centred=False):
    cut = [one[start : start + frames] for one in array(features) for start in starts]
    rows = np.stack([(one - one.mean(0) * centred).ravel() for one in cut])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@FEW
@given(SEEDS, st.sampled_from([(4, 4, [0]), (2, 1, [0, 1, 2]), (2, 2, [0, 2])]), st.floats(0.1, 2), st.booleans())
def test_the_contrast_by_cosine_is_infonce_both_ways_over_windows_and_time_shifts(seed, cut, temperature, centred):
    frames, shift, starts = cut
    outputs = codes(seed, SpeechContrast.reads)
    sound, video = (joined(outputs[name], starts, frames, centred) for name in SpeechContrast.reads)
    value, moved, figures = taught(SpeechContrast("cosine", frames, shift, temperature, centred), outputs)
    logits = video @ sound.T / temperature
    assert value == pytest.approx(cross_entropy(logits) + cross_entropy(logits.T), rel=1e-4)
    assert moved == set(SpeechContrast.reads)
    assert [int(one) for one in figures["right"]] == [(logits.argmax(0) == np.arange(len(logits))).sum(), len(logits)]


@FEW
@given(SEEDS)
def test_the_contrast_by_distance_is_that_of_the_published_code(seed):
    outputs = codes(seed, SpeechContrast.reads)
    sound, video = (joined(outputs[name], [0], 4) for name in SpeechContrast.reads)
    value, moved, _ = taught(SpeechContrast("distance", 4), outputs)
    nearness = 1 / np.linalg.norm(video[:, None] - sound[None], axis=2)
    assert value == pytest.approx(cross_entropy(nearness) + cross_entropy(nearness.T), rel=1e-4)
    assert moved == set(SpeechContrast.reads)
    # each side moves as if the other one stood still: the gradient of one side is that of its own sum alone
    audio = outputs["audio_mouth"].detach().clone().requires_grad_()
    fixed = torch.tensor(video, dtype=torch.float32)
    rows = nn.functional.normalize(audio.flatten(1), dim=1)
    nn.functional.cross_entropy(1 / (fixed[:, None] - rows[None]).norm(dim=2), torch.arange(3)).backward()
    assert torch.allclose(audio.grad, outputs["audio_mouth"].grad, atol=1e-5)


def test_the_contrast_of_equal_features_is_finite_and_right():
    same = rand(0, 3, 4, 5)
    for definition in ("cosine", "distance"):
        term = SpeechContrast(definition, 4, temperature=0.01)
        value, moved, figures = taught(term, {"audio_mouth": same, "video_mouth": same})
        assert 0 <= value < 1e-3 and [int(one) for one in figures["right"]] == [3, 3] and torch.isfinite(same.grad).all()


def test_the_sound_comes_to_the_video():
    outputs = codes(1, MouthMatch.reads)
    value, moved, _ = taught(MouthMatch(), outputs)
    sound, video = (array(outputs[name]) for name in MouthMatch.reads)
    assert value == pytest.approx(np.abs(sound - video).mean(), rel=1e-5) and moved == {"audio_mouth"}


def test_the_person_in_a_pose_is_read_and_unlearned():
    outputs = {"pose_people": rand(2, 5, 4), "pose_reader": rand(2, 5, 4)}
    batch = {"speaker": torch.tensor([0, 3, -1, 1, 2])}
    known, people = batch["speaker"].numpy() >= 0, batch["speaker"].numpy()
    shares = np.exp(array(outputs["pose_people"]))
    shares /= shares.sum(1, keepdims=True)
    value, moved, figures = taught(PoseBlind(), outputs, batch)
    assert value == pytest.approx(np.square(shares - 0.25).mean(1)[known].mean(), rel=1e-4) and moved == {"pose_people"}
    assert not outputs["pose_people"].grad[2].any() and int(PoseBlind().count(outputs, batch)) == 4
    right = (shares.argmax(1) == people)[known].sum()
    assert [int(one) for one in figures["accuracy"]] == [right, 4]
    value, _, figures = taught(PoseReading(), outputs, batch)
    assert value == pytest.approx(-np.log(shares[known, people[known]]).mean(), rel=1e-4)
    assert outputs["pose_reader"].grad.any() and [int(one) for one in figures["accuracy"]] == [right, 4]
    blind = {"pose_people": torch.zeros(5, 4)}
    assert float(PoseBlind()(blind, batch)[0]) == 0 == float(PoseBlind("entropy")(blind, batch)[0])


def test_the_networks_reader_learns_alone_and_its_codes_alone_unlearn():
    encoder = NonIdentityEncoder(64, 0.125, pose=2, people=4, read_frames=3)
    codes, layer, batch = rand(3, 5, 6), encoder.headpose_fc[1], {"speaker": torch.tensor([0, 3, -1, 1, 2])}
    PoseBlind()({"pose_people": encoder.people_of(codes, False)}, batch)[0].backward()
    assert codes.grad.any() and layer.weight.grad is None
    codes.grad = None
    PoseReading()({"pose_reader": encoder.people_of(codes, True)}, batch)[0].backward()
    assert codes.grad is None and layer.weight.grad.any()


@FEW
@given(SEEDS, st.sampled_from([(1.0, 1.0), (0.5, 0.0), (0.0, 3.0)]), st.booleans())
def test_the_cycle_asks_for_the_codes_that_were_drawn(seed, weights, relative):
    outputs = codes(seed, CODES[2:])
    pairs = [(array(outputs[f"crossed_{part}"]), array(outputs[f"wanted_{part}"])) for part in ("pose", "mouth")]
    apart = [np.abs(one - two).mean() / (np.abs(two - two.mean((0, 1))).mean() if relative else 1) for one, two in pairs]
    value, moved, figures = taught(CrossedCycle(*weights, relative), outputs)
    assert value == pytest.approx(np.dot(weights, apart), rel=1e-4)
    assert moved == {f"crossed_{part}" for part, weight in zip(("pose", "mouth"), weights, strict=True) if weight}
    assert [float(figures[part][0]) for part in ("pose", "mouth")] == pytest.approx(apart, rel=1e-4)
    exact = {name: outputs[name.replace("crossed", "wanted")].detach().clone() for name in CODES[2:]}
    assert float(CrossedCycle(*weights, relative)(exact, {})[0]) == 0


@FEW
@given(SEEDS, st.booleans())
def test_the_moments_are_those_of_the_changes_over_the_batch(seed, relative):
    outputs = codes(seed, CODES[:4])
    outputs["crossed_pose"] = rand(seed + 9, 3, 2, 5)  # two frames are drawn of four

    def value_of(part):
        drawn, real = (np.diff(array(outputs[name]), axis=1).reshape(-1, 5) for name in (f"crossed_{part}", f"{part}_codes"))
        apart = np.abs(drawn.mean(0) - real.mean(0)).mean() + np.abs(drawn.std(0) - real.std(0)).mean()
        return apart / (np.abs(real - real.mean(0)).mean() if relative else 1)

    value, moved, _ = taught(CrossedMoments(2.0, 0.5, relative), outputs)
    assert value == pytest.approx(2 * value_of("pose") + 0.5 * value_of("mouth"), rel=1e-3)
    assert moved == {"crossed_pose", "crossed_mouth"}
    still = {**outputs, "crossed_pose": torch.zeros(3, 2, 5, requires_grad=True)}
    CrossedMoments()(still, {}).backward()
    assert torch.isfinite(still["crossed_pose"].grad).all()


@FEW
@given(SEEDS, st.booleans())
def test_a_second_view_gives_the_codes_that_the_first_lets_expect(seed, relative):
    outputs = codes(seed, VIEWS)

    def parts_of(part):
        found, wanted = array(outputs[f"view_{part}"]), array(outputs[f"expected_{part}"])
        spread = np.abs(wanted - wanted.mean((0, 1))).mean() if relative else 1
        return np.array([np.abs(one).mean() / spread for one in (found - wanted, np.diff(found - wanted, axis=1))])

    value, moved, figures = taught(ViewAlignment(mouth=2.0, pose=0.5, velocity=3.0, relative=relative), outputs)
    (mouth, mouth_speed), (pose, pose_speed) = parts_of("mouth"), parts_of("pose")
    assert value == pytest.approx(2 * mouth + 0.5 * pose + 3 * (mouth_speed + pose_speed), rel=1e-4)
    assert moved == set(VIEWS)
    told = [float(figures[name][0]) for name in ("mouth", "pose", "velocity")]
    assert told == pytest.approx([mouth, pose, mouth_speed + pose_speed], rel=1e-4)
    one_sided = codes(seed, VIEWS)
    assert taught(ViewAlignment(mouth=0.0, relative=relative), one_sided)[1] == {"view_pose", "expected_pose"}


def test_small_codes_gain_nothing_where_the_alignment_is_relative():
    outputs = {name: one.detach() for name, one in codes(3, VIEWS).items()}
    small = {name: 0.1 * one for name, one in outputs.items()}
    large, less = (float(ViewAlignment(relative=True)(one, {})[0]) for one in (outputs, small))
    assert less == pytest.approx(large, rel=1e-4)
    large, less = (float(ViewAlignment()(one, {})[0]) for one in (outputs, small))
    assert less == pytest.approx(0.1 * large, rel=1e-4)


@FEW
@given(SEEDS, st.integers(1, 5))
def test_the_contrast_of_moments_looks_at_near_frames_of_the_same_clip(seed, reach):
    found, wanted = (array(one) for one in codes(seed, ("found", "wanted"), items=2, frames=5).values())
    cosines = np.einsum("btd,bsd->bts", *(one / np.linalg.norm(one, axis=2, keepdims=True) for one in (found, wanted)))
    rows = [[math.exp(cosines[b, t, s] / 0.5) for s in range(5) if abs(s - t) <= reach] for b in range(2) for t in range(5)]
    right = [math.exp(cosines[b, t, t] / 0.5) for b in range(2) for t in range(5)]
    wanted_value = -np.mean([math.log(one / sum(row)) for one, row in zip(right, rows, strict=True)])
    value = moment_contrast(torch.tensor(found), torch.tensor(wanted), reach, 0.5)
    assert float(value) == pytest.approx(wanted_value, rel=1e-6)


def test_the_other_form_of_the_alignment_takes_the_contrast_in_place_of_differences():
    outputs = codes(4, VIEWS)
    value, moved, _ = taught(ViewAlignment("infonce", velocity=0.0, reach=2, temperature=0.5), outputs)
    parts = [moment_contrast(outputs[f"view_{part}"], outputs[f"expected_{part}"], 2, 0.5) for part in ("mouth", "pose")]
    assert value == pytest.approx(float(sum(parts).detach()), rel=1e-5) and moved == set(VIEWS)


def halved(pictures):
    return nn.functional.avg_pool2d(pictures, 3, 2, 1, count_include_pad=False)


def test_the_controls_ask_for_a_view_that_changes_in_one_way():
    asked = ViewAlignment(change="space").field_options()
    assert asked == {"second_view": {"of": "space"}} and check_options(asked)["second_view"]["of"] == "space"


class TwoMaps(nn.Module):
    """A discriminator of two scales whose maps can be computed by hand: a factor of the picture, and a logit of it."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, faces):
        scales = (2 * faces - 1, halved(2 * faces - 1))
        return [[one, self.factor * one, self.factor * one.mean(1, keepdim=True)] for one in scales]


def drawn_faces(seed):
    rng = np.random.default_rng(seed)
    faces = {name: torch.tensor(rng.random((2, 2, 3, 4, 4)), dtype=torch.float32).requires_grad_()
             for name in ("audio_face", "video_face", "crossed_face")}  # fmt: skip
    return {**faces, "drawn": torch.tensor([1, 3])}, {"face": torch.tensor(rng.random((2, 4, 3, 4, 4)), dtype=torch.float32)}


def shrunk(pictures):
    return array(halved(torch.tensor(pictures).flatten(0, 1)))


@pytest.mark.parametrize("crossed", [False, True])
def test_two_scales_judge_and_their_features_match(crossed):
    outputs, batch = drawn_faces(5)
    term = TwoScale(adversarial=0.5, matching=3.0, image=0.25, crossed=crossed, network=TwoMaps())
    real = 2 * array(batch["face"])[:, [1, 3]] - 1
    wanted = 0.0
    for name in ("audio_face", "video_face", "crossed_face")[: 2 + crossed]:
        made = 2 * array(outputs[name]) - 1
        small, small_real = shrunk(made), shrunk(real)
        wanted -= 0.5 * 2 * (made.mean() + small.mean()) / 2
        if name != "crossed_face":
            layers = [np.abs(one - two).mean() for one, two in ((made, real), (small, small_real))]
            wanted += 3.0 * sum(0.25 * one + 2 * one for one in layers) / 2
    learning = {key: value for key, value in outputs.items() if key != "drawn"}
    found, figures = term(outputs, batch)
    found.backward()
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-4)
    assert {name for name, one in learning.items() if one.grad is not None} == set(term.reads) - {"drawn"}
    assert ("crossed_face" in term.reads) == crossed and term.judge.network.factor.grad is None
    assert int(figures["patches"][1]) == (2 + crossed) * 4 * (16 + 4)


def test_the_adversary_learns_the_hinge_of_real_and_drawn():
    outputs, batch = drawn_faces(6)
    term = TwoScale(network=TwoMaps())
    (judge,) = term.adversaries().values()
    value = judge(outputs, batch)
    value.backward()
    real = 2 * array(batch["face"])[:, [1, 3]] - 1
    fake = np.concatenate([2 * array(outputs[name]) - 1 for name in ("audio_face", "video_face")])
    wanted = []
    for one, two in ((real.mean(2), fake.mean(2)), (shrunk(real).mean(1), shrunk(fake).mean(1))):
        wanted.append(np.maximum(0, 1 - 2 * one).mean() + np.maximum(0, 1 + 2 * two).mean())
    assert float(value.detach()) == pytest.approx(np.mean(wanted), rel=1e-4)
    assert judge.network.factor.grad is not None and outputs["audio_face"].grad is None


class FiveMaps(nn.Module):
    """Five layers that are multiples of the picture."""

    def forward(self, faces):
        return tuple(faces * factor for factor in (1, 2, 3, 4, 5))


def test_features_of_drawn_frames_count_as_published():
    outputs, batch = drawn_faces(7)
    value = DrawnVgg(FiveMaps(), origin={"judge": "vgg"})(outputs, batch)
    value.backward()
    real = array(batch["face"])[:, [1, 3]]
    apart = sum(np.abs(array(outputs[name]) - real).mean() for name in ("audio_face", "video_face"))
    assert float(value.detach()) == pytest.approx(apart * np.dot(SHARES, [1, 2, 3, 4, 5]), rel=1e-4)
    alone = DrawnVgg(FiveMaps(), drives="audio")
    assert alone.reads == ("audio_face", "drawn") and alone.facts() == {}


GIVEN = (*CODES, *VIEWS, "audio_mouth", "video_mouth", "audio_face", "video_face", "drawn")
MODEL = SimpleNamespace(gives=GIVEN, stage="generate", people=0, drawn_frames=1)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ({"speech_contrast": {"definition": "cosin", "frames": 5}}, ["did you mean cosine"]),
        ({"speech_contrast": {}}, ["losses.speech_contrast.frames: 12", "5 frames"]),
        ({"mine": {"loss": "speech_contrast", "frames": 6}}, ["losses.mine.frames: 6"]),
        ({"pose_blind": {}}, ["losses.pose_blind", "model.people"]),
        ({"mine": {"loss": "pose_reading"}}, ["losses.mine", "model.people"]),
        ({"crossed_cycle": {"pose": 0, "mouth": 0}}, ["losses.crossed_cycle", "all 0"]),
        ({"mine": {"loss": "crossed_moments", "pose": 0, "mouth": 0}}, ["losses.mine", "model.drawn_frames"]),
        ({"view_alignment": {"change": "tim"}}, ["did you mean time"]),
        ({"view_alignment": {"form": "infonc"}}, ["did you mean infonce"]),
        ({"view_alignment": {"mouth": 0, "pose": 0}}, ["losses.view_alignment", "all 0"]),
        ({"two_scale": {"adversarial": 0, "matching": 0}}, ["losses.two_scale", "both 0"]),
        ({"two_scale": {"drives": "sound"}}, ["losses.two_scale.drives", "audio"]),
        ({"two_scale": {"crossed": True}}, ["losses.two_scale", "crossed_face", "stage=generate"]),
        ({"drawn_vgg": {}}, ["losses.drawn_vgg.weights", "vgg19"]),
        ({"mouth_match": {"frames": 3}}, ["frames", "losses.mouth_match"]),
    ],
)
def test_mistakes_name_the_key(losses, words):
    with pytest.raises(InputError) as error:
        build_criterion({name: {"weight": 1.0, **one} for name, one in losses.items()}, Setting(model=MODEL, frames=5))
    assert all(word in str(error.value) for word in words), error.value


NAMES = [name for name, term in LOSSES.items() if term.__module__.startswith("losses.motion.")]


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_that_lacks_an_output_is_refused(name):
    with pytest.raises(InputError, match=f"losses.{name}: needs .* at model.stage=identity does not give"):
        build_criterion({name: {"weight": 1.0}}, Setting(model=SimpleNamespace(gives=("identity_people",), stage="identity")))


def test_the_shape_of_movements_counts_beside_their_mean():
    """By hand: where the face lies counts once; one brow that moves against the head counts more; an unknown landmark never."""
    plain, shaped = PortraitMoves(face_size=100), PortraitMoves(shape=2.0, face_size=100)
    batch = {"landmarks": torch.zeros(1, 1, 68, 2), "identity_landmarks": torch.zeros(1, 68, 2)}
    batch["landmarks"][0, 0, 20] = math.nan
    still, aside = torch.zeros(1, 1, 68, 2), torch.full((1, 1, 68, 2), 0.1)
    aside[0, 0, 20] = 5.0  # not known
    for moves in (aside, aside.negative()):
        value = float(shaped({"audio_moves": moves, "video_moves": still}, batch))
        assert value == pytest.approx(0.2, rel=1e-5) == float(plain({"audio_moves": moves, "video_moves": still}, batch))
    brow = still.clone()
    brow[0, 0, 17, 0] = 0.3
    mean = 0.3 / 30  # 31 landmarks of the head, one of them not known
    against = (0.3 - mean + 66 * mean) / 67
    found = float(shaped({"audio_moves": brow, "video_moves": still}, batch))
    assert found == pytest.approx(0.3 / 67 + 2 * against, rel=1e-5)


def test_movements_of_a_portrait_are_those_to_the_frames():
    """By hand: two frames, one landmark unknown, the mouth counting more."""
    term = PortraitMoves(mouth=4.0, face_size=100)
    portrait, frames = torch.zeros(1, 68, 2), torch.zeros(1, 2, 68, 2)
    frames[0, 1] += torch.tensor([5.0, -10.0])  # a tenth of half a side to the right, two tenths up
    frames[0, 1, 0] = math.nan
    still, right = torch.zeros(1, 2, 68, 2), torch.zeros(1, 2, 68, 2)
    right[0, 1] = torch.tensor([0.1, -0.2])
    batch = {"landmarks": frames, "identity_landmarks": portrait}
    assert float(term({"audio_moves": right, "video_moves": right}, batch)) == pytest.approx(0, abs=1e-6)
    weight = torch.ones(68)
    weight[48:] = 4
    share = (weight.sum() - 1) / (2 * weight.sum() - 1)  # of the weights that count, those of the second frame
    found = term({"audio_moves": still, "video_moves": right}, batch)
    assert float(found) == pytest.approx(0.3 * float(share), rel=1e-5)
    assert int(term.count({}, batch)) == 2 * 68 - 1
    right[0, 1, 50, 0] += 0.1
    apart = 0.1 * 4 / float(2 * weight.sum() - 1)
    assert float(term({"audio_moves": right, "video_moves": right}, batch)) == pytest.approx(2 * apart, rel=1e-4)
    assert term.field_options() == {"augmented": {"perspective": 0.0, "crop": 1.0}}
    with pytest.raises(InputError, match="audio_moves and video_moves, which the network at model.stage=speech does not give"):
        PortraitMoves.prepare({}, Setting(model=SimpleNamespace(stage="speech", gives=())), "portrait_moves")
