"""Terms of DAVS with an adversary: who moves whom, what each learns, windows without a word, published weights in bf16."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from common.errors import InputError
from losses.criterion import build_criterion
from losses.davs.drawn_adversarial import FaceJudge
from losses.term import Setting
from tests.davs_losses_kit import OURS, PUBLISHED, SIZES, batch_of, criterion_of, network
from tests.fake_cuda_kit import CUDA, Record, fake_batch, fake_gpu, lend

TERMS = {
    "identity_words": {},
    "codes": {"loss": "identity_words", "reads": "codes", "uniform": "entropy"},
    "speech_people": {"uniform": "entropy"},
    "windows": {"loss": "speech_people", "uniform": "entropy", "reads": "windows", "balanced": True},
    "linear": {"loss": "speech_people", "uniform": "entropy", "linear": True},
    "modality": {},
    "drawn_adversarial": {},
    "single": {"loss": "drawn_adversarial", "frames": "single"},
}
READERS = ["identity_words", "codes", "speech_people", "windows", "linear"]


@pytest.fixture(scope="module")
def given():
    """(model, outputs of it, batch) of the stage "generate"."""
    model, batch = network(), batch_of()
    with torch.no_grad():
        return model, model(batch), batch


def one_term(model, name):
    """(term, its only adversary) by a name of TERMS."""
    criterion = criterion_of(model, {name: {"weight": 1, **TERMS[name]}})
    return criterion.terms[name], criterion.adversaries()[name]


def with_gradients(outputs):
    return {name: one.detach().clone().requires_grad_(one.is_floating_point()) for name, one in outputs.items()}


@pytest.mark.parametrize("name", TERMS)
def test_the_term_moves_what_it_reads_and_never_the_adversary(given, name):
    model, outputs, batch = given
    term, adversary = one_term(model, name)
    term.train()
    before, outputs = copy.deepcopy(term.state_dict()), with_gradients(outputs)
    value, _ = term(outputs, batch)
    value.backward()
    moved = {key for key, one in outputs.items() if one.grad is not None and one.grad.any()}
    assert moved == set(term.reads) - {"drawn"}
    assert all(parameter.grad is None for parameter in term.parameters())
    assert all(torch.equal(before[key], one) for key, one in term.state_dict().items()), "statistics of batch norms, too"
    assert adversary.training and all(module.training for module in adversary.modules())


@pytest.mark.parametrize("name", TERMS)
def test_the_adversary_learns_and_sends_the_network_no_gradient(given, name):
    model, outputs, batch = given
    term, adversary = one_term(model, name)
    outputs = with_gradients(outputs)
    optimizer = torch.optim.Adam(adversary.parameters(), 5e-2 if name == "linear" else 5e-3)  # without hidden layers: slower
    values = []
    for _ in range(12):
        value = adversary(outputs, batch)
        optimizer.zero_grad()
        value.backward()
        assert all(parameter.grad is not None for parameter in adversary.parameters())
        optimizer.step()
        values.append(float(value.detach()))
    assert values[-1] < 0.8 * values[0], values
    assert all(one.grad is None for one in outputs.values())


@pytest.mark.parametrize("name", READERS)
def test_what_an_adversary_reads_becomes_unreadable(given, name):
    """It learns until it reads what it can; the term then takes from it what it reads, and its figure says so."""
    model, outputs, batch = given
    term, adversary = one_term(model, name)
    outputs = with_gradients({key: outputs[key] for key in term.reads})
    optimizer = torch.optim.Adam(adversary.parameters(), 5e-2 if name == "linear" else 5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        adversary(outputs, batch).backward()
        optimizer.step()
    first, figures = term(outputs, batch)
    assert all(right == known > 0 for right, known in figures.values()), figures
    mover = torch.optim.Adam(list(outputs.values()), 0.01)  # far steps end where the adversary is sure of another answer
    for _ in range(60):
        mover.zero_grad()
        term(outputs, batch)[0].mul(100).backward()
        mover.step()
    last, _ = term(outputs, batch)
    assert float(last.detach()) < 0.3 * float(first.detach())


@pytest.mark.parametrize("name", READERS)
def test_windows_whose_label_is_unknown_count_in_neither(given, name):
    model, outputs, batch = given
    term, adversary = one_term(model, name)
    adversary.eval()  # no dropout
    known = {**batch, "spoken_word": torch.tensor([2, 4, -1]), "speaker": torch.tensor([1, 0, -1])}
    fewer = {key: one[:2] for key, one in known.items()}
    less = {key: one if key in ("heard", "drawn") else one[:2] for key, one in outputs.items()}
    assert float(term(outputs, known)[0]) == pytest.approx(float(term(less, fewer)[0]), rel=1e-5)
    assert float(adversary(outputs, known).detach()) == pytest.approx(float(adversary(less, fewer).detach()), rel=1e-5)
    none = {**batch, "spoken_word": torch.full((3,), -1), "speaker": torch.full((3,), -1)}
    outputs = with_gradients(outputs)
    value, figures = term(outputs, none)
    learnt = adversary(outputs, none)
    (value + learnt).backward()
    gradients = [outputs[key].grad for key in term.reads] + [one.grad for one in adversary.parameters()]
    assert float(value.detach()) == float(learnt.detach()) == 0
    assert not any(one.any() for one in gradients if one is not None)
    assert all((int(right), int(count)) == (0, 0) for right, count in figures.values())


def test_one_that_cannot_tell_sound_from_video_is_at_chance(given):
    model, outputs, batch = given
    term, adversary = one_term(model, "modality")
    with torch.no_grad():
        for parameter in adversary.parameters():
            parameter.zero_()
    assert float(adversary(outputs, batch).detach()) == pytest.approx(math.log(2))
    value, figures = term(outputs, batch)
    assert float(value) == pytest.approx(2 * math.log(2)) and int(figures["accuracy"][0]) == 0
    with torch.no_grad():
        adversary.network.fc2.bias.fill_(3.0)  # all sound: half of the codes are told right
    value, figures = term(outputs, batch)
    right, count = figures["accuracy"]
    assert int(right) * 2 == int(count) == 2 * 3 * SIZES["speech_frames"]
    assert float(value) == pytest.approx(math.log(1 + math.exp(3)) + math.log(1 + math.exp(-3)), rel=1e-5)


class Echo(torch.nn.Module):
    """Stands for the discriminator: gives what it was given, and two heads of zeros."""

    def forward(self, pictures, mfcc):
        self.pictures, self.mfcc = pictures, mfcc
        return torch.zeros(len(pictures), 1, 2, 2), torch.zeros(len(pictures), 1)


@pytest.mark.parametrize("joined", [True, False])
def test_each_face_is_judged_with_the_sound_of_its_frame(given, joined):
    _, outputs, batch = given
    judge = FaceJudge(Echo(), joined)
    assert float(judge(outputs, batch)) == pytest.approx(2 * math.log(2)), "zeros are at chance, whatever the soft labels"
    count, drawn = SIZES["drawn_frames"], outputs["drawn"]
    pictures = judge.network.pictures.unflatten(1, (-1, 3)).flatten(0, 1).unflatten(0, (4, 3, count))
    sound = judge.network.mfcc.flatten(0, 1).unflatten(0, (4, 3, count))
    wanted = (batch["face"][:, drawn], batch["face"][:, drawn], outputs["audio_face"], outputs["video_face"])
    for faces, heard, one in zip(pictures, sound, wanted, strict=True):
        torch.testing.assert_close(faces, one)
        torch.testing.assert_close(heard, batch["mfcc"][:, drawn])


def test_labels_are_softened_by_up_to_a_tenth():
    torch.manual_seed(0)
    real, drawn = torch.full((4, 1), 5.0), torch.full((4, 1), -5.0)
    values = [float(FaceJudge._told_apart(real, drawn)) for _ in range(200)]
    hard, soft = (float(F.softplus(torch.tensor(-5.0))) + share * 5 for share in (0, 0.1))
    assert hard < min(values) < hard + 0.05 and soft - 0.1 < max(values) < soft and len(set(values)) > 150


def test_the_term_of_drawn_faces_is_against_hard_labels_of_real(given):
    model, outputs, batch = given
    term, adversary = one_term(model, "drawn_adversarial")
    adversary.eval()
    value, figures = term(outputs, batch)
    faces = torch.cat((outputs["audio_face"], outputs["video_face"])).flatten(1, 2)
    with torch.no_grad():
        patches, match = adversary.network(faces, batch["mfcc"][:, outputs["drawn"]].repeat(2, 1, 1, 1))
    expected = sum(-one.sigmoid().log().mean() for one in (patches, match))
    assert float(value) == pytest.approx(float(expected), rel=1e-4)
    assert figures["patches"][0] == (patches < 0).sum() and figures["patches"][1] == patches.numel()


def test_a_step_in_bfloat16_with_the_published_weights_is_finite():
    """The network, all its terms and all that learns against it; a window without a word is among them."""
    model, losses, batch = network(), {**PUBLISHED, **OURS}, batch_of(2, 4)
    criterion = criterion_of(model, losses)
    criterion.set_precision(torch.bfloat16)
    batch["spoken_word"][0] = batch["speaker"][1] = -1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(batch)
        total, parts = criterion(outputs, batch)
    total.backward()
    outputs = {name: one.detach() for name, one in outputs.items()}
    learnt = [one(criterion.seen_by(name, outputs), batch) for name, one in criterion.adversaries().items()]
    sum(learnt).backward()
    for one in (total, *parts.values(), *learnt):
        assert one.isfinite().all() and one.dtype == torch.float32
    for name, parameter in [*model.named_parameters(), *criterion.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert parts.keys() > set(losses)


@pytest.mark.parametrize("stage", ["words", "disentangle"])
def test_earlier_stages_learn_from_what_they_give(stage):
    early = ("association", "audio_class", "video_class", "modality", "landmark", "speech_people")
    early += ("identity", "codes", "person") if stage == "disentangle" else ()
    model, losses = network(stage=stage), {name: one for name, one in {**PUBLISHED, **OURS}.items() if name.startswith(early)}
    with torch.no_grad():
        total, parts = criterion_of(model, losses)(model(batch_of(2, 4)), batch_of(2, 4))
    assert total.isfinite() and parts.keys() > set(losses) and len(losses) == (11 if stage == "disentangle" else 6)


def test_our_terms_and_adversaries_run_on_a_gpu_without_waiting(given):
    """test_fake_cuda.py does a step with the published ones."""
    model, outputs, batch = given
    criterion = criterion_of(model, OURS)
    criterion.set_precision(torch.float16)
    with fake_gpu() as mode:
        lend(criterion, mode)
        batch, outputs = ({name: one.to(CUDA, non_blocking=True) for name, one in fake_batch(some, mode).items()}
                          for some in (batch, outputs))  # fmt: skip
        with Record() as record, torch.autocast("cuda", dtype=torch.float16):
            criterion(outputs, batch)
            for name, adversary in criterion.adversaries().items():
                assert adversary(criterion.seen_by(name, outputs), batch).device == CUDA
    assert not record.waits, record.waits


@pytest.mark.parametrize(
    ("stage", "options", "words"),
    [
        ("words", {"loss": "identity_words"}, ["losses.mine", "identity_maps", "model.stage=words"]),
        ("words", {"loss": "identity_words", "reads": "codes"}, ["losses.mine", "identity_codes"]),
        ("disentangle", {"loss": "drawn_adversarial"}, ["losses.mine", "audio_face", "model.stage=disentangle"]),
        ("generate", {"loss": "drawn_adversarial", "frames": "sequences"}, ["losses.mine.frames", "did you mean sequence"]),
        ("disentangle", {"loss": "identity_words", "reads": "map"}, ["losses.mine.reads", "did you mean maps"]),
        ("disentangle", {"loss": "identity_words", "uniform": "kl"}, ["losses.mine.uniform", "entropy, squares"]),
        ("disentangle", {"loss": "speech_people", "uniform": "square"}, ["losses.mine.uniform", "did you mean squares"]),
        ("disentangle", {"loss": "speech_people", "balanced": 1}, ["losses.mine.balanced", "must be true or false"]),
        ("disentangle", {"loss": "speech_people", "linear": "yes"}, ["losses.mine.linear", "must be true or false"]),
        ("disentangle", {"loss": "speech_people", "reads": "window"}, ["losses.mine.reads", "did you mean windows"]),
        ("disentangle", {"loss": "modality", "network": 3}, ["network"]),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(stage, options, words):
    with pytest.raises(InputError) as error:
        criterion_of(network(stage=stage), {"mine": {"weight": 1, **options}})
    assert all(word in str(error.value) for word in words) and len(str(error.value).splitlines()) == 1, str(error.value)


def test_people_must_be_told_for_them_to_be_hidden():
    with pytest.raises(InputError, match="losses.speech_people: needs people to tell apart; set model.people"):
        criterion_of(network(people=0), {"speech_people": {"weight": 1}})
    with pytest.raises(InputError, match="losses.modality: needs audio_speech"):
        build_criterion({"modality": {"weight": 1}}, Setting())
