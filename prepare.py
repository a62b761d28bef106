#!/usr/bin/env python3
"""Prepare a corpus once: decode, track, crop, landmarks, mel, MFCC and phones, for training to read.

    python prepare.py --corpus grid --root GRID --out prepared/grid
    python prepare.py --corpus lrs2 --root LRS2 --out prepared/lrs2 --workers 16
    python prepare.py --corpus folder --root my_videos --out prepared/mine
    python prepare.py --corpus lrs2 --root LRS2 --out prepared/lrs2 --ray auto     # on a Ray cluster; folders are shared
    python prepare.py --out prepared/grid --texture     # only the texture modules, of clips that are prepared already
    python prepare.py --out prepared/grid --speech_features        # what the lip networks hear, of changed voices, too
    python prepare.py --out prepared/grid --action_units geometry  # action units of speech, by the stored landmarks
    python prepare.py --out prepared/grid --measure_av_offset      # note how far sound and picture are apart in them
    python prepare.py --out prepared/mine --split shares --val_share 0.2     # other clips validate; no face is cut anew
    python prepare.py --out prepared/grid --davs_layout DIR      # words of clips of --crop davs, for the published code of DAVS
    python prepare.py --out prepared/grid_au --au_layout DIR     # clips with action units, for the published code of these

The same command run again continues where it stopped and repeats nothing.
"""

import argparse
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from common.cli import run, when_interrupted
from common.errors import InputError
from common.folder_lock import FolderLock
from datasets.au_layout.writing import write_layout as write_units
from datasets.av_judge import JudgeOffset
from datasets.av_offset import MelOffset
from datasets.corpora import CORPORA, PUBLISHED, held_out_names, list_clips, unseen_speakers
from datasets.corpora.clips import ClipSource
from datasets.corpora.davs import davs_words
from datasets.davs.writing import write_layout as write_davs
from datasets.fields.speech import STORED, WIDE
from datasets.prepared import PreparedCorpus, read_manifest
from datasets.preparing import av_rows
from datasets.preparing.arguments import check_arguments, settle_layout
from datasets.preparing.au.labels import WAYS as AU_WAYS
from datasets.preparing.au.labels import add_action_units, check_csv_folder
from datasets.preparing.au.layout import add_units_of_layout
from datasets.preparing.av_correct import correct_corpus
from datasets.preparing.clips import prepare_corpus
from datasets.preparing.phones import align_corpus
from datasets.preparing.report import write_report
from datasets.preparing.requirements import MIN_FACE
from datasets.preparing.settings import PrepareSettings, av_way, begun_with
from datasets.preparing.speech import VOICES, add_speech
from datasets.preparing.split import SHARES, ensure_validation, settle_split, split_by_list, split_by_shares
from datasets.preparing.texture import add_texture
from datasets.preparing.words import add_words
from datasets.words import begin_vocabulary
from datasets.workers.cluster import ray_workers
from datasets.workers.jobs import Workers
from faces.eyes_nose import SIZE as AU_SIZE
from faces.shot_alignment import SIZE as PCAVS_SIZE
from faces.texture import CLUSTERS, COMPACTNESS, TextureSpec, block_size
from training.checkpoint import load_checkpoint

LOCK = "prepare.lock"  # of --out: a second prepare.py is told who works there
SIZES = {"au112": AU_SIZE, "au128": AU_SIZE, "pcavs": PCAVS_SIZE}  # usual sides of crops
MEL = "mel"  # in place of a judge
AV_JUDGES = tuple(Path(__file__).resolve().parent / "checkpoints" / f"lip_sync_{one}.safetensors" for one in "ab")


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--corpus", help=f"how the clips are laid out: {', '.join(CORPORA)}")
    parser.add_argument("--root", help="folder of the corpus")
    parser.add_argument("--out", required=True, help="folder for the prepared clips; made when missing")
    parser.add_argument("--crop", default="aligned",
                        choices=("aligned", "box", "davs", "au112", "au128", "pcavs"), help="face crop: aligned by eyes and "
                        "nose, a box, davs, the alignment of DAVS by eyes and mouth, au112, that of the action-unit papers "
                        "by eyes and nose, nearer to the face, au128, that of their published code, nearer still, or "
                        "pcavs, that of PC-AVS, with one scale and one turn for a shot "
                        "(default: aligned)")  # fmt: skip
    parser.add_argument("--raw_crops", action="store_true", help="lay each crop by the landmarks of its own frame alone, as "
                        "the published codes do; they tremble (default: crops are smoothed over time)")  # fmt: skip
    parser.add_argument("--size", type=int, help=f"side of the stored crops in pixels (default: 96, for au crops {AU_SIZE}, "
                        f"for pcavs {PCAVS_SIZE})")  # fmt: skip
    parser.add_argument("--fps", type=int, default=25, help="frame rate every clip is brought to (default: 25)")
    parser.add_argument("--detector", default="mediapipe", help="mediapipe or face-alignment (default: mediapipe)")
    parser.add_argument("--unseen_speakers", default="", help="speakers to hold out whole, separated by commas; "
                        "published: the test speakers of GRID or TCD-TIMIT, see docs/corpora.md (default: as the "
                        "corpus was begun)")  # fmt: skip
    parser.add_argument("--val_speakers", default="", help="speakers for validation, whole, separated by commas")
    parser.add_argument("--val_share", type=float, help="share of the other clips for validation (default: 0.05)")
    parser.add_argument("--test_share", type=float, help="share of the other clips for testing (default: 0.05)")
    parser.add_argument("--split_seed", type=int, help="another number takes other clips for validation and testing")
    parser.add_argument("--split", metavar="RULE", help="place clips that are prepared already in other splits; faces and side "
                        "files stay as they are. shares: by the five options above; or a text file: the id of a clip, or a "
                        "folder of ids such as s1/, and its split a line")  # fmt: skip
    parser.add_argument("--align", default="auto", help="where phones come from: auto (given times, else the transcript, "
                        "else recognition), given, pocketsphinx, mfa or none (default: auto)")  # fmt: skip
    parser.add_argument("--language", default="en", help="of the transcripts, such as de: needs espeak-ng, or --align mfa "
                        "(default: en)")  # fmt: skip
    parser.add_argument("--realign", action="store_true", help="align again the clips that have phones; faces are left alone")
    parser.add_argument("--words", action="store_true", help="store the words, too: where the corpus gives their times (GRID, "
                        "LRS2's pretrain, TextGrids), or LRW's labels; faces are left alone")  # fmt: skip
    parser.add_argument("--action_units", choices=AU_WAYS, help="store the action units of speech, too, AU10, 14, 20, "
                        "25, 26: of OpenFace's csv, or by the geometry of landmarks (ours; no FACS coding)")  # fmt: skip
    parser.add_argument("--au_csv", metavar="DIR", help="for --action_units openface: folder with <speaker>/<clip>.csv or "
                        "<clip>.csv, a row for each frame of the video")  # fmt: skip
    parser.add_argument("--av_offset", choices=av_rows.WAYS, help="offset between sound and picture: correct it where the "
                        "measurement is sure, measure it alone, or off (default: correct, or as the corpus began)")  # fmt: skip
    parser.add_argument("--sound_delay", type=float, default=0.0, metavar="SECONDS", help="by how much the sound of "
                        "all clips is known to trail the picture; corrected before anything is measured")  # fmt: skip
    parser.add_argument("--measure_av_offset", action="store_true", help="measure the offset in clips that are prepared "
                        "already; their arrays stay as they are")  # fmt: skip
    parser.add_argument("--correct_av_offset", action="store_true", help="the same, and where the measurement is sure move "
                        "the sound, phones and words; faces stay as they are")  # fmt: skip
    parser.add_argument("--av_judge", metavar="CHECKPOINT", nargs="+", help="what measures the offset: one or several "
                        f"lip_sync checkpoints, or mel (default: {' '.join(path.name for path in AV_JUDGES)}). What "
                        "measured the training data is no independent judge; to keep b one, give a or mel")  # fmt: skip
    parser.add_argument("--texture", action="store_true", help="store the texture modules of the faces, too")
    parser.add_argument("--clusters", type=int, default=CLUSTERS, help=f"texture blocks per face (default: {CLUSTERS})")
    parser.add_argument("--compactness", type=float, default=COMPACTNESS,
                        help=f"weight of position against colour in texture modules (default: {COMPACTNESS:g})")  # fmt: skip
    parser.add_argument("--speech_features", action="store_true", help="store the speech features, too, which the lip networks "
                        "hear, of each clip's own voice and of changed ones")  # fmt: skip
    parser.add_argument("--voices", type=int, default=VOICES, help=f"changed voices of each clip (default: {VOICES})")
    parser.add_argument("--davs_layout", metavar="DIR", help="write the words of clips that are prepared already with --crop "
                        "davs and --words to DIR, as the code of DAVS reads them; --corpus davs reads them back")  # fmt: skip
    parser.add_argument("--au_layout", metavar="DIR", help="write clips that are prepared already with --crop au128 or au112 "
                        "and --action_units to DIR, as the published code of action units reads them; --corpus au reads them "
                        "back")  # fmt: skip
    parser.add_argument("--limit", type=int, help="prepare only the first N clips")
    parser.add_argument("--min_face", type=int, default=MIN_FACE,
                        help=f"leave out faces lower than this many pixels, brows to chin (default: {MIN_FACE})")  # fmt: skip
    parser.add_argument("--workers", type=int, help="processes (default: one per core; with --ray, one per CPU of the cluster)")
    parser.add_argument("--ray", metavar="ADDRESS", help="let a Ray cluster do it: auto (the running one, else one is started "
                        "here), local (one is started here) or host:port; all folders must be shared")  # fmt: skip
    parser.add_argument("--time_limit", type=float, metavar="SECONDS", help="give up a clip after this time; 0: never "
                        "(default: 600 s and 120 s a megabyte, with mediapipe)")  # fmt: skip
    parser.add_argument("--trust_detector", action="store_true", help="go on with a corpus that does not record which version "
                        "of the detector cut its clips, as if it were the installed one")  # fmt: skip
    parser.add_argument("--retry_failed", action="store_true", help="try again the clips that failed, or were not aligned")
    args, unset = parser.parse_args(argv), object()
    named = parser.parse_args(argv, argparse.Namespace(**dict.fromkeys(vars(args), unset)))
    args.given = {name for name, value in vars(named).items() if value is not unset}
    return args


def main(argv):
    args = parse_arguments(argv)
    settle_layout(args)
    if args.size is None:
        args.size = SIZES.get(args.crop, PrepareSettings.size)
    check_arguments(args)
    out = Path(args.out)
    if args.ray:
        out = out.resolve()  # the machines of a cluster do not work in this folder
    kept = f"the clips that are done are kept in {out}; the same command goes on"
    with when_interrupted(kept), _workers(args) as workers:
        _add_to(args, out, workers) if args.corpus is None else _prepare(args, out, workers)
    return None


@contextmanager
def _workers(args):
    """Yield the Workers that the arguments ask for."""
    if args.ray:
        with ray_workers(args.ray, args.workers, args.time_limit) as workers:
            yield workers
    else:
        yield Workers(args.workers or os.cpu_count() or 1, time_limit=args.time_limit)


def _add_to(args, out, workers):
    """Add to clips that are prepared already."""
    if not (out / "corpus.json").is_file():
        raise InputError(f"{out}: not a prepared corpus (no corpus.json); make one with prepare.py --corpus ... --root ...")
    with FolderLock(out, LOCK, cure="choose another --out"):
        settle_split(out)
        _add_all(args, out, workers, PreparedCorpus.open_folder(out))


def _add_all(args, out, workers, corpus):
    """Another split, AV offsets, texture modules, speech features and action units, as the arguments ask for them."""
    if args.split:
        for line in [*_split_again(args, out), *write_report(out)]:
            print(line)
    ids = {row.id for row in corpus.rows[: args.limit]}
    if (args.speech_features or args.measure_av_offset or args.correct_av_offset) and not corpus.has_sound:
        raise InputError(f"{out}: its clips hold windows of MFCC and no sound, of which nothing else can be computed")
    if args.measure_av_offset or args.correct_av_offset:
        av_rows.measure_corpus(out, _av_measure(args), workers, ids)
    if args.correct_av_offset:
        correct_corpus(out, workers, ids)
    if args.texture:
        spec = TextureSpec(args.clusters, args.compactness)
        block_size(corpus.settings["size"], corpus.settings["size"], spec.clusters)
        add_texture(out, spec, workers, ids)
    if args.speech_features:
        add_speech(out, args.voices, workers, ids, retry_failed=args.retry_failed)
    if args.action_units:
        clips = [ClipSource(row.id, Path(row.source), row.speaker) for row in corpus.rows if row.id in ids]
        add_action_units(clips, out, args.action_units, None, workers, retry_failed=args.retry_failed)
        write_report(out)
    if args.davs_layout is not None:
        for line in write_davs(out, Path(args.davs_layout), workers, ids):
            print(line)
    if args.au_layout is not None:
        for line in write_units(out, Path(args.au_layout), workers, ids):
            print(line)


def _split_again(args, out):
    """Lines on the new split of a prepared corpus, as --split says."""
    if args.split != SHARES:
        return split_by_list(out, args.split)
    held_out = {}
    for key in ("unseen_speakers", "val_speakers"):
        given = getattr(args, key)
        if given in PUBLISHED:
            raise InputError(f"--{key} {given}: name the speakers where --split is given")
        names = [name.strip() for name in given.split(",") if name.strip()] if given else begun_with(out, key)
        held_out[key] = () if given == "none" else tuple(sorted(set(names)))
    shares = {key: _of_corpus(args, out, key) for key in ("val_share", "test_share")}
    return split_by_shares(out, **held_out, **shares, seed=_of_corpus(args, out, "split_seed"))


def _prepare(args, out, workers):
    clips = list_clips(args.corpus, Path(args.root).resolve() if args.ray else args.root)
    if args.au_csv is not None:
        check_csv_folder(args.au_csv, [clip.id for clip in clips[: args.limit]])
    held_out = {}
    if args.unseen_speakers:
        held_out["unseen_speakers"] = unseen_speakers(args.corpus, args.unseen_speakers, clips)
    if args.val_speakers:
        held_out["val_speakers"] = held_out_names(args.val_speakers, clips, "--val_speakers", args.corpus)
    av_offset = args.av_offset or av_way(out)
    if av_offset == "off" and args.av_judge:
        raise InputError("--av_judge: AV offsets are off in this corpus, so nothing would be measured; leave it out")
    measure = None if av_offset == "off" else _av_measure(args)
    with FolderLock(out, LOCK, cure="choose another --out"):
        settle_split(out)
        settings = _settings(args, out, held_out, av_offset)
        _prepare_all(args, out, workers, clips[: args.limit], settings, measure)


def _settings(args, out, held_out, av_offset):
    """PrepareSettings: as the arguments say, else as the corpus was begun."""
    speakers = {key: tuple(held_out.get(key, begun_with(out, key))) for key in ("unseen_speakers", "val_speakers")}
    shares = {key: _of_corpus(args, out, key) for key in ("val_share", "test_share", "split_seed")}
    return PrepareSettings(args.crop, args.size, fps=args.fps, detector=args.detector, **speakers, **shares,
                           min_face=args.min_face, av_offset=av_offset, raw_crops=args.raw_crops,
                           sound={"davs": STORED, "au": WIDE}.get(args.corpus, PrepareSettings.sound))  # fmt: skip


def _prepare_all(args, out, workers, clips, settings, measure):
    """Prepare the clips, and what the arguments ask for beside them."""
    prepare_corpus(clips, settings, out, workers, args.retry_failed, args.trust_detector, args.sound_delay, measure)
    told = ensure_validation(out, clips, settings)
    align_corpus(clips, out, args.align, workers, language=args.language, realign=args.realign,
                 retry_failed=args.retry_failed)  # fmt: skip
    if args.corpus == "davs":
        begin_vocabulary(out, davs_words(Path(args.root)))
    if args.words:
        add_words(clips, out, workers, retry_failed=args.retry_failed)
    if args.texture:
        add_texture(out, TextureSpec(args.clusters, args.compactness), workers, {clip.id for clip in clips})
    if args.speech_features:
        add_speech(out, args.voices, workers, {clip.id for clip in clips}, retry_failed=args.retry_failed)
    if args.action_units:
        add_action_units(clips, out, args.action_units, _csv_folder(args), workers, retry_failed=args.retry_failed)
    elif args.corpus == "au":
        add_units_of_layout(clips, out, Path(args.root), workers, retry_failed=args.retry_failed)
    kept = [row for row in read_manifest(out).values() if not row.error]
    for line in [*write_report(out), *av_rows.report(kept), *told]:
        print(line)
    if not kept:
        raise InputError(f"{out}: no clip was kept; the reasons stand above, and in {out / 'report.json'}")


def _csv_folder(args):
    """Folder of OpenFace's csv, for machines of a cluster as a whole path; or None."""
    return None if args.au_csv is None else Path(args.au_csv).resolve()


def _av_measure(args):
    """The measure of AV offsets: judges; without the package that the default ones hear with, the mel, and a warning."""
    if args.av_judge == [MEL]:
        return MelOffset()
    found = [load_checkpoint(path, expect="lip_sync") for path in args.av_judge or AV_JUDGES]
    judge = JudgeOffset([one.model for one in found], ", ".join(f"{one.path.stem} {one.sha256[:12]}" for one in found))
    try:
        judge.check()
    except InputError as error:
        if args.av_judge:
            raise InputError(f"--av_judge: {error}; or give  --av_judge mel") from error
        print(f"warning: AV offsets are measured by the mel, which is less sure of them: {error}", file=sys.stderr)
        return MelOffset()
    return judge


def _of_corpus(args, out, key):
    """A share or a seed that the user gives, else what the corpus was begun with."""
    given = getattr(args, key)
    return begun_with(out, key) if given is None else given


if __name__ == "__main__":
    sys.exit(run(main))
