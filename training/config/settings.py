"""The settings of a run: each key once, with its default, its range and its meaning. docs/training.md prints this table."""

import copy

from common.errors import InputError
from common.schema import REQUIRED, Choice, Either, Flag, Free, ListOf, Named, Number, Section, Text
from datasets.centring import CENTRES
from datasets.fields.window import IDENTITIES
from datasets.negatives import NEAR
from speech.windows import MODES
from training.logging.rows import RESERVED

COUNT = 10**9  # more steps than any run takes
RATES = ("lr", "betas", "weight_decay")  # what a part of the network may have of its own

_beta = Number(REQUIRED, 0, 1, below=True)
_share = Number(REQUIRED, 0, 1)
_text = Text(REQUIRED)
_path = Text(REQUIRED, words="the path of a checkpoint")


def _require_a_share(values, where):
    if not values["near"] + values["far"] + values["other"] > 0:
        raise InputError(f"{where}: near, far and other must not all be 0")


def _complete_parts(values, _where):
    """What a part does not say, it takes from the section."""
    common = {key: values[key] for key in RATES}
    values["parts"] = {name: copy.deepcopy({**common, **part}) for name, part in values["parts"].items()}


def _optimiser(lr, betas, warmup):
    """Keys of an optimiser, in words that do for the network and for the discriminators."""
    return {
        "lr": Number(lr, 0, 1, "learning rate of AdamW, after the warm-up", above=True),
        "betas": ListOf(_beta, betas, "shares of the old mean that AdamW keeps, of gradients and of their squares", length=2),
        "weight_decay": Number(0.0, 0, 1, "of AdamW; with 0 it is Adam"),
        "warmup": Number(warmup, 0, COUNT, "steps over which the rate rises", whole=True),
        "clip": Number(1.0, 0, 10**6, "greatest norm of the gradient; 0: any"),
    }


_model = Free(
    {"name": "wav2lip", "face_size": 96, "width": 1.0},
    "{name: wav2lip}",
    "replaced as a whole by a config without a base. `wav2lip`, `syncnet_color` (expert; also `frames`), `lip_landmarks` (no "
    "width), `lip_sync` (`features`, `width` in channels, `dimension`, `dropout`), `lip_motion` (`features`, `hears`, `width` "
    "in channels, `dropout`, `deaf`, `audio_gate`), `lip_refiner` (also `portrait`, `gap`, `loose`, `paints`), `davs` "
    "(`stage` words, disentangle or generate, `words`, `people`, `speech_frames`, `speech_stride`, `drawn_frames`, "
    "`identity_frames`, `identity_stride`, `dropout`, `identity_levels`, `speech_levels`), `action_units` (`stage` audio, "
    "classifier or fusion, `columns`, `temporal` gru, tcn or tcsan, `attention` features or frames, `unit_codes`, "
    "`unit_reader`, `dropout`), `face_autoencoder` (`codes`, `depth`), `pcavs` (`stage` landmarks, identity, speech, pose or "
    "generate, `people`, `pose`, `read_frames`, `drawn_frames`, `crossed` none, swap or random, `mixed`, `second_view`, "
    "`reads_lips`, `moves_portrait`, `normed_codes`, `own_pose`) or `action_units_diffusion` (`columns`, "
    "`temporal`, `attention`, `unit_codes`, `unet_width`, `autoencoder_width`, `codes`, `depth`, `frames`, "
    "`predicts` noise or velocity, `shuffled`, `steps` of DDIM). "
    "`face_size` 96, 128, 192, 256 or 384 (`davs`: 64 to 256; `pcavs`: 64, 96, 112, 128, 224, 256; the three of action "
    "units: 96, 112, 128), as prepared; "
    "`width` 0.25 to 1 (`davs`, `pcavs`, `action_units`, `action_units_diffusion`: from 0.125; `face_autoencoder`, "
    "`unet_width`, `autoencoder_width`: from 0.0625); `audio_gate` ([temporal.md](temporal.md)), `spatial_input` "
    "([spatial.md](spatial.md))",
)
_losses = Named(Free(REQUIRED, "{weight: 1.0}"), "loss", "see below; null takes away a loss of the base", reserved=RESERVED)

_data = Section({
    "corpus": Text(None, "folder that prepare.py made"),
    "crop": Choice(None, ("aligned", "box", "davs", "au112", "au128", "pcavs"),
                   "what the corpus must hold; null: whatever it holds"),
    "window": Number(5, 1, 1000, "frames of an item, of which the expert judges the first 5; phoneme: whole phoneme runs, "
                     "padded to `data.longest`; padding counts in no loss", whole=True, others=("phoneme",)),
    "longest": Number(12, 2, 1000, "frames of a padded window; a longer run is cut", whole=True),
    "phonemes": Choice("aligned", ("aligned", "shuffled"), "shuffled: the runs of each clip in random order, a control"),
    "workers": Number(1, 0, 256, "loader processes", whole=True),
    "audio_window": Choice("centred", MODES, "mel window of a frame, see `speech/windows.py`"),
    "mask_top": Number(0.5, 0.1, 0.5, "share of the crop's height from which on the model makes up the face"),
    "balance": Number(1.0, 0, 1, "1: all clips alike, 0: all speakers alike"),
    "texture": Section({
        "clusters": Number(64, 1, 65536, "number of texture modules of the reference, for `model.spatial_input`", whole=True),
        "compactness": Number(10.0, 0, 10**6, "how much place counts in them beside colour", above=True),
    }),
    "min_av_confidence": Number(None, 0, 1000, "leave out clips whose AV offset is less certain, or not made up for to half a "
                                "frame; sure: as `av_sure` of the manifest says", others=("sure",)),
    "part": ListOf(_share, [0.0, 1.0], "training clips whose id hashes into this share, so that two networks may learn from "
                   "disjoint halves", length=2, rising=True),
    "speakers": ListOf(_text, None, "people whose training clips are taken, such as `[s1, s2]`, so that two networks may learn "
                       "from disjoint people; null: all", least=1),
    "negatives": Section({
        "near": Number(0.5, 0, 1000, f"share of the expert's negatives that lie up to {NEAR} frames away"),
        "far": Number(0.25, 0, 1000, "share of those that lie further away in the clip"),
        "other": Number(0.25, 0, 1000, "share of those from another clip of the speaker"),
        "least": Number(1, 1, NEAR, "frames that a near one is away at least", whole=True),
        "sounds": Number(1, 1, 256, "sounds that a window is heard with; 1: its own, or a negative one", whole=True),
    }, rule=_require_a_share),
    "centre": Choice(None, CENTRES, "word: every window is centred on a spoken word, in training to within a frame, and clips "
                     "without words are left out (`prepare.py --words`); known: windows of clips without words lie anywhere"),
    "identity": Choice(None, IDENTITIES, "whose face the field `identity_face` is: same: of another clip of the person, where "
                       "there is one; elsewhere: of this clip, away from the window; clip: any frame of this clip; first: the "
                       "first frame of this clip; null: as the network asks, else same. A face of this clip is moved, turned "
                       "and zoomed as the window is"),
    "action_units": Choice(None, ("required",), "required: clips without action units are left out "
                           "(`prepare.py --action_units`), and counted, even where no field needs them"),
    "exclude": ListOf(_text, None, "clip ids, or beginnings of ids, to leave out, such as `[s3/, s4/bbaf2n]`"),
    "augment": Section({
        "flip": Number(0.5, 0, 1, "random changes of training items ([augment.py](../datasets/augment.py)): probability of "
                       "being mirrored"),
        "shift": Number(0, 0, 1000, "moved: pixels at most", whole=True),
        "turn": Number(0.0, 0, 180, "turned: standard deviation in degrees"),
        "zoom": Number(0.0, 0, 2, "zoomed: standard deviation of the size's logarithm"),
        "colour": Number(0.0, 0, 2, "gain and offset of the colours: standard deviation"),
        "blur": Number(0.0, 0, 1, "probability of being out of focus"),
        "grain": Number(0.0, 0, 1, "pixel noise: standard deviation at most"),
        "gain_db": Number(0.0, 0, 100, "loudness: standard deviation in dB"),
        "noise": Number(0.0, 0, 1, "probability of a raised noise floor"),
        "silence": Number(0.0, 0, 1, "probability that a window without speech becomes digital silence"),
        "voice": Number(0.0, 0, 1, "probability that a window is heard in a changed voice (prepare.py --speech_features), "
                        "which landmarks follow in time; for configs without pictures"),
    }),
})  # fmt: skip

_part = Section({key: kind for key, kind in _optimiser(1e-4, [0.9, 0.999], 0).items() if key in RATES}, partial=True)
_optim = Section({
    **_optimiser(1e-4, [0.9, 0.999], 100),
    "schedule": Choice("constant", ("constant", "cosine"), "of the rate; cosine: down to 2 % at `train.steps`"),
    "parts": Named(_part, "part", "rates of single parts of the network, such as `{face_decoder: {lr: 1e-5}}`; what a part "
                   "does not say is that of `optim`; null takes away a part of the base"),
}, rule=_complete_parts)  # fmt: skip

_start = Section({"checkpoint": _path, "parts": ListOf(_text, None, least=1)})
_train = Section({
    "batch_size": Number(16, 1, 65536, "items a step and process", whole=True),
    "accumulate": Number(1, 1, 65536, "batches whose gradients are summed into one step", whole=True),
    "steps": Number(100000, 1, COUNT, "steps of the whole run", whole=True),
    "minutes": Number(None, 0, 10**6, "stop after so many minutes of this start; the same command goes on"),
    "seed": Number(0, 0, 2**32 - 1, "of first weights and items", whole=True),
    "device": Text("auto", "`cuda`, `cuda:1`, `cpu`; auto: a GPU where there is one"),
    "precision": Choice("auto", ("auto", "fast", "fp32", "bf16", "fp16"),
                            "auto: bf16 on GPUs that have it, else fp32; fast: bf16 on processors that have it, too"),
    "compile": Flag(False, "torch.compile the network"),
    "sync_batchnorm": Flag(True, "batch statistics of the whole step over all processes"),
    "threads": Number(None, 0, 1024, "torch's threads in each process; null, 0: torch decides", whole=True),
    "ema": Number(0.999, 0, 1, "share of the old average that a step keeps"),
    "init": Either(_path, ListOf(_start, REQUIRED, least=1), None,
                   "checkpoint to begin from; audio gate and texture input may be new in it. Or a list of `{checkpoint: PATH, "
                   "parts: [NAMES]}`, where `parts: null` takes all of it"),
    "freeze": ListOf(_text, [], "parts of the network that stay as they are, batch statistics included"),
    "runs": Text("runs", "folder of the run folders"),
    "log_every": Number(50, 1, COUNT, "steps between rows of the log", whole=True),
    "checkpoint_every": Number(1000, 1, COUNT, "steps between checkpoints, from which a stopped run goes on", whole=True),
    "validate_every": Number(1000, 1, COUNT, "steps between validations", whole=True),
    "validate_batches": Number(16, 1, 10**6, "always the same windows; of `val` and of `unseen`", whole=True),
    "best": Text(None, "validation metric whose least value makes `best.safetensors`; null: `val/total`, or `val/steady` where "
                 "a loss has trainable parts; of `unseen` where there is no val"),
    "keep": Number(3, 1, 10**6, "newest snapshots that are kept", whole=True),
    "snapshot_dtype": Choice("float32", ("float32", "float16", "bfloat16"), "of the safetensors"),
    "progress": Flag(True, "a bar on a terminal"),
    "curve": Flag(True, "`curve.png` is drawn when the run ends"),
    "print_every": Number(60, 0, 86400, "seconds between lines of progress where there is no terminal; 0: each row of the log"),
    "cpu_config": Text(None, "config of the same network for CPU cores, which is named where a run would take days on a CPU"),
    "tensorboard": Choice("auto", ("auto", "on", "off"), "auto: where it is installed"),
    "wandb": Text("off", "Weights & Biases", words="the name of a project, or off"),
})  # fmt: skip

CONFIG = Section({
    "name": Text(None, "of the run folder; null: the config's file name", pattern=r"\w[\w.-]{0,199}",
                 words="the name of a folder: letters, digits, . _ and -, 200 of them at most"),
    "model": _model,
    "data": _data,
    "losses": _losses,
    "optim": _optim,
    "adversary": Section(_optimiser(1e-4, [0.5, 0.999], 0)),
    "train": _train,
})  # fmt: skip
DEFAULTS = copy.deepcopy(CONFIG.default)
