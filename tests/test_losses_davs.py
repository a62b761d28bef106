"""Terms of DAVS that read codes, without an adversary: formulas, gradients, windows without a word, what is refused."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from losses.criterion import build_criterion
from losses.davs.association import Association
from losses.davs.classification import PersonClassification, WordClassification
from losses.davs.drawn import DrawnL1
from losses.davs.heatmaps import LandmarkHeatmaps
from losses.davs.identity_constancy import IdentityConstancy
from losses.davs.identity_contrast import IdentityContrast
from losses.davs.labels import balanced_label_loss, label_loss, uniform_loss
from losses.term import Setting

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(deadline=None, max_examples=12)


def test_identity_constancy_is_the_variance_inside_over_that_between():
    steady = torch.eye(4)[:, None].expand(4, 6, 4)
    assert IdentityConstancy()({"identity_codes": steady}, {}) == 0
    codes = torch.randn(5, 6, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    means = codes.mean(1)
    wanted = codes.var(1, unbiased=False).mean() / means.var(0, unbiased=False).mean()
    value = IdentityConstancy()({"identity_codes": codes}, {})
    assert float(value) == pytest.approx(float(wanted), rel=1e-5)
    (gradient,) = torch.autograd.grad(value, codes)
    assert gradient.sum(1).abs().max() < 1e-6  # means of windows stay where they are


@FEW
@given(SEEDS)
def test_a_balanced_reader_that_knows_nothing_answers_uniformly(seed):
    rng = np.random.default_rng(seed)
    labels = torch.tensor([0] * 12 + [1] * 2 + [3] + [-1] * 3)  # one class says most; class 2 does not occur
    logits = torch.tensor(rng.normal(size=(len(labels), 4)).astype(np.float32))
    apart = -logits.log_softmax(1)
    means = [float(apart[labels == one, one].mean()) for one in (0, 1, 3)]
    assert float(balanced_label_loss(logits, labels)) == pytest.approx(sum(means) / 3, rel=1e-5)
    same = torch.zeros(4, requires_grad=True)  # one answer for all rows
    (gradient,) = torch.autograd.grad(balanced_label_loss(same.expand(len(labels), 4), labels), same)
    assert gradient[[0, 1, 3]] == pytest.approx([1 / 4 - 1 / 3] * 3, abs=1e-6)  # alike; of `label_loss` they are not
    unknown = torch.full((3,), -1)
    assert float(balanced_label_loss(logits[:3], unknown)) == 0


def test_identity_contrast_is_lowest_where_clips_differ_and_their_frames_agree():
    own = torch.eye(4)[:, None].expand(4, 6, 4)  # (B, M, D): each clip in a direction of its own
    term = IdentityContrast(temperature=0.1)
    value, figures = term({"identity_codes": own}, {})
    assert value == pytest.approx(math.log(1 + 3 * math.exp(-10)), abs=1e-5) and figures["right"][0] == 4
    same = torch.ones(4, 6, 4)
    assert term({"identity_codes": same}, {})[0] == pytest.approx(math.log(4))
    mixed = torch.cat([own[:, :3], own.roll(1, 0)[:, 3:]], 1)  # second halves of other clips
    assert term({"identity_codes": mixed}, {})[0] > 5


def speech_codes(seed, items=3, frames=12, width=5):
    rng = np.random.default_rng(seed)
    return {name: torch.tensor(rng.standard_normal((items, frames, width), np.float32)).requires_grad_()
            for name in ("audio_speech", "video_speech")}  # fmt: skip


def unit_rows(codes, frames):
    """(items * 12 / frames) rows of unit length, float64."""
    rows = codes.detach().numpy().astype(np.float64).reshape(-1, frames * codes.shape[2])
    return [row / np.sqrt((row * row).sum()) for row in rows]


@FEW
@given(SEEDS, st.sampled_from([12, 4, 3]), st.floats(0.1, 2), st.sampled_from(["video", "each"]))
def test_association_is_the_written_formula(seed, frames, margin, detach):
    outputs = speech_codes(seed)
    sound, video = unit_rows(outputs["audio_speech"], frames), unit_rows(outputs["video_speech"], frames)
    total = 0.0
    for i, one in enumerate(video):
        for j, other in enumerate(sound):
            apart = math.sqrt(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)))
            total += apart**2 if i == j else max(0.0, margin - apart) ** 2
    value, figures = Association("margin", frames, detach, margin)(outputs, {})
    assert float(value.detach()) == pytest.approx(total / (2 * len(video)), rel=1e-4, abs=1e-6)
    nearest = [int(np.argmin([((one - other) ** 2).sum() for one in video])) for other in sound]
    right, count = figures["right"]
    assert (int(right), int(count)) == (sum(i == j for i, j in enumerate(nearest)), len(video))
    value.backward()
    assert bool(outputs["audio_speech"].grad.any()) and (outputs["video_speech"].grad is None) == (detach == "video")


@FEW
@given(SEEDS)
def test_each_side_learns_as_against_the_other_one_detached(seed):
    """The published path without drawing adds two losses with swapped roles, the first side of each detached."""
    outputs = speech_codes(seed)
    value, _ = Association(frames=4, detach="each")(outputs, {})
    value.backward()
    alone = {name: one.detach().clone().requires_grad_() for name, one in outputs.items()}
    sound, video = (units(alone[name], 4) for name in ("audio_speech", "video_speech"))
    pair = published_contrast(video.detach(), sound) + published_contrast(sound.detach(), video)
    pair.backward()
    assert float(pair.detach()) == pytest.approx(2 * float(value.detach()), rel=1e-4)
    for name, one in alone.items():
        torch.testing.assert_close(outputs[name].grad, one.grad, rtol=1e-3, atol=1e-6)


def units(codes, frames):
    """Rows of unit length, of `frames` frames each."""
    rows = codes.reshape(-1, frames * codes.shape[2])
    return rows / rows.square().sum(1, keepdim=True).sqrt()


def published_contrast(first, second, margin=1.0):
    """Rows of the first side against rows of the second, one pair after the other."""
    total = 0.0
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            apart = (one - other).square().sum().sqrt()
            total = total + (apart if i == j else (margin - apart).clamp(min=0)).square()
    return total / (2 * len(first))


@pytest.mark.parametrize("form", ["margin", "infonce"])
def test_codes_that_are_equal_or_nothing_are_finite(form):
    same = torch.randn(4, 12, 5, generator=torch.Generator().manual_seed(0))
    apart = torch.eye(4)[:, None].repeat(1, 12, 1)
    for codes in (same, apart, torch.zeros(4, 12, 5), same[:1].repeat(4, 1, 1)):
        outputs = {"audio_speech": codes.clone().requires_grad_(), "video_speech": codes.clone().requires_grad_()}
        value, _ = Association(form, detach="each")(outputs, {})
        value.backward()
        assert value.isfinite() and all(one.grad.isfinite().all() for one in outputs.values())
    assert float(Association()({"audio_speech": apart, "video_speech": apart}, {})[0]) == 0  # others lie sqrt(2) away


def test_infonce_falls_from_the_logarithm_of_the_choices_to_nothing():
    codes = torch.eye(4)[:, None].repeat(1, 12, 1)
    value, figures = Association("infonce", temperature=0.05)({"audio_speech": codes, "video_speech": codes}, {})
    assert float(value) < 1e-6 and [int(one) for one in figures["right"]] == [4, 4]
    blind = {"audio_speech": codes, "video_speech": torch.ones_like(codes)}
    assert float(Association("infonce")(blind, {})[0]) == pytest.approx(math.log(4), rel=1e-5)


@FEW
@given(SEEDS, st.lists(st.integers(-1, 4), min_size=1, max_size=6))
def test_cross_entropy_counts_known_labels_alone(seed, labels):
    logits = torch.tensor(np.random.default_rng(seed).standard_normal((len(labels), 5), np.float32) * 3).requires_grad_()
    rows, right = [], 0
    for row, label in zip(logits.detach().numpy().astype(np.float64), labels, strict=True):
        if label >= 0:
            rows.append(math.log(sum(math.exp(one) for one in row)) - row[label])
            right += int(row.argmax() == label)
    value, figure = label_loss(logits, torch.tensor(labels))
    assert float(value.detach()) == pytest.approx(sum(rows) / max(len(rows), 1), rel=1e-4, abs=1e-6)
    assert [int(one) for one in figure] == [right, len(rows)]
    value.backward()
    assert (logits.grad.abs().sum(1) > 0).tolist() == [label >= 0 for label in labels]


@FEW
@given(SEEDS, st.lists(st.integers(-1, 4), min_size=1, max_size=6))
def test_uniform_losses_are_their_formulas(seed, labels):
    logits = torch.tensor(np.random.default_rng(seed).standard_normal((len(labels), 5), np.float32) * 3)
    squares, entropies = [], []
    for row, label in zip(logits.double().numpy(), labels, strict=True):
        if label >= 0:
            p = np.exp(row) / np.exp(row).sum()
            squares.append(((p - 0.2) ** 2).mean())
            entropies.append((0.2 * np.log(0.2 / p)).sum())
    for form, expected in (("squares", squares), ("entropy", entropies)):
        found = float(uniform_loss(logits, torch.tensor(labels), form))
        assert found == pytest.approx(sum(expected) / max(len(expected), 1), rel=1e-4, abs=1e-6)
        known = [label for label in labels if label >= 0]
        means = [np.mean([one for one, label in zip(expected, known, strict=True) if label == mine]) for mine in set(known)]
        balanced = float(uniform_loss(logits, torch.tensor(labels), form, balanced=True))
        assert balanced == pytest.approx(np.mean(means) if means else 0, rel=1e-4, abs=1e-6)


def test_a_reader_that_knows_nothing_gives_no_loss_and_one_that_is_sure_a_gradient_to_entropy_alone():
    for form in ("squares", "entropy"):
        assert float(uniform_loss(torch.full((2, 7), 3.0), torch.tensor([0, 1]), form)) == pytest.approx(0, abs=1e-6)
        sure = torch.tensor([[40.0, 0.0, 0.0]], requires_grad=True)
        uniform_loss(sure, torch.tensor([0]), form).backward()
        assert (float(sure.grad.abs().max()) > 0.1) == (form == "entropy")


@pytest.mark.parametrize("classes", [3, 51, 500])
def test_near_uniform_squares_pull_by_2_over_the_square_of_the_classes(classes):
    """So a weight is carried from one number of words to another."""
    logits = 1e-2 * torch.randn(1, classes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pulls = []
    for form in ("squares", "entropy"):
        given = logits.clone().requires_grad_()
        uniform_loss(given, torch.tensor([0]), form).backward()
        pulls.append(given.grad)
    torch.testing.assert_close(pulls[0], pulls[1] * 2 / classes**2, rtol=0.05, atol=float(pulls[0].abs().max()) / 20)


def test_words_are_read_from_the_drive_that_is_named():
    outputs = {"audio_words": torch.tensor([[9.0, 0, 0], [0, 9, 0]]), "video_words": torch.tensor([[0.0, 9, 0], [0, 9, 0]])}
    batch = {"spoken_word": torch.tensor([0, 1])}
    for drives, share in (("audio", 2), ("video", 1)):
        term = WordClassification(drives)
        assert term.reads == (f"{drives}_words",)
        value, figures = term(outputs, batch)
        assert [int(one) for one in figures["accuracy"]] == [share, 2] and (float(value) < 0.01) == (share == 2)


def test_people_are_read_from_each_frame():
    logits = torch.zeros(2, 3, 4)
    logits[0, :2, 3], logits[1, :, 1] = 9, 9
    value, figures = PersonClassification()({"identity_people": logits}, {"speaker": torch.tensor([3, -1])})
    assert [int(one) for one in figures["accuracy"]] == [2, 3]
    assert float(value) == pytest.approx((2 * math.log(1 + 3 * math.exp(-9)) + math.log(4)) / 3, rel=1e-4)


def heatmap_batch(places):
    """Landmarks (1, 2, 68, 2) of which each is the one of `places`, in crop pixels of a 64-pixel face."""
    return {"landmarks": torch.tensor(places, dtype=torch.float32).repeat(1, 2, 68, 1)}


def test_heatmaps_are_gaussians_at_the_landmarks_and_empty_ones_give_1():
    batch, heard = heatmap_batch((21.5, 33.5)), torch.tensor([1])  # the middle of cell 5, 8
    batch["landmarks"][:, 0] = float("nan")  # not heard
    rows, columns = np.mgrid[:16, :16]
    right = torch.tensor(np.exp(-((columns - 5) ** 2 + (rows - 8) ** 2) / (2 * 1.5**2)), dtype=torch.float32)
    term = LandmarkHeatmaps(1.5)
    for maps, expected, pixels in ((right, 0, 0), (torch.zeros(16, 16), 1, 4 * math.hypot(5, 8)), (right.roll(1, 1), None, 4)):
        outputs = {"heatmaps": maps.expand(1, 1, 68, 16, 16), "heard": heard}
        value, figures = term(outputs, batch)
        total, count = figures["pixels"]
        assert float(total / count) == pytest.approx(pixels, abs=1e-4) and int(count) == 68
        assert expected is None or float(value) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("place", [(float("nan"), 4.0), (-9.0, 4.0), (4.0, 70.0)])
def test_landmarks_that_are_unknown_or_outside_do_not_count(place):
    maps = torch.rand(1, 2, 68, 16, 16, requires_grad=True)
    value, figures = LandmarkHeatmaps()({"heatmaps": maps, "heard": torch.tensor([0, 1])}, heatmap_batch(place))
    value.backward()
    assert (float(value.detach()), int(figures["pixels"][1])) == (0, 0) and not maps.grad.any()


def test_terms_tell_how_many_rows_count():
    """So that means over batches are means over rows, and what has counted nothing is left out."""
    logits = {"audio_words": torch.randn(3, 5), "heatmaps": torch.rand(1, 2, 68, 16, 16), "heard": torch.tensor([0, 1])}
    losses = {"said": {"loss": "word_classification", "weight": 1}, "landmark_heatmaps": {"weight": 2}}
    criterion = build_criterion(losses, Setting(model=MODEL))
    for words, place, counts in (([-1, 3, 1], 8.0, (2, 136)), ([-1, -1, -1], -9.0, (0, 0))):
        batch = {"spoken_word": torch.tensor(words), **heatmap_batch((place, 8.0))}
        total, parts = criterion(logits, batch)
        means = []
        for (name, term), count in zip(criterion.terms.items(), counts, strict=True):
            assert float(parts[name][1]) == count == float(term.count(logits, batch))
            means.append(float(parts[name][0]) / max(count, 1))
        assert float(total) == pytest.approx(means[0] + 2 * means[1], rel=1e-5)
    assert criterion.totals({"landmark_heatmaps": 3.0}) == {"total": 6.0} and criterion.totals({}) == {}


def test_windows_without_a_word_or_a_known_person_give_0_and_a_finite_gradient_of_0():
    batch = {"spoken_word": torch.tensor([-1, -1]), "speaker": torch.tensor([-1, -1])}
    for term, shape in ((WordClassification(), (2, 5)), (PersonClassification(), (2, 3, 5))):
        logits = torch.randn(shape).requires_grad_()
        value, figures = term({term.reads[0]: logits}, batch)
        value.backward()
        assert float(value.detach()) == 0 and not logits.grad.any() and int(figures["accuracy"][1]) == 0


MODEL = SimpleNamespace(gives=("audio_speech", "video_speech", "audio_words", "video_words", "heatmaps", "heard"), words=5,
                        stage="words", people=0, speech_frames=12, drawn_frames=6, identity_frames=20)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "drawn_l1"}, ["losses.mine", "audio_face", "model.stage=words"]),
        ({"loss": "drawn_motion"}, ["losses.mine", "audio_face", "model.stage=words"]),
        ({"loss": "drawn_still"}, ["losses.mine", "audio_face", "model.stage=words"]),
        ({"loss": "person_classification"}, ["losses.mine", "model.people"]),
        ({"loss": "association", "frames": 5}, ["losses.mine.frames", "5 must divide model.speech_frames, 12"]),
        ({"loss": "association", "form": "infonc"}, ["did you mean infonce", "losses.mine.form"]),
        ({"loss": "association", "detach": "sound"}, ["losses.mine.detach", "video"]),
        ({"loss": "association", "margin": 3}, ["losses.mine.margin", "2"]),
        ({"loss": "word_classification", "drives": "both"}, ["losses.mine.drives", "audio, video"]),
        ({"loss": "landmark_heatmaps", "sigma": 0}, ["losses.mine.sigma", "0.3"]),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options, words):
    with pytest.raises(InputError) as error:
        build_criterion({"mine": {"weight": 1, **options}}, Setting(model=MODEL))
    assert all(word in str(error.value) for word in words) and len(str(error.value).splitlines()) == 1, str(error.value)


def test_a_drive_or_a_region_that_is_unknown_is_refused():
    with pytest.raises(InputError, match="did you mean both"):
        DrawnL1(drives="boht")
    with pytest.raises(InputError, match="did you mean davs_mouth"):
        DrawnL1(region="davs_moth")


def test_a_network_of_another_family_is_refused():
    for model in (None, SimpleNamespace(gives=("face",))):
        with pytest.raises(InputError, match="losses.association: needs audio_speech and video_speech"):
            build_criterion({"association": {"weight": 1}}, Setting(model=model))
