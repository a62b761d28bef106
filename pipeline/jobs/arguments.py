"""The flags of inference.py; those of the public Wav2Lip script keep their names and meaning."""

import argparse
import difflib

from common.errors import InputError
from common.version import __version__
from pipeline.jobs.folders import DEFAULT_FOLDER, has_folder

DEFAULT_OUTFILE = "results/result.mp4"


class Parser(argparse.ArgumentParser):
    """argparse with one line on a mistake, like every other mistake, and paths that may begin with a dash."""

    def error(self, message):
        raise InputError(f"{message} (python inference.py --help lists the flags)")

    def parse(self, argv):
        """Parse a list of arguments; a flag that takes a path takes the next word, unless that is itself a flag."""
        paths = {flag for action in self._actions if action.metavar == "PATH" for flag in action.option_strings}
        words, joined = iter(argv), []
        for word in words:
            if word in paths:
                value = next(words, None)
                if value is None or value.split("=")[0] in self._option_string_actions:
                    raise InputError(f"{word}: needs a path after it (write {word}=PATH for a path that is named like a flag)")
                word = f"{word}={value}"
            joined.append(word)
        args, unknown = self.parse_known_args(joined)
        if unknown:
            near = difflib.get_close_matches(unknown[0].split("=")[0], self._option_string_actions, n=1, cutoff=0.7)
            self.error(f"unknown flag {unknown[0]}" + (f"; did you mean {near[0]}?" if near else ""))
        return args


def parse(argv, description):
    """Command line -> argparse.Namespace, whose flags go together.

    Raises:
        InputError: an unknown flag, a value that it cannot have, or flags that exclude each other.
    """
    args = build_parser(description).parse(argv)
    _check_combination(args)
    return args


def build_parser(description=None):
    """argparse parser of all flags."""
    parser = Parser(prog="inference.py", description=description, allow_abbrev=False)
    add = parser.add_argument
    add("--face", metavar="PATH", help="video or picture with the face; or a folder of them, each with the sound of its name")
    add("--audio", metavar="PATH", help="speech: an audio file, or a video with sound; or a folder of them")
    add("--drive", metavar="PATH", help="video whose speech and expression are followed, in place of --audio; brings its sound")
    add("--pose", metavar="PATH", help="video whose head movement is followed, for a checkpoint that can; or the word\n"
        "still: the head keeps its pose")
    add("--outfile", metavar="PATH", help=f"video to write (default: {DEFAULT_OUTFILE}); its folder is made; with a "
        f"folder as --face or --audio: the folder for the results (default: {DEFAULT_FOLDER})")
    add("--checkpoint_path", metavar="PATH", help="weights: ours, or a .pth of Wav2Lip (default: checkpoints/lipwarp)")
    add("--jobs", metavar="PATH", help="table of face,audio,outfile[,drive,pose], as editors and spreadsheets write it: "
        "many jobs with one model load")

    face = parser.add_argument_group("face")
    add = face.add_argument
    add("--static", nargs="?", type=_boolean, const=True, default=False, help="use only the first frame of the video")
    add("--fps", type=_rate, help="frame rate of the result; for a picture, or an animated one (default: 25)")
    add(
        "--pads",
        nargs=4,
        type=int,
        metavar=("TOP", "BOTTOM", "LEFT", "RIGHT"),
        help="widen the face box (default: checkpoint's)",
    )
    add("--resize_factor", type=int, default=1, help="divide height and width of the video by this")
    add("--rotate", action="store_true", help="turn the video by 90 degrees clockwise")
    add("--crop", nargs=4, type=int, default=(0, -1, 0, -1), metavar=("TOP", "BOTTOM", "LEFT", "RIGHT"),
        help="use this part of the frames alone, in pixels; -1: up to the edge")
    add("--box", nargs=4, type=int, default=(-1, -1, -1, -1), metavar=("TOP", "BOTTOM", "LEFT", "RIGHT"),
        help="fixed face box, in pixels, in place of detection")
    add("--nosmooth", action="store_true", help="do not smooth the path of the face")
    add("--detector", default="mediapipe", help="mediapipe or face-alignment")
    add("--detector_weights", metavar="PATH", help="folder with the weight files of face-alignment (default: torch's cache)")
    add("--face_det_batch_size", type=int, default=8, help="frames in one detection batch (face-alignment)")
    add("--face_index", type=int, help="which of several faces, counted from 0, from left to right (default: the largest)")
    add("--face_near", type=_point, metavar="X,Y", help="the face nearest to this point, in pixels")
    add("--cache_dir", metavar="PATH", help="where face tracks are kept for next time (default: ~/.cache/talkingface)")
    add("--no_cache", action="store_true", help="keep no face track on disk")

    result = parser.add_argument_group("result")
    add = result.add_argument
    add("--loop", help="video shorter than the audio: pingpong, loop or hold (default: pingpong)")
    add("--reference", type=_reference, help="same, fixed, or the number of a frame (default: the checkpoint's way)")
    add("--compat", help="wav2lip: compute what the public Wav2Lip script computes")
    add("--optimise_face", action="store_true", help="give the drawn face the colours and the detail of the reference frame")
    add("--paste", help="how the face is laid over the frame: feather, laplacian or poisson (default: feather)")
    add("--output", help="frame, or crop: the aligned face alone, as large as the checkpoint draws it (default: frame;\n"
        "crop where a checkpoint draws what cannot be laid over a frame)")
    add("--amplitude", type=float, help="how far lips move, for a checkpoint that moves them (default: 1, as the person does)")
    add("--source_gap", type=int, help="for measuring: draw with no own frame nearer than so many frames to the drawn one")
    add("--refiner", help="checkpoint of a lip refiner that corrects the drawn face, or none (default: none)")
    add("--identity_steps", type=int, help="for DAVS: first train so many steps on the reference (default: 0; published: 5)")
    add("--speech_gain", type=float, help="for DAVS and motion: factor on the codes of the speech (default: 1;\n"
        "published: DAVS 1.5 for sound and 0.8 for a driving video, motion 1.2 for sound)")
    add("--stabilise", action="store_true", help="for DAVS and the direct form of action units: register each drawn face to\n"
        "the crop of the face video")
    add("--ddim_steps", type=int, help="for the diffusion renderer: steps of the sampler (default: the checkpoint's, 20;\n"
        "published: 200)")
    add("--pose_amplitude", type=float, help="for motion: how far the head moves (default: 1, as in the pose video)")
    add("--pose_smoothing", type=float, metavar="SECONDS", help="for motion: width of the kernel that smooths the movement\n"
        "of the head (default: 0.04)")
    add("--absolute_pose", action="store_true", help="for motion: take the pose of the pose video as it is, not relative to\n"
        "that of the face")
    add("--covered", help="frames in which something covers the mouth: keep them as they are, or draw over it (default: keep;\n"
        "draw with --compat, and where no frame shows the mouth)")
    add("--visible_mark", action="store_true", help="draw a small mark that says the face is synthetic")
    add("--preview", action="store_true", help="write one picture with box, crop and mask drawn, in place of the video")

    speech = parser.add_argument_group("speech", "for a checkpoint with an audio gate; without these, phones are recognised")
    add = speech.add_argument
    add("--transcript", metavar="PATH", help="text file with what is said")
    add("--align", metavar="PATH", help="word or phone times: GRID .align, LRS2 text, csv, json, TextGrid")
    add("--textgrid", metavar="PATH", help="the same, as a Praat TextGrid")
    add("--aligner", default="pocketsphinx", help="pocketsphinx or mfa")
    add("--language", default="en", help="of the words, such as de: needs espeak-ng, or --aligner mfa (default: en)")

    machine = parser.add_argument_group("machine")
    add = machine.add_argument
    add("--device", default="auto", help="auto, cuda, cpu or mps")
    add("--precision", default="auto", help="auto (fp16 on cuda, else fp32; fp32 with --compat), fp32, fp16 or bf16")
    add("--wav2lip_batch_size", type=int, help="most faces in one batch (default: 128 on a GPU, 16 on a CPU)")
    add("--threads", type=int, help="CPU threads of the model (default: all cores) and of the drawing (default: 2 to 4)")
    add("--version", action="version", version=__version__)
    return parser


def _boolean(text):
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")
    return known[text.lower()]


def _rate(text):
    from media.rates import as_rate

    return as_rate(text, "--fps")


def _point(text):
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not X,Y") from None
    return x, y


def _reference(text):
    return int(text) if text.isdecimal() else text


def _check_combination(args):
    folders = has_folder(args.face, args.audio)
    many = "--jobs" if args.jobs else "a folder as --face or --audio" if folders else ""
    if args.jobs and any((args.face, args.audio, args.drive, args.pose, args.outfile, args.preview)):
        raise InputError("--jobs: its rows name face, audio, drive, pose and outfile; leave these flags and --preview out")
    if not args.jobs and not args.face:
        raise InputError("--face: give the picture or video with the face, or --jobs")
    if args.audio and args.drive:
        raise InputError("--drive brings its own sound; leave --audio out")
    if not args.jobs and not args.preview and not args.audio and not args.drive:
        raise InputError("--audio: give the speech: an audio file, or a video with sound (or a driving video with --drive)")
    if folders and args.preview:
        raise InputError("--preview: shows one face; give a file as --face, and no folder")
    if many and (args.transcript or args.align or args.textgrid):
        raise InputError(f"{many}: the jobs have sounds of their own; leave --transcript, --align and --textgrid out")
    for flag in ("threads", "face_det_batch_size"):
        if getattr(args, flag) is not None and getattr(args, flag) < 1:
            raise InputError(f"--{flag} {getattr(args, flag)}: must be 1 or more")
