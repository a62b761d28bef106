"""The methods of the comparison: of which trainings each consists, and what share of its minutes each of them has."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import zip_longest

from benchmarks.ablation.rows import CONDITIONAL, GATE, INPUT, SPATIAL, TEMPORAL

QUALITY = "losses.adversarial={weight: 0.07, discriminator: quality}"


@dataclass(frozen=True)
class Stage:
    """One training.

    Attributes:
        run: name of the run; methods that begin alike share it.
        config: file of configs/, without suffix.
        corpus: key of corpora.CORPORA.
        share: of the method's minutes.
        overrides: key.sub=value; "{people}" stands for the number of people in the corpus's training split.
    """

    run: str
    config: str
    corpus: str
    share: float
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        key: of files and folders. name: in the table.
        stages: tuple of Stage; their shares add up to 1.
        weights: "best" or "last", of the last stage's run.
        after: module of tools/ that turns these weights into those that draw, or None.
        options: of the driver, beside those of metrics.clips.generation.options_of: dict of pipeline.options.DriveOptions.
        baseline: key of the method that marks compare it with; None: with none.
    """

    key: str
    name: str
    stages: tuple[Stage, ...]
    weights: str = "last"
    after: str | None = None
    options: dict = field(default_factory=dict)
    baseline: str | None = "wav2lip"


def _painter(key, name, *overrides, **how):
    """A mouth painter of the line of Wav2Lip: most of its minutes L1 alone, which all of them share."""
    stages = (Stage("demo_l1", "demo_l1", "faces", 0.8), Stage(key, "ablation_small", "faces", 0.2, overrides))
    return Method(key, name, stages, **how)


UNITS = (  # what both forms of the fusion of action units begin with
    Stage("au_small_audio", "au_small_audio", "au", 0.2),
    Stage("au_small_classifier", "au_small_classifier", "au", 0.15),
)
SMALL = (
    _painter("wav2lip", "Wav2Lip", baseline=None),
    _painter("wav2lip_gan", "Wav2Lip + GAN", QUALITY),
    _painter("tcsc", "TC/SC", QUALITY, TEMPORAL),
    _painter("sto", "STO", CONDITIONAL, TEMPORAL, GATE, SPATIAL, INPUT),
    Method(
        "davs", "DAVS",
        (
            Stage("davs_small_landmarks", "davs_small_landmarks", "davs", 0.15),
            Stage("davs_small_words", "davs_small_words", "davs", 0.3),
            Stage("davs_small_disentangle", "davs_small_disentangle", "davs", 0.2, ("model.people={people}",)),
            Stage("davs_small", "davs_small", "davs", 0.35, ("model.people={people}",)),
        ),
    ),
    Method(
        "au", "AU fusion",
        (
            *UNITS,
            Stage("au_small_fusion", "au_small_fusion", "au", 0.65),
        ),
        weights="best",
    ),
    Method(
        "au_diffusion", "AU fusion, diffusion",
        (
            *UNITS,
            Stage("au_fusion_short", "au_small_fusion", "au", 0.2),
            Stage("au_small_autoencoder", "au_small_autoencoder", "au", 0.15),
            Stage(
                "au_small_diffusion", "au_small_diffusion", "au", 0.3,
                ("train.init=[{checkpoint: runs/au_fusion_short/best.safetensors, parts: [audio_to_units, identity_encoder, "
                 "speech_encoder, temporal]}, {checkpoint: runs/au_small_autoencoder/best.safetensors, "
                 "parts: [autoencoder]}]",),
            ),
        ),
        weights="best",
        options={"ddim_steps": 5},
    ),
    Method(
        "motion", "Motion",
        (
            Stage("motion_small_landmarks", "motion_small_landmarks", "motion", 0.15),
            Stage("motion_small_identity", "motion_small_identity", "motion", 0.1),
            Stage("motion_small_speech", "motion_small_speech", "motion", 0.25),
            Stage("motion_small_pose", "motion_small_pose", "motion", 0.2),
            Stage("pcavs_small", "pcavs_small", "motion", 0.2),
            Stage("motion_small", "motion_small", "motion", 0.1),
        ),
    ),
    Method(
        "lipwarp", "lipwarp", (Stage("lipwarp_motion", "lipwarp_motion", "faces", 1.0),), weights="best",
        after="tools.fit_lip_motion",
    ),
)  # fmt: skip


def _full(key, name, *stages, corpus):
    return Method(key, name, tuple(Stage(stage, stage, corpus, 1 / len(stages)) for stage in stages))


FULL = (
    _full("wav2lip", "Wav2Lip", "expert", "wav2lip", corpus="faces"),
    _full("wav2lip_gan", "Wav2Lip + GAN", "expert", "wav2lip_gan", corpus="faces"),
    _full("tcsc", "TC/SC", "expert", "tcsc", corpus="faces"),
    _full("sto", "STO", "expert", "sto", corpus="faces"),
    _full("davs", "DAVS", "davs_words", "davs_disentangle", "davs", corpus="davs"),
    _full("au", "AU fusion", "au_audio", "au_classifier", "au_fusion", corpus="au"),
    _full("au_diffusion", "AU fusion, diffusion", "au_audio", "au_classifier", "au_fusion", "au_autoencoder", "au_diffusion",
          corpus="au"),
    _full("motion", "Motion", "motion_landmarks", "motion_identity", "motion_speech", "pcavs", "motion", corpus="motion"),
    _full("lipwarp", "lipwarp", "lipwarp_motion", corpus="faces"),
)  # fmt: skip
FORMS = {"small": SMALL, "full": FULL}
OVERRIDES = {"small": ("train.precision=fast", "data.workers=0"), "full": ()}  # small: one process on one core
MINUTES = {"small": 45.0, "full": None}  # None: as many steps as the configs say
READER = Stage("word_reader", "word_reader", "faces", 1.0)


def in_turn(methods):
    """The same methods in an order in which neighbours begin with different trainings, so that none waits for the other.

    Args:
        methods: list of Method.
    """
    groups = defaultdict(list)
    for method in methods:
        groups[method.stages[0].run].append(method)
    return [method for round_ in zip_longest(*groups.values()) for method in round_ if method is not None]
