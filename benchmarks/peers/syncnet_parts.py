"""The parts of benchmarks/peers/syncnet.py: what the peer says, what ours says, clip by clip."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.process import measure_process
from faces.detectors import build_detector
from media import decode_audio
from metrics.footage import open_footage
from metrics.sync.crops import TrackRules, cut_square, find_tracks, track_squares, whole_frame
from metrics.sync.judges import load_judge
from metrics.sync.score import score_sync, window_count
from metrics.sync.video import judge_video
from models import build_model
from models.syncnet_v2 import FastSyncNet
from speech.mfcc import mfcc

ROOT = Path(__file__).resolve().parents[2]
GOLDEN_FRAMES = 40
OURS = """
import json, sys, time
from faces.detectors import build_detector
from media import decode_audio
from metrics.footage import open_footage
from metrics.sync.judges import load_judge
from metrics.sync.video import judge_video
judge, detector = load_judge(sys.argv[1]), build_detector("mediapipe")
began = time.perf_counter()
for clip in sys.argv[3:]:
    judge_video(open_footage(clip, detector), decode_audio(clip), judge)
json.dump({"seconds": time.perf_counter() - began}, open(sys.argv[2], "w"))
"""


class Side:
    """Both sides, ready: the peer's checkout, and our judge with the same weights."""

    def __init__(self, peer):
        self.peer, self.judge = peer, load_judge(peer.weights)
        self.detector = build_detector("mediapipe")

    def clip(self, path):
        """Name of a clip in the peer's folder: Clips of any kind are called .mp4, for the peer looks for that."""
        folder = self.peer.folder / "clips" / Path(path).stem.replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / "clip.mp4"
        if not link.exists():
            link.symlink_to(Path(path).resolve())
        return link.relative_to(self.peer.folder)

    def ours(self, path, crop):
        """SyncScore of the clip itself."""
        return judge_video(open_footage(path, self.detector), decode_audio(path), self.judge, crop).score

    def ours_of_files(self, folder):
        """SyncScore of the JPEGs and the wav that the peer has left in a folder, and those files' frames and samples."""
        import cv2

        frames = [whole_frame(cv2.imread(str(path))[..., ::-1]) for path in sorted(folder.glob("*.jpg"))]
        samples = read_wav(folder / "audio.wav")
        count = window_count(len(frames), samples.shape[1])
        lips = self.judge.lips(frames[: count + 4])
        return score_sync(lips, self.judge.sound(samples, 16000, count), self.judge.rule), samples


def read_wav(path):
    """(1, n) float32 of a 16-bit mono wav."""
    from scipy.io import wavfile

    return (wavfile.read(path)[1].astype(np.float32) / 32768)[None]


def figures(score):
    """What is compared of a SyncScore."""
    return {"offset": score.offset, "distance": score.distance, "confidence": score.confidence}


def inputs():
    """Seeded inputs of both towers: MFCC windows (8, 1, 13, 20) and BGR frames (3, 12, 224, 224)."""
    random = np.random.default_rng(0)
    sound = random.normal(0, 8, (8, 1, 13, 20)).astype(np.float32)
    frames = random.integers(0, 256, (12, 224, 224, 3)).astype(np.float32)
    return torch.from_numpy(sound), torch.from_numpy(frames).permute(3, 0, 1, 2)


@torch.inference_mode()
def peer_embeddings(network):
    """The peer's embeddings of `inputs`: (8, 1024) of the sound, (8, 1024) of the windows of five frames."""
    sound, frames = inputs()
    windows = torch.stack([frames[:, at : at + 5] for at in range(8)])
    return network.forward_aud(sound), network.forward_lip(windows)


@torch.inference_mode()
def compare_networks(side):
    """Names, shapes and outputs of the two networks with the same weights."""
    theirs, ours = side.peer.network(), build_model({"name": "syncnet_v2"}).eval()
    shapes = [{name: tuple(value.shape) for name, value in one.state_dict().items()} for one in (theirs, ours)]
    ours.load_state_dict(theirs.state_dict())
    expected, (sound, frames) = peer_embeddings(theirs), inputs()
    plain = ours.embed_sound(sound), ours.embed_lips(frames)
    fast = FastSyncNet(ours).eval()
    fused = fast.embed_sound(sound), fast.embed_lips(frames)
    size = max(float(one.abs().max()) for one in expected)

    def worst(found):
        return max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True)) / size

    return {"names": len(shapes[0]), "same": shapes[0] == shapes[1], "difference": worst(plain), "fused": worst(fused)}


def compare_whole(side, path):
    """calculate_scores_LRS.py on one clip, and ours."""
    import python_speech_features

    command = ("calculate_scores_LRS.py", "--data_root", side.clip(path).parent, "--tmp_dir", "tmp", "--reference", "demo",
               "--initial_model", side.peer.weights.relative_to(side.peer.folder))
    lossless, _ = side.peer.run(*command, lossless=True)
    report, _ = side.peer.run(*command)
    score, samples = side.ours_of_files(side.peer.folder / "tmp" / "demo")
    integers = np.rint(samples[0] * 32768).astype(np.int16)
    theirs = python_speech_features.mfcc(integers, 16000).T
    return {
        "clip": Path(path).name, "peer": report["verdicts"][0], "same_files": figures(score),
        "lossless": lossless["verdicts"][0], "clip_itself": figures(side.ours(path, "whole")),
        "mfcc": float(np.abs(theirs - mfcc(samples[0])).max()),
    }  # fmt: skip


def compare_tracked(side, path):
    """run_pipeline.py and its scores on one clip, and ours."""
    import cv2

    clip, peer = side.clip(path), side.peer
    footage = open_footage(path, side.detector, fps=25)
    boxes = footage.boxes()
    places = ("--videofile", clip, "--reference", "one", "--data_dir", "work")
    weights = peer.weights.relative_to(peer.folder)
    peer.run("run_pipeline.py", *places, boxes=boxes, lossless=True)
    lossless, _ = peer.run("calculate_scores_real_videos.py", *places, "--initial_model", weights, lossless=True)
    made, _ = peer.run("run_pipeline.py", *places, boxes=boxes, crops="crops.npy")
    frames, crops = peer.folder / "work" / "pyframes" / "one", np.load(peer.folder / "crops.npy", mmap_mode="r")
    verdicts, _ = peer.run("calculate_scores_real_videos.py", *places, "--initial_model", weights)
    same, _ = side.ours_of_files(peer.folder / "work" / "pytmp" / "one")
    public, _ = peer.run("run_syncnet.py", *places, "--initial_model", weights)
    track = find_tracks(boxes)[0]
    squares = track_squares(track)
    theirs = np.stack([made["tracks"][0][key] for key in "xys"], 1)
    count = min(len(theirs), len(squares))
    if len(theirs) != len(squares):  # the median looks ahead, so the end of the shorter one is another
        count -= TrackRules.median // 2
    cut = max(
        int(np.abs(cut_square(cv2.imread(str(frames / f"{track.start + at + 1:06d}.jpg")), squares[at]).astype(int)
                   - crops[at]).max())
        for at in range(0, count, 10)
    )  # fmt: skip
    return {
        "clip": Path(path).name, "frames": [len(theirs), len(squares)],
        "boxes": float(np.abs(theirs[:count] - squares[:count]).max()), "crops": cut,
        "peer": verdicts["verdicts"][0], "public": public["verdicts"][0], "lossless": lossless["verdicts"][0],
        "same_files": figures(same), "clip_itself": figures(side.ours(path, "tracked")),
    }  # fmt: skip


def time_both(side, paths):
    """Seconds a clip of both sides, tracked.

    The peer: the two scripts for each clip, as calculate_scores_real_videos.sh runs them. Ours: one process for all clips.
    "work" leaves out the start of the processes: the imports, and on our side the loading of the weights.
    """
    peer, theirs, work = side.peer, 0.0, 0.0
    for path in paths:
        boxes = open_footage(path, side.detector, fps=25).boxes()
        places = ("--videofile", side.clip(path), "--reference", "one", "--data_dir", "work")
        weights = peer.weights.relative_to(peer.folder)
        for script, options in (("run_pipeline.py", {"boxes": boxes}), ("calculate_scores_real_videos.py", {})):
            more = () if script == "run_pipeline.py" else ("--initial_model", weights)
            report, done = peer.run(script, *places, *more, **options)
            theirs, work = theirs + done.seconds, work + report["seconds"]
    out = peer.folder / "ours.json"
    command = [sys.executable, "-c", OURS, peer.weights, out, *(Path(path).resolve() for path in paths)]
    done = measure_process(command, folder=ROOT, what="our side")
    count, own = len(paths), json.loads(out.read_text())["seconds"]
    return {"peer": theirs / count, "ours": done.seconds / count, "peer_work": work / count, "ours_work": own / count,
            "ratio": theirs / done.seconds, "work_ratio": work / own}


def golden(side):
    """Arrays for tests/golden: the peer's embeddings of `inputs`; a small clip as the peer's files hold it, and its verdict."""
    from benchmarks.material import face_frames, write_speech
    from media import VideoWriter

    sound, lips = (part.numpy() for part in peer_embeddings(side.peer.network()))
    speech = write_speech(side.peer.folder / "speech.wav", GOLDEN_FRAMES / 25)
    clip = side.peer.folder / "golden.mp4"
    with VideoWriter(clip, width=96, height=96, fps=25, audio=read_wav(speech), sample_rate=16000) as writer:
        for frame in face_frames(GOLDEN_FRAMES, 96, 96):
            writer.write(frame)
    verdict = compare_whole(side, clip)["peer"]
    folder = side.peer.folder / "tmp" / "demo"
    pictures = [np.frombuffer(path.read_bytes(), np.uint8) for path in sorted(folder.glob("*.jpg"))]
    return {
        "sound": sound[:, ::37], "lips": lips[:, ::37], "jpegs": np.concatenate(pictures),
        "jpeg_sizes": np.array([len(one) for one in pictures]),
        "samples": np.rint(read_wav(folder / "audio.wav")[0] * 32768).astype(np.int16),
        "verdict": np.array([verdict["offset"], verdict["distance"], verdict["confidence"]]),
    }  # fmt: skip
