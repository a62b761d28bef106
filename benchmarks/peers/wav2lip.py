"""Our inference.py against the public Wav2Lip one: time end to end, and the pixels of the drawn faces.

    python -m benchmarks.peers.wav2lip --wav2lip PATH            # PATH: a checkout of github.com/Rudrabha/Wav2Lip
    python -m benchmarks.peers.wav2lip --wav2lip PATH --full     # the peer detects every frame in every round, no extrapolation

Same machine, same random weights (width 1.0), a 512x512 clip of 14 s at 25 fps that the benchmark makes. Each round times,
one after the other: the peer with a fixed --box, ours (which detects faces, without its cache), and the peer's detector on a
short clip. Two ratios a round: "box", the peer with its box over ours; "detect", the peer with its own detection over ours.
Without --full the peer's time with detection is that with the box plus its measured detector seconds a frame times the
frames: the detector looks at each frame alone, and loading it is not counted, which favours the peer. Writes OUT.json, OUT.md.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.material import FPS, busy_note, face_frames, machine, write_face_video, write_lossless_video, write_speech
from benchmarks.process import measure_process
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from common.files import atomic_output

INFERENCE = Path(__file__).resolve().parents[2] / "inference.py"
BARS = {"detect": 12.0, "box": 1.3}
LEVELS = 1


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.wav2lip", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--wav2lip", required=True, type=Path, metavar="PATH", help="folder of a Wav2Lip checkout; it is not changed")
    add("--seconds", type=float, default=14.0, help="length of the clip (%(default)s)")
    add("--rounds", type=int, default=3, help="pairs of runs (%(default)s)")
    add("--frames", type=int, default=16, help="frames on which the peer's detector is timed (%(default)s)")
    add("--full", action="store_true", help="time the peer with its detector on the whole clip")
    add("--pixels_only", action="store_true", help="compare drawn faces only, time nothing")
    add("--ffmpeg", type=Path, help="executable for the peer, where none is on the PATH")
    add("--out", type=Path, default=Path("results/peer_wav2lip"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if args.seconds < 1 or args.rounds < 1 or args.frames < 1:
        raise InputError("--seconds, --rounds and --frames must be 1 or more")
    return args


def main(argv):
    """Compare pixels, time the rounds, write the table; exit code 1 when a bar is missed."""
    args = parse(argv)
    from benchmarks.peers.wav2lip_checkout import PeerCheckout

    report = {"machine": machine(), "clip": {"seconds": args.seconds, "fps": FPS, "size": "512x512"}}
    with tempfile.TemporaryDirectory(prefix="peer") as folder:
        peer = PeerCheckout(args.wav2lip, folder, args.ffmpeg)
        box = face_box()
        report["pixels"] = {kind: compare_pixels(peer, kind, box) for kind in ("same frames", "H.264, each with its decoder")}
        if not args.pixels_only:
            report["rounds"] = time_rounds(peer, args, box)
            report["ratios"] = {name: spread([row[name] for row in report["rounds"]]) for name in BARS}
            report["detection"] = "measured whole" if args.full else f"extrapolated from {args.frames} frames"
    table = markdown(report)
    with atomic_output(f"{args.out}.json") as path:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    with atomic_output(f"{args.out}.md") as path:
        path.write_text(table, encoding="utf-8")
    print(table)
    reached = [report["ratios"][name]["median"] >= bar for name, bar in BARS.items()] if "ratios" in report else []
    reached.append(report["pixels"]["same frames"]["largest"] <= LEVELS)
    return None if all(reached) else EXIT_FAILED_JOB


def face_box():
    """(top, bottom, left, right) of the face in the middle of the clip, as our box crop lays it."""
    from faces.crops import CropSpec, plan_crops
    from faces.detectors import build_detector
    from faces.tracking.track import track_face

    detector = build_detector("mediapipe")
    try:
        track = track_face(list(face_frames(3))[1:2], detector)
    finally:
        detector.close()
    return plan_crops(track, CropSpec("box", 96))[0].box


def compare_pixels(peer, kind, box, count=50):
    """Faces drawn by both with the same weights, --box and --compat wav2lip: {"largest", "mean", "differing", "frames"}.

    "same frames" is a lossless clip, of which both read the very same pixels; the H.264 clip adds what the two decoders make
    of it.
    """
    if kind == "same frames":
        face = write_lossless_video(peer.folder / "same.mkv", count)
    else:
        face = write_face_video(peer.folder / "same.mp4", count)
    audio = write_speech(peer.folder / "same.wav", count / FPS)
    peer.run(face.name, audio.name, box, box=box, dump="drawn.npy")
    theirs = np.load(peer.folder / "drawn.npy").astype(int)
    ours = drawn_by_us(face, audio, peer.weights, box).astype(int)
    if theirs.shape != ours.shape:
        raise InputError(f"the peer drew {theirs.shape[0]} faces, we drew {ours.shape[0]}; they cannot be compared")
    away = np.abs(theirs - ours)
    moving = float(theirs.std(axis=0).mean())  # over time: the faces must depend on what goes in
    return {"largest": int(away.max()), "mean": float(away.mean()), "differing": float((away > 0).mean()), "frames": len(ours),
            "spread_of_the_faces": float(theirs.std()), "spread_over_time": moving}  # fmt: skip


def drawn_by_us(face, audio, weights, box):
    """(N, 96, 96, 3) uint8: the faces that inference.py --compat wav2lip would paste."""
    from pipeline.drivers import load_driver
    from pipeline.driving import Driving
    from pipeline.frames import draw_frames
    from pipeline.options import DriveOptions, FaceOptions
    from pipeline.plan import make_plan
    from pipeline.playback.source import FaceSource
    from pipeline.sound import Sound

    driver, driving = load_driver(weights, device="cpu", compat="wav2lip"), Driving(Sound.read(audio))
    source = FaceSource(face, FaceOptions())
    plan = make_plan(source, None, driving, driver.frames(driving, source.fps), driver, DriveOptions(box=tuple(box)))
    return np.stack([shot.face for shot in draw_frames(plan, driver)])


def time_rounds(peer, args, box):
    """Rows of seconds and ratios, one a round; peer and ours take turns."""
    count = round(args.seconds * FPS)
    face = write_face_video(peer.folder / "face.mp4", count).name
    audio = write_speech(peer.folder / "speech.wav", args.seconds).name
    short = max(args.frames, 6)
    write_face_video(peer.folder / "short.mp4", short)
    write_speech(peer.folder / "short.wav", (short + 5) / FPS)  # the peer takes a few frames less than the sound is long
    time_ours(peer, "short.mp4", "short.wav")  # files come from the disk once
    rows = []
    for number in range(args.rounds):
        boxed = peer.run(face, audio, box, box=box)
        ours = time_ours(peer, face, audio)
        own = peer.run(face, audio, box) if args.full else peer.run("short.mp4", "short.wav", box)
        detector = own["detector_seconds"] / own["detector_frames"]
        detecting = own["seconds"] if args.full else boxed["seconds"] + detector * count
        row = {"peer_box": boxed["seconds"], "ours": ours.seconds, "peer_detect": detecting}
        row |= {"peer_detector_per_frame": detector, "peer_box_cpu": boxed["cpu_seconds"], "ours_cpu": ours.cpu_seconds}
        row |= {"detect": detecting / ours.seconds, "box": boxed["seconds"] / ours.seconds}
        row |= {"box_cpu": boxed["cpu_seconds"] / ours.cpu_seconds}
        rows.append(row)
        print(f"round {number + 1}: " + ", ".join(f"{name} {value:.2f}" for name, value in row.items()), file=sys.stderr)
    return rows


def time_ours(peer, face, audio):
    """Finished of one run of ours, which finds the faces itself and stores no track."""
    command = [sys.executable, INFERENCE, "--checkpoint_path", peer.weights.name, "--face", face, "--audio", audio]
    command += ["--outfile", "ours.mp4", "--no_cache", "--device", "cpu"]
    return measure_process(command, folder=peer.folder, what="inference.py")


def spread(values):
    """{"median", "smallest", "largest"}."""
    return {"median": statistics.median(values), "smallest": min(values), "largest": max(values)}


def markdown(report):
    """The table as Markdown."""
    facts = report["machine"]
    lines = ["# Against the public Wav2Lip inference", "", f"{facts['cpu']}, {facts['cores']} cores, torch {facts['torch']}. "
             f"Clip {report['clip']['size']}, {report['clip']['seconds']:g} s. {busy_note(facts)}", ""]  # fmt: skip
    if "rounds" in report:
        rows = report["rounds"]
        lines += ["| round | peer, own detection | peer, --box | ours, own detection | detect | box |", "|" + "---|" * 6]
        for number, row in enumerate(rows, 1):
            times = " | ".join(f"{row[name]:.1f} s" for name in ("peer_detect", "peer_box", "ours"))
            lines.append(f"| {number} | {times} | {row['detect']:.1f} | {row['box']:.2f} |")
        lines += ["", "| ratio | median | range | bar | holds |", "|---|---|---|---|---|"]
        for name, bar in BARS.items():
            row = report["ratios"][name]
            holds = "yes" if row["median"] >= bar else "no"
            between = f"{row['smallest']:.2f} to {row['largest']:.2f}"
            lines.append(f"| {name} | {row['median']:.2f} | {between} | >= {bar} | {holds} |")
        per_frame = statistics.median(row["peer_detector_per_frame"] for row in rows)
        cpu = ", ".join(f"{row['peer_box_cpu']:.0f} s and {row['ours_cpu']:.0f} s" for row in rows)
        lines += ["", f"CPU time, peer with --box and ours: {cpu}; ratio "
                  f"{statistics.median(row['box_cpu'] for row in rows):.2f}."]  # fmt: skip
        lines += ["", f"The peer's detector takes {per_frame:.2f} s a frame; with it, its time is {report['detection']}.", ""]
    lines += ["| drawn faces, before paste-back | largest difference | mean | share that differs | spread over time |"]
    lines += ["|" + "---|" * 5]
    for kind, row in report["pixels"].items():
        if not math.isfinite(row["mean"]) or row["spread_over_time"] < 0.5:
            raise InputError("the peer drew the same face all along; the comparison would say nothing")
        moving = f"{row['spread_over_time']:.1f}"
        lines.append(f"| {kind} | {row['largest']} | {row['mean']:.4f} | {row['differing']:.3%} | {moving} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(run(main))
