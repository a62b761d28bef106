"""Which arguments of prepare.py go together, and their ranges."""

from common.errors import InputError
from common.places import check_folder, refuse_inputs
from datasets.action_units import OPENFACE
from datasets.clip_ids import is_utf8, printable
from datasets.preparing.phones import WAYS, require_aligner
from datasets.preparing.settings import SPLITTING, PrepareSettings
from datasets.preparing.speech import MOST_VOICES
from datasets.preparing.split import SHARES
from faces.detectors import DETECTORS
from faces.texture import TextureSpec, block_size

# Corpora in a published layout, which have windows of MFCC in place of a sound: what each is called, and which crops it has.
LAYOUTS = {"davs": ("DAVS", ("davs",)), "au": ("action units", ("au128", "au112"))}
WRITES = ("davs_layout", "au_layout")  # options that write clips that are prepared already
MOST_DELAY = 2.0  # seconds
PREPARING = ("crop", "raw_crops", "size", "fps", "detector", *SPLITTING, "align", "language", "realign", "av_offset",
             "sound_delay", "min_face", "trust_detector")  # options that decide how clips are prepared


def check_arguments(args):
    """InputError for arguments of prepare.py that cannot be, or that would have no effect.

    Args:
        args: argparse.Namespace of prepare.py; `given` is the set of the options that stand in the command.
    """
    afterwards = args.measure_av_offset or args.correct_av_offset
    adds = args.texture or afterwards or args.speech_features or args.split is not None
    adds = adds or any(getattr(args, name) is not None for name in WRITES)
    adds = adds or args.action_units is not None
    if (args.corpus is None) != (args.root is None) or (args.corpus is None and not adds):
        raise InputError("give both --corpus and --root; or neither, with --texture, --speech_features, --measure_av_offset, "
                         "--split, --davs_layout, --au_layout or --action_units, for clips that are there already")  # fmt: skip
    if args.corpus is not None and args.split is not None:
        raise InputError("--split places clips anew that are prepared already; give it without --corpus and --root, or prepare "
                         "with --val_share, --test_share, --val_speakers, --unseen_speakers and --split_seed")  # fmt: skip
    for name in WRITES:
        if args.corpus is not None and getattr(args, name) is not None:
            raise InputError(f"--{name} writes clips that are prepared already; give it without --corpus and --root")
    if args.corpus is None and args.words:
        raise InputError("--words reads the times of words from the corpus; give --corpus and --root, too")
    if args.corpus is None and args.action_units == OPENFACE:
        raise InputError("--action_units openface counts the frames of the videos; give --corpus and --root, too")
    if args.action_units == OPENFACE and args.au_csv is None:
        raise InputError("--action_units openface: give the folder of OpenFace's csv, too, as --au_csv")
    if args.corpus is not None and afterwards:
        raise InputError("--measure_av_offset and --correct_av_offset are for clips that are prepared already; give them "
                         "without --corpus and --root, or prepare with --av_offset measure or correct")  # fmt: skip
    _check_effects(args, afterwards)
    if not is_utf8(args.out):
        raise InputError(f"--out {printable(args.out)}: the folder's name is not UTF-8; choose another one")
    check_folder(args.out)
    refuse_inputs(args.out, [args.root], "--out")
    for name in WRITES:
        if (target := getattr(args, name)) is not None:
            check_folder(target, inputs=[args.out], flag=f"--{name}")
            refuse_inputs(target, [args.out], f"--{name}")
    if not abs(args.sound_delay) <= MOST_DELAY:  # NaN is neither
        raise InputError(f"--sound_delay {args.sound_delay:g}: must lie between -{MOST_DELAY:g} and {MOST_DELAY:g} seconds")
    if args.detector not in DETECTORS:
        raise InputError(f"--detector {args.detector}: unknown; choose one of {', '.join(DETECTORS)}")
    if args.align not in WAYS:
        raise InputError(f"--align {args.align}: unknown; choose one of {', '.join(WAYS)}")
    require_aligner(args.align, args.language)
    if not 32 <= args.size <= 1024:
        raise InputError(f"--size {args.size}: must lie between 32 and 1024")
    if not 1 <= args.fps <= 120:
        raise InputError(f"--fps {args.fps}: must lie between 1 and 120")
    for name, least in (("workers", 1), ("min_face", 0), ("time_limit", 0), ("limit", 1)):
        if (value := getattr(args, name)) is not None and not value >= least:
            raise InputError(f"--{name} {value:g}: must be {least} or more")
    if not 0 <= args.voices <= MOST_VOICES:
        raise InputError(f"--voices {args.voices}: must lie between 0 and {MOST_VOICES}")
    val = PrepareSettings.val_share if args.val_share is None else args.val_share
    test = PrepareSettings.test_share if args.test_share is None else args.test_share
    if not (val >= 0 and test >= 0 and val + test < 1):  # NaN is neither
        raise InputError("--val_share and --test_share must be 0 or more, and their sum below 1")
    try:
        TextureSpec(args.clusters, args.compactness)
        if args.corpus is not None:
            block_size(args.size, args.size, args.clusters)
    except InputError as error:
        raise InputError(f"--{error}") from error


def settle_layout(args):
    """Give `args` what a published layout decides (--corpus davs, au): its crop, its rate, and no sound; of DAVS its words.

    Raises:
        InputError: an option that asks for something else, for a sound, or for crops.
    """
    if args.corpus not in LAYOUTS:
        return
    what, crops = LAYOUTS[args.corpus]
    decided = {"crop": crops, "fps": (25,), "av_offset": ("off",), "align": ("none",), "sound_delay": (0.0,)}
    for name, values in decided.items():
        if name in args.given and getattr(args, name) not in values:
            raise InputError(f"--{name} {getattr(args, name)}: a corpus in the layout of {what} holds aligned faces of "
                             f"25 frames a second and no sound; leave it out, or give {' or '.join(map(str, values))}")
        if name not in args.given:
            setattr(args, name, values[0])
    if args.raw_crops:
        raise InputError(f"--raw_crops: the faces of a corpus in the layout of {what} are cropped already; leave it out")
    for name in ("speech_features", "realign", "av_judge"):
        if name in args.given:
            raise InputError(f"--{name}: needs a sound, and a corpus in the layout of {what} holds windows of MFCC alone; "
                             "leave it out")  # fmt: skip
    if args.corpus == "davs":
        args.words = True
        return
    for name, wrong in (("words", args.words), ("action_units", args.action_units == OPENFACE)):
        if wrong:
            told = "holds no words" if name == "words" else "has a csv beside each face, which is read anyway"
            raise InputError(f"--{name}: a corpus in the layout of {what} {told}; leave it out")


def _check_effects(args, afterwards):
    """InputError for options that would have no effect."""
    if args.split not in (None, SHARES) and (given := [name for name in SPLITTING if name in args.given]):
        raise InputError(f"--{given[0]} has no effect where --split names a file; leave it out, or give --split {SHARES}")
    allowed = SPLITTING if args.split == SHARES else ()
    for name in PREPARING if args.corpus is None else ():
        if name in args.given and name not in allowed:
            raise InputError(f"--{name} decides how clips are prepared; give --corpus and --root, too, or leave it out")
    if args.raw_crops and args.crop == "pcavs":
        raise InputError("--raw_crops has no effect with --crop pcavs, which is laid as published anyway; leave it out")
    measures = afterwards if args.corpus is None else args.av_offset != "off"
    needs = {"clusters": (args.texture, "--texture"), "compactness": (args.texture, "--texture"),
             "voices": (args.speech_features, "--speech_features"),
             "av_judge": (measures, "--measure_av_offset or --correct_av_offset, or --corpus without --av_offset off"),
             "au_csv": (args.action_units == OPENFACE, "--action_units openface"),
             "retry_failed": (args.corpus or args.speech_features or args.action_units,
                              "--corpus, --speech_features or --action_units")}  # fmt: skip
    for name, (there, what) in needs.items():
        if name in args.given and not there:
            raise InputError(f"--{name} has no effect without {what}; leave it out")
