"""The network of DAVS: its stages, sizes, frames and mistakes, and the adversaries beside it."""

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from common.errors import InputError
from models import build_model
from models.davs import CodesWords, Davs, Identity, IdentityWords, Modality, PatchDiscriminator, SpeechPeople
from models.davs.discriminator import mouth_window
from models.davs.levels import Levels
from models.davs.network import FACE_SIZES
from tests.davs_kit import SMALL, batch_of, davs
from training.checkpoint import load_checkpoint, save_checkpoint
from training.parts import build_network, new_modules


@pytest.mark.parametrize("face_size", FACE_SIZES)
def test_every_size_has_shapes_that_fit(face_size):
    with torch.device("meta"):
        found = davs(face_size=face_size)({name: one.to("meta") for name, one in batch_of(face_size).items()})
    quarter = (face_size // 4, face_size // 4)
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "audio_speech": (2, 4, 32), "video_speech": (2, 4, 32), "audio_words": (2, 5), "video_words": (2, 5),
        "heatmaps": (2, 4, 68, *quarter), "heard": (4,), "identity_codes": (2, 3, 32), "identity_maps": (2, 3, 8, *quarter),
        "identity_people": (2, 3, 3), "audio_face": (2, 2, 3, face_size, face_size),
        "video_face": (2, 2, 3, face_size, face_size), "drawn": (2,)}  # fmt: skip


@pytest.mark.parametrize("face_size", [64, 96])  # six doublings in the decoder, and five
def test_all_weights_learn(face_size):
    model = davs(face_size=face_size)
    found = model(batch_of(face_size))
    for name in ("audio_face", "video_face"):
        assert found[name].min() >= 0 and found[name].max() <= 1 and found[name].std() > 0.01
    sum(value.float().square().mean() for value in found.values()).backward()
    silent = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.isfinite().all()]
    assert not silent


@pytest.mark.parametrize("width", [0.125, 0.5])
def test_codes_and_maps_are_as_wide_as_they_say(width):
    with torch.device("meta"):
        model = davs(width=width)
        identity = model.identify(torch.rand(2, 3, 64, 64))
        codes = model.hear(torch.rand(2, 20, 12))
        faces = model.draw(identity, codes)
    assert codes.shape[1] == identity.code.shape[1] == 256 * width
    assert identity.maps.shape == (2, max(8, 64 * width), 16, 16) and identity.skip.shape[2:] == (8, 8)
    assert faces.shape == (2, 3, 64, 64)


STAGES = {
    "words": {"audio_speech", "video_speech", "audio_words", "video_words", "heatmaps", "heard"},
    "disentangle": {"identity_codes", "identity_maps"},
    "generate": {"audio_face", "video_face", "drawn"},
}


def test_each_stage_adds_parts_fields_and_outputs():
    given, parts = set(), {"audio_encoder", "video_encoder", "word_classifier"}
    for stage, new in STAGES.items():
        given |= new
        parts |= {"disentangle": {"identity_encoder"}, "generate": {"decoder"}}.get(stage, set())
        for people in (0, 3) if stage == "disentangle" else (3,):
            model = davs(stage=stage, people=people)
            person = people > 0 and stage != "words"
            assert set(model.gives) == given | ({"identity_people"} if person else set())
            own = parts | ({"person_classifier"} if person else set())
            assert set(model.parts()) == {*own, "hourglass"} and model.parts()["hourglass"] == ("video_encoder.model",)
            assert {name.partition(".")[0] for name in model.state_dict()} == own
            assert set(model.needs) == {"face", "mfcc"} | ({"identity_face"} if stage == "generate" else set())
            assert set(model({name: batch_of(items=1)[name] for name in model.needs})) == set(model.gives)


# --- frames ---------------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_a_batch_holds_what_the_parts_give_without_a_window():
    model, batch = davs().eval(), batch_of()
    found = model(batch)
    assert found["heard"].tolist() == [0, 2, 4, 6] and found["drawn"].tolist() == [2, 4]
    for item in range(2):
        face, mfcc = batch["face"][item], batch["mfcc"][item]
        heard, seen = model.hear(mfcc[found["heard"]]), model.watch(face[found["heard"]])
        known, portrait = model.identify(face[:3]), model.identify(batch["identity_face"][item : item + 1])
        expected = {"audio_speech": heard, "video_speech": seen, "audio_words": model.classify(heard[None])[0],
                    "video_words": model.classify(seen[None])[0], "identity_codes": known.code, "identity_maps": known.maps,
                    "audio_face": model.draw(portrait, heard[1:3]), "video_face": model.draw(portrait, seen[1:3]),
                    "heatmaps": model.video_encoder(face[found["heard"]])[1]}  # fmt: skip
        for name, value in expected.items():
            torch.testing.assert_close(found[name][item], value, rtol=1e-4, atol=1e-5, msg=name)
    assert (found["audio_face"][0] - found["audio_face"][1]).abs().max() > 1e-3


def test_training_draws_its_frames_and_says_which():
    model, batch = davs(stage="generate"), batch_of()
    batch["mfcc"] = torch.arange(9.0).view(1, 9, 1, 1).expand(2, 9, 20, 12)  # each frame tells its number
    seen = {"heard": set(), "drawn": set()}
    model.hear = lambda mfcc: torch.stack([mfcc[:, 0, 0]] * 32, 1)
    for _ in range(8):
        with torch.no_grad():
            found = model(batch)
        heard, drawn = found["heard"].tolist(), found["drawn"].tolist()
        assert found["audio_speech"][0, :, 0].tolist() == heard
        assert heard == list(range(heard[0], heard[0] + 7, 2)) and heard[-1] < 9
        start = heard.index(drawn[0])
        assert drawn == heard[start : start + 2]
        seen["heard"].add(heard[0]), seen["drawn"].add(start)
    assert all(len(starts) > 1 and starts <= {0, 1, 2} for starts in seen.values())


def test_a_window_that_is_too_short_is_refused():
    model = davs()
    model.configure({"window": 7})
    model.configure({})
    with pytest.raises(InputError, match=r"data.window: 6 frames are too few; 4 frames of model.speech_frames .* need 7"):
        model.configure({"window": 6})
    with pytest.raises(InputError, match=r"model.identity_frames with a step of 9 need 19"):
        davs(identity_stride=9).configure({"window": 9})
    davs(identity_stride=9, stage="words").configure({"window": 9})
    with pytest.raises(InputError, match="data.window: .*without padding; give a number of frames, such as 25"):
        model.configure({"window": "phoneme"})
    with pytest.raises(ValueError, match="6 frames is too short"):
        model(batch_of(frames=6))


def test_drawing_frames_breaks_no_graph():
    """Where a compiled step begins in its window is no number of the host's; the rest of the network is layers alone."""
    torch._dynamo.reset()
    model, counter = davs(stage="words"), CompileCounter()
    model.audio_encoder, model.video_encoder = torch.nn.Flatten(), TwoFold()
    model.word_classifier = torch.nn.Flatten()
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    starts = {int(compiled(batch_of())["heard"][0]) for _ in range(8)}
    assert counter.frame_count == 1 and len(starts) > 1
    torch._dynamo.reset()


class TwoFold(torch.nn.Module):
    """Gives flat faces twice, in place of codes and heatmaps."""

    def forward(self, faces):
        return faces.flatten(1), faces.flatten(1)


@torch.inference_mode()
def test_one_identity_serves_every_code():
    model, batch = davs().eval(), batch_of(items=3)
    codes = model.hear(batch["mfcc"][:, 0])
    identity = model.identify(batch["identity_face"][:1])
    together = model.draw(identity, codes)
    torch.testing.assert_close(together, model.draw(Identity(*(one.repeat_interleave(3, 0) for one in identity)), codes))
    assert (together[0] - together[1]).abs().max() > 1e-3


@torch.inference_mode()
def test_turned_colours_give_the_same_codes_and_turned_faces():
    model, batch = davs(), batch_of()
    turned = davs().eval()
    model(batch)  # the norms of a network that saw nothing would let no picture through
    model.eval()
    turned.load_state_dict(model.with_colours_turned(model.state_dict()))
    face, other = batch["identity_face"], batch["identity_face"].flip(1)
    near = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(turned.watch(other), model.watch(face), **near)
    identity = turned.identify(other)
    torch.testing.assert_close(identity.maps, model.identify(face).maps, **near)
    codes = model.hear(batch["mfcc"][:, 0])
    torch.testing.assert_close(turned.draw(identity, codes).flip(1), model.draw(model.identify(face), codes), **near)
    assert (turned.watch(face) - model.watch(face)).abs().max() > 1e-4


def test_the_word_classifier_is_told_less_in_training():
    model = davs(dropout=0.5)
    codes = torch.randn(2, 4, 32)
    assert not torch.equal(model.classify(codes), model.classify(codes))
    assert torch.equal(model.eval().classify(codes), model.classify(codes))


# --- stages follow one another --------------------------------------------------------------------------------------------


def config_of(**options):
    return {"model": {**SMALL, **options}, "data": {"window": 9}, "train": {"seed": 0, "freeze": []}}


def test_a_stage_begins_from_the_checkpoint_of_the_one_before(tmp_path):
    first = davs(stage="words")
    section = {**SMALL, "stage": "words"}
    save_checkpoint(tmp_path / "words.safetensors", first, {"model": section, "data": {"crop": "davs"}, "training": {}})
    start = {"checkpoint": tmp_path / "words.safetensors", "parts": None}
    later = build_network(config_of(stage="generate"), torch.device("cpu"), [start])
    assert torch.equal(later.audio_encoder.fc.weight, first.audio_encoder.fc.weight)
    assert set(later.parts()) > set(first.parts())
    with pytest.raises(InputError, match=r"does not fit the section model: other shape: word_classifier.fc_2.weight"):
        build_network(config_of(stage="generate", words=6), torch.device("cpu"), [start])
    told = r"has no part decoder: it is of stage words, and decoder comes with stage generate \(such as python train.py " \
        r"configs/davs.yaml\); take it out of parts"
    with pytest.raises(InputError, match=told):
        build_network(config_of(), torch.device("cpu"), [{**start, "parts": ["decoder"]}])
    assert load_checkpoint(start["checkpoint"]).model.stage == "words"


def test_modules_that_a_checkpoint_lacks_begin_anew_and_are_named(tmp_path):
    paths = {stage: tmp_path / f"{stage}.safetensors" for stage in ("words", "generate")}
    for stage, path in paths.items():
        section = {**SMALL, "stage": stage}
        save_checkpoint(path, davs(stage=stage), {"model": section, "data": {}, "training": {}})

    def lines(*starts):
        begun = []
        build_network(config_of(stage="generate"), torch.device("cpu"), starts, begun)
        return new_modules(begun)

    words = {"checkpoint": paths["words"], "parts": None}
    (line,) = lines(words)
    assert line == (f"train.init: {paths['words']} has no identity_encoder and no person_classifier and no decoder: "
                    "identity_encoder, person_classifier, decoder begin with new weights")  # fmt: skip
    (line,) = lines(words, {"checkpoint": paths["generate"], "parts": ["identity_encoder", "person_classifier"]})
    assert line.endswith("words.safetensors has no decoder: decoder begins with new weights")
    assert lines({**words, "parts": ["audio_encoder"]}) == lines({**words, "checkpoint": paths["generate"]}) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"face_size": 384}, "model.face_size: 384 is not possible; choose one of 64, 96, 128, 192, 256"),
        ({"width": 0.1}, "model.width: 0.1 is not possible; give a number from 0.125 to 1.0"),
        ({"stage": "draw"}, "model.stage: 'draw' is not possible; choose one of words, disentangle, generate"),
        ({"stage": ["words"]}, "model.stage"),
        ({"words": 1}, "model.words: 1 is not possible"),
        ({"people": -1}, "model.people"),
        ({"drawn_frames": 5}, "model.drawn_frames: 5 is not possible; give a whole number from 1 to 4"),
        ({"speech_stride": 0}, "model.speech_stride"),
        ({"identity_frames": 0.5}, "model.identity_frames"),
        ({"identity_levels": 4}, "model.identity_levels: 4 is not possible; give an odd number, so that 0 is a level, or null"),
        ({"speech_levels": 1}, "model.speech_levels: 1 is not possible; give a whole number from 3 to 255"),
        ({"speech_levels": True}, "model.speech_levels"),
        ({"dropout": 1}, "model.dropout: 1 is not possible"),
        ({"stages": "words"}, "model.stages: 'stages' is not known; did you mean stage"),
    ],
)
def test_values_that_are_not_possible_are_named(options, says):
    with pytest.raises(InputError) as error:
        build_model({**SMALL, **options})
    assert says in str(error.value)


@pytest.mark.parametrize("half", [torch.float32, torch.bfloat16])
def test_codes_in_levels_have_no_others_and_pass_their_gradient(half):
    codes = torch.linspace(-9, 9, 999).to(half).requires_grad_()
    found = Levels(5)(codes)
    assert set(found.detach().float().tolist()) == {-1, -0.5, 0, 0.5, 1} and (found.diff() >= 0).all()
    (gradient,) = torch.autograd.grad(found.float().sum(), codes)
    assert torch.allclose(gradient.float(), 1 - torch.tanh(codes.detach().float()) ** 2, atol=0.02)
    assert Levels()(codes) is codes


def test_a_network_with_levels_gives_rounded_codes_to_all_that_read_them():
    model = davs(stage="generate", identity_levels=3, speech_levels=7).eval()
    batch = batch_of()
    with torch.no_grad():
        given = model(batch)
        heard, watched = model.hear(batch["mfcc"][0, :4]), model.watch(batch["face"][0, :4])
        code = model.identify(batch["identity_face"]).code
    thirds = [given["audio_speech"], given["video_speech"], heard, watched]
    assert all(torch.allclose(3 * one, (3 * one).round(), atol=1e-5) and one.abs().max() <= 1 for one in thirds)
    assert all(torch.equal(one, one.round()) and one.abs().max() <= 1 for one in (given["identity_codes"], code))
    assert torch.equal(given["audio_words"], model.word_classifier(given["audio_speech"]))


# --- adversaries ----------------------------------------------------------------------------------------------------------


def test_the_mouth_is_looked_at_in_the_same_place_at_every_size():
    assert mouth_window(256) == (slice(19, 28), slice(11, 20))  # published
    for size in FACE_SIZES:
        rows, columns = mouth_window(size)
        assert rows.stop <= size // 8 - 1 and (rows.stop - rows.start) % 2 == 1 <= rows.stop - rows.start - 2
        middle = [8 * ((one.start + one.stop - 1) / 2 + 1) / size for one in (rows, columns)]
        assert middle == pytest.approx([0.75, 0.5], abs=0.03)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("face_size", FACE_SIZES)
def test_patches_are_judged_and_the_mouth_with_its_sound(face_size, frames):
    judge = PatchDiscriminator(face_size, frames, width=0.125).eval()
    pictures, mfcc = torch.rand(2, 3 * frames, face_size, face_size), torch.randn(2, frames, 20, 12)
    patches, match = judge.patches_and_match(pictures, mfcc)
    assert patches.shape == (2, 1, face_size // 8 - 2, face_size // 8 - 2) and match.shape == (2, 1)
    other_patches, other_match = judge.patches_and_match(pictures, mfcc.flip(0))
    assert torch.equal(patches, other_patches) and not torch.equal(match, other_match)
    above = pictures.clone()
    above[:, :, : face_size // 4] = 0  # far from the mouth
    other_patches, other_match = judge.patches_and_match(above, mfcc)
    assert torch.equal(match, other_match) and not torch.equal(patches, other_patches)


def test_each_adversary_reads_what_it_is_given():
    maps, codes = torch.rand(2, 3, 8, 24, 24), torch.randn(2, 3, 32)
    adversaries = [(IdentityWords(96, 0.125, 3, 5), maps, (2, 5)), (CodesWords(0.125, 3, 5), codes, (2, 5)),
                   (SpeechPeople(7, 0.125), codes.flatten(0, 1), (6, 7)), (Modality(0.125), codes, (2, 3, 1)),
                   (SpeechPeople(7, 0.125, linear=True), codes[0, :2], (2, 7)),
                   (SpeechPeople(7, 0.125, frames=3), codes.flatten(1), (2, 7))]  # fmt: skip
    for adversary, given, shape in adversaries:
        logits = adversary.eval()(given)
        assert logits.shape == shape and not torch.equal(logits, adversary(2 * given))
        logits.square().sum().backward()
        assert all(one.grad is not None and one.grad.any() for one in adversary.parameters())


def test_the_first_weights_are_those_that_were_published():
    torch.manual_seed(0)
    encoder = Davs(width=0.5).identity_encoder
    spread = {name: float(value.detach().std()) for name, value in encoder.named_parameters() if name.endswith("_a.weight")}
    assert spread["block1.conv01_a.weight"] == pytest.approx((49 * 16) ** -0.5, rel=0.05)
    assert spread["block41.conv41_a.weight"] == pytest.approx((9 * 128) ** -0.5, rel=0.05)  # kernels of 5, the deviation of 3
    assert spread["block42.conv42_a.weight"] == pytest.approx((9 * 128) ** -0.5, rel=0.05)
    assert float(PatchDiscriminator(width=0.5).conv3.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
