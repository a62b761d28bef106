"""Networks and losses at a small size, each with what it is called with: for tests of precision and of compiling."""

from functools import cache
from pathlib import Path
from unittest import mock

import torch

from losses.criterion import LOSSES
from losses.term import Setting
from models import MODELS, build_model, vgg
from models.lips.motion import MARGIN
from models.lips.sync import CONTEXT
from models.precision import unit_length
from speech.arpabet import PHONES
from tests.diffusion_kit import AUTOENCODER
from tests.diffusion_kit import SMALL as DIFFUSION

BIG = ("syncnet_v2", "fid_inception", "vgg19")  # judges, which take no gradient; half precision is slow on CPUs
THIN = tuple(tuple(channels // 8 for channels in group) for group in vgg.CHANNELS)  # of VGG-19


def seeded(build):
    torch.manual_seed(3)
    return build()


def network(name, **options):
    """A network in eval mode whose batch statistics are those of a batch, so that its maps have a usual size."""
    small = {} if name in ("lip_landmarks", "lip_motion", "lip_sync", *BIG) else {"width": 0.25}
    small = {"face_size": 64, "width": 0.125, "words": 20} if name == "davs" else small
    small = {"face_size": 96, "width": 0.125, "columns": 12} if name == "action_units" else small
    small = {"face_size": 64, "width": 0.125, "people": 3} if name == "pcavs" else small
    small = {key: value for key, value in DIFFUSION.items() if key != "name"} if name == "action_units_diffusion" else small
    small = {key: value for key, value in AUTOENCODER.items() if key != "name"} if name == "face_autoencoder" else small
    with mock.patch.object(vgg, "CHANNELS", THIN):
        model = seeded(lambda: build_model({"name": name, **small, **options}))
    with torch.no_grad():
        model.train()
        deep = ("identity_encoder.", "decoder.")  # of DAVS: 35 norms in a row, each of which enlarges what rounding did before
        for place, module in model.named_modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = 0.5 if place.startswith(deep) else 1.0
        if name not in BIG:
            call(model, inputs_of(name, model))
    return model.eval()


def inputs_of(name, model, count=4):
    """Arguments for a network of the table."""
    generator = torch.Generator().manual_seed(4)

    def rand(*size):
        return torch.rand(size, generator=generator)

    mel = rand(count, 1, 80, 16) * 8 - 4
    labels = torch.randint(0, 64, (count, 96, 96), generator=generator)
    if name == "wav2lip":
        faces = rand(count, 6, 96, 96)
        gate = torch.randint(0, len(PHONES), (count,), generator=generator) if model.audio_gate is not None else None
        return mel, faces, gate, labels if model.spatial_input is not None else None
    return {
        "syncnet_color": lambda: (mel, rand(count, 15, 48, 96)),
        "disc_quality": lambda: (rand(count, 3, 96, 96),),
        "disc_conditional": lambda: (mel, rand(count, 3, 96, 96), rand(count, 3, 96, 96)),
        "lip_landmarks": lambda: (rand(count, 3, 96, 96),),
        "lip_motion": lambda: (rand(count, 3 + 2 * MARGIN, 288), rand(count, 20, 2)),
        "lip_sync": lambda: (rand(count, 12, 20, 2), rand(count, 12, 288)),
        "lip_refiner": lambda: (rand(count, 3, 48, 48), rand(count, 4, 48, 48)),
        "word_reader": lambda: (rand(count, 5, 3, 12, 12).repeat_interleave(8, 3).repeat_interleave(8, 4),
                                rand(count, 5) > 0.5),
        "davs": lambda: (rand(count, 3, 4, 4).repeat_interleave(16, 2).repeat_interleave(16, 3),
                         rand(count * 12, 20, 12) * 40 - 20),  # noise alone would make all persons alike
        "syncnet_v2": lambda: (rand(count, 1, 13, 20) * 20, rand(count, 3, 5, 224, 224) * 255),
        "fid_inception": lambda: (rand(count, 3, 96, 96),),
        "action_units": lambda: (rand(count, 3, 12, 12).repeat_interleave(8, 2).repeat_interleave(8, 3),
                                 rand(count * 6, 12, 12) * 40 - 20),
        "action_units_diffusion": lambda: (rand(count, 3, 12, 12).repeat_interleave(8, 2).repeat_interleave(8, 3),
                                           rand(count * 6, 12, 12) * 40 - 20),
        "face_autoencoder": lambda: (rand(count, 3, 12, 12).repeat_interleave(8, 2).repeat_interleave(8, 3),),
        "pcavs": lambda: (rand(count, 3, 4, 4).repeat_interleave(16, 2).repeat_interleave(16, 3), rand(count, 1, 80, 20)),
        "vgg19": lambda: (rand(count, 3, 32, 32),),
    }[name]()


def all_of_davs(model, faces, mfcc):
    """All that a DAVS network makes of faces (N, 3, S, S) and of the sound of 12 frames each."""
    identity, heard = model.identify(faces), model.hear(mfcc)
    words = model.classify(heard.unflatten(0, (-1, 12)))
    return (model.watch(faces), heard, *identity, model.draw(identity, heard[: len(faces)]), words)


def all_of_action_units(model, faces, mfcc):
    """All that a network of action units makes of faces (N, 3, S, S) and of the sound of 6 frames each."""
    identity, features = model.identify(faces), model.hear(mfcc)
    codes = model.fuse(identity, features.unflatten(0, (len(faces), -1)))
    drawn = model.paint(identity, codes[:, 0])
    return (features, model.audio_to_units(mfcc)[1], identity.code, codes, drawn, model.read_units(drawn))


def all_of_diffusion(model, faces, mfcc):
    """What a diffusion renderer says of noise that it sees beside faces (N, 3, S, S) and the sound of 6 frames each."""
    person = model.identify(faces)
    codes = model.fuse(person, model.hear(mfcc).unflatten(0, (len(faces), -1)))
    noise = torch.randn(person.latents.shape, generator=torch.Generator().manual_seed(5))
    steps = torch.full((len(faces),), 500)
    return codes, person.latents, model.unet(noise, steps, person.latents, person.latents, model.conditions(codes)[:, 2])


def all_of_autoencoder(model, faces):
    """Latents of faces (N, 3, S, S), and faces of latents, without the codebook, whose choice is no smooth function."""
    latents = model.autoencoder.encode(faces)
    return latents, model.autoencoder.decode(latents)


def all_of_pcavs(model, faces, log_mel):
    """All that a PC-AVS network makes of faces (N, 3, S, S) and of one window of sound each."""
    identity, features, heard = model.identify(faces), model.watch(faces), model.hear(log_mel)
    pose = model.pose(features)
    rest = () if identity.codes is None else (identity.codes, identity.landmarks)
    seen = (identity.code, identity.maps, *identity.levels, *rest, features, model.mouth(features))
    return (*seen, heard, pose, model.paint(identity, heard, pose))


CALLS = {"wav2lip": "generate", "syncnet_color": "embed", "disc_quality": "logits", "disc_conditional": "logits",
         "lip_landmarks": "find", "lip_motion": "lips", "lip_sync": "embed", "lip_refiner": "refined",
         "word_reader": "read"}  # fmt: skip
FUNCTIONS = {"davs": all_of_davs, "action_units": all_of_action_units, "action_units_diffusion": all_of_diffusion,
             "face_autoencoder": all_of_autoencoder, "pcavs": all_of_pcavs}  # fmt: skip


def call(model, arguments):
    """(N, ...) outputs of a network, one after the other."""
    name = next(name for name, kind in MODELS.items() if type(model) is kind)
    made = FUNCTIONS[name](model, *arguments) if name in FUNCTIONS else getattr(model, CALLS.get(name, "forward"))(*arguments)
    return made if isinstance(made, tuple) else (made,)


NETWORKS = [*((name, {}) for name in MODELS), ("wav2lip", {"audio_gate": True, "spatial_input": True}),
            ("pcavs", {"reads_lips": True, "moves_portrait": True})]  # fmt: skip


def with_unseen_classes(model):
    """A gate that has seen two classes and learned to use them; a spatial input, and heads of a refiner, that are in use."""
    if getattr(model, "audio_gate", None) is not None:
        table = model.audio_gate.table
        table.update(torch.tensor([1, 2]), torch.tensor([0.4, 0.9]), torch.tensor([True, True]))
        assert int(table.seen.sum()) == 2
        with torch.no_grad():
            model.audio_gate.beta.fill_(0.7)
    if getattr(model, "spatial_input", None) is not None:
        with torch.no_grad():
            model.spatial_input.colour.weight.normal_(0, 0.1)
            model.spatial_input.position.weight.normal_(0, 0.1)
    if hasattr(model, "smooth"):
        with torch.no_grad():
            for head in model.heads():
                head.weight.normal_(0, 0.02)
    return model


TERMS = {  # options of a config beside the weight
    "l1": {"gradient": 1.0, "mouth_weight": 3.0},
    "laplacian": {},
    "sync": {"expert": "expert"},
    "adversarial": {"discriminator": ["quality", "conditional"], "width": 0.25},
    "sync_classification": {},
    "sync_choice": {},
    "landmark_distance": {},
    "temporal_lip": {},
    "spatial_texture": {},
    "sync_contrast": {},
    "sync_landmarks": {},
    "temporal_motion": {"unit": "run"},
    "lip_coefficients": {},
    "lip_opening": {},
    "lip_velocity": {},
    "lip_spread": {},
    "sync_movement": {},
    "lip_distance": {},
    "lip_patches": {"channels": 8},
    "drawn_l1": {"region": "davs_mouth"},
    "drawn_motion": {},
    "drawn_still": {},
    "association": {"frames": 2},
    "word_classification": {},
    "person_classification": {},
    "identity_contrast": {},
    "identity_constancy": {},
    "landmark_heatmaps": {"sigma": 2.0},
    "identity_words": {},
    "speech_people": {},
    "modality": {},
    "drawn_adversarial": {},
    "action_unit_bce": {},
    "action_unit_dice": {},
    "identity_upper": {},
    "face_motion": {},
    "perceptual_units": {"classifier": "classifier"},
    "perceptual_vgg": {"weights": "vgg19"},
    "codebook": {},
    "noise_error": {},
    "speech_contrast": {"frames": 2, "shift": 1},
    "mouth_match": {},
    "portrait_moves": {},
    "pose_blind": {},
    "pose_reading": {},
    "two_scale": {"width": 0.125, "adversarial": 0.1},
    "drawn_vgg": {"weights": "vgg19"},
    "crossed_cycle": {"relative": True},
    "crossed_moments": {},
    "view_alignment": {"reach": 2},
}


@cache
def pcavs():
    """A network of motion that gives all outputs."""
    model = {"name": "pcavs", "face_size": 64, "width": 0.125, "people": 3, "crossed": "swap", "second_view": True}
    return build_model({**model, "moves_portrait": True})


def setting_of(name):
    """What the loss of that name may ask for; those of DAVS and of motion ask for the sizes of the network."""
    common = {"load": lambda path, network, key=None: Found(network), "released": lambda name: name}
    room = LOSSES[name].__module__.split(".")[1]
    if room == "motion":
        return Setting(**common, model=pcavs(), width=0.125)
    if room != "davs":
        return Setting(**common)
    sizes = {"words": 7, "people": 3, "speech_frames": 4, "speech_stride": 1, "drawn_frames": 2, "identity_frames": 3}
    model = build_model({"name": "davs", "face_size": 96, "width": 0.125, **sizes})
    return Setting(**common, model=model, face_size=96, width=0.125)


def see_a_batch(criterion, outputs, batch):
    """Put a criterion in eval mode, with the statistics of a batch in the norms of its adversaries.

    With those at the start, the gradients of a deep discriminator are smaller than the least number of float16.
    """
    for adversary in criterion.adversaries().values():
        for module in adversary.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = 1.0
        with torch.no_grad():
            adversary.train()(outputs, batch)
    criterion.eval()


class Found:
    """What training.checkpoint.load_checkpoint gives, of a fresh network."""

    config, path, sha256 = {"data": {}}, Path("found.safetensors"), "0" * 64

    def __init__(self, name):
        self.model = network(name)


def fields_and_outputs():
    """A batch of two windows of five frames, and what networks would give for it."""
    generator = torch.Generator().manual_seed(5)

    def rand(*size):
        return torch.rand(size, generator=generator)

    batch = {"face": rand(2, 5, 3, 96, 96), "reference_face": rand(2, 5, 3, 96, 96), "mel": rand(2, 5, 1, 80, 16) * 8 - 4,
             "sync_mel": rand(2, 1, 80, 16) * 8 - 4, "landmarks": rand(2, 5, 68, 2) * 96,
             "identity_landmarks": rand(2, 68, 2) * 96, "valid": torch.ones(2, 5),
             "lip_drawing": rand(2, 5, 4, 96, 96),
             "phoneme": torch.randint(0, len(PHONES), (2, 5), generator=generator), "run": torch.tensor([[0, 0, 1, 1, 2]] * 2),
             "module": torch.randint(0, 64, (2, 5, 96, 96), generator=generator),
             "in_sync": torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]]),
             "speech": rand(2, 5 + 2 * CONTEXT, 288), "sync_lips": rand(2, 5 + 2 * CONTEXT, 20, 2),
             "sync_rest": rand(2, 20, 2), "lips": rand(2, 5, 20, 2) / 10, "amplitude": rand(2) + 0.5,
             "mfcc": rand(2, 5, 20, 12) * 8 - 4, "identity_face": rand(2, 3, 96, 96), "spoken_word": torch.tensor([4, -1]),
             "speaker": torch.tensor([-1, 2]),
             "action_units": (rand(2, 5, 5) > 0.6).float(),
             "action_units_known": torch.tensor([[True] * 5, [True, False, True, True, False]])}  # fmt: skip
    outputs = {"face": rand(2, 5, 3, 96, 96), "mouth": rand(2, 5, 20, 2) * 96,
               "audio_embedding": unit_length(rand(6, 64)).unflatten(0, (2, 3)),
               "face_embedding": unit_length(rand(2, 64)), "sync_scale": torch.tensor([10.0, 10.0]),
               "lips": rand(2, 5, 20, 2) / 10,
               "lip_embedding": unit_length(rand(10, 64) - 0.5).unflatten(0, (2, 5)),
               "sound_embedding": unit_length(rand(10, 64) - 0.5).unflatten(0, (2, 5)),
               "audio_face": rand(2, 2, 3, 96, 96), "video_face": rand(2, 2, 3, 96, 96), "drawn": torch.tensor([1, 3]),
               "audio_speech": rand(2, 4, 32) - 0.5, "video_speech": rand(2, 4, 32) - 0.5, "audio_words": rand(2, 7) - 0.5,
               "video_words": rand(2, 7) - 0.5, "heatmaps": rand(2, 4, 68, 24, 24), "heard": torch.tensor([0, 1, 3, 4]),
               "identity_codes": rand(2, 3, 32) - 0.5, "identity_maps": rand(2, 3, 8, 24, 24) - 0.5,
               "identity_people": rand(2, 3, 3) - 0.5, "drawn_units": rand(2, 5, 5) * 4 - 2,
               "latents": rand(2, 5, 3, 24, 24), "latent_codes": rand(2, 5, 3, 24, 24), "code_shares": rand(16) / 8,
               "noise_predicted": rand(2, 3, 3, 24, 24), "noise": rand(2, 3, 3, 24, 24),
               "noised_frames": torch.tensor([[0, 2, 3], [1, 2, 4]]),
               "audio_mouth": rand(2, 5, 16) - 0.5, "video_mouth": rand(2, 5, 16) - 0.5, "crossed_face": rand(2, 2, 3, 96, 96),
               "audio_moves": rand(2, 5, 68, 2) / 10, "video_moves": rand(2, 5, 68, 2) / 10,
               "pose_people": rand(2, 3) * 4, "pose_reader": rand(2, 3) * 4,
               "mouth_codes": rand(2, 5, 12) - 0.5, "pose_codes": rand(2, 5, 4) - 0.5}  # fmt: skip
    for name, frames in (("crossed", 2), ("wanted", 2), ("view", 5), ("expected", 5)):
        outputs |= {f"{name}_mouth": rand(2, frames, 12) - 0.5, f"{name}_pose": rand(2, frames, 4) - 0.5}
    return batch, outputs
