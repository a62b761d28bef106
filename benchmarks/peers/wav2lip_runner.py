"""Runs a public Wav2Lip `inference.py`, unchanged, in the current folder; started by benchmarks/peers/wav2lip.py.

    python wav2lip_runner.py --report FILE --box TOP BOTTOM LEFT RIGHT [--dump FILE] -- ARGUMENTS OF inference.py

Mends what its age needs, from outside: librosa.filters.mel takes keywords only by now, and OpenCV lost its cv2.cv2 alias.
The detector's weights are random, so it finds nothing: its network and its search through the scores run as they are, then
BOX stands in for the face. The report holds the seconds spent in the detector and its frames; the dump holds the drawn faces
before paste-back.
"""

import argparse
import json
import os
import runpy
import sys
import time


def mend_libraries():
    import cv2
    import librosa.filters

    if not hasattr(cv2, "cv2"):
        cv2.cv2 = cv2
    make = librosa.filters.mel
    librosa.filters.mel = lambda sr, n_fft, **options: make(sr=sr, n_fft=n_fft, **options)


def watch_detector(box, report):
    """Time the detector and let `box` (top, bottom, left, right) stand in where it found nothing."""
    import face_detection

    top, bottom, left, right = box
    detect = face_detection.FaceAlignment.get_detections_for_batch

    def watched(self, images):
        began = time.perf_counter()
        found = detect(self, images)
        report["detector_seconds"] += time.perf_counter() - began
        report["detector_frames"] += len(images)
        return [(left, top, right, bottom) if face is None else face for face in found]

    face_detection.FaceAlignment.get_detections_for_batch = watched


def watch_generator(faces):
    """Append the uint8 RGB faces of every forward pass to `faces`, rounded as the script rounds them."""
    import numpy as np

    import models

    forward = models.Wav2Lip.forward

    def watched(self, *inputs):
        out = forward(self, *inputs)
        faces.append((out.cpu().numpy().transpose(0, 2, 3, 1) * 255.0).astype(np.uint8)[..., ::-1])
        return out

    models.Wav2Lip.forward = watched


def main():
    parser = argparse.ArgumentParser(prog="wav2lip_runner.py")
    parser.add_argument("--report", required=True)
    parser.add_argument("--box", nargs=4, type=int, required=True)
    parser.add_argument("--dump")
    parser.add_argument("arguments", nargs="+")
    args = parser.parse_args()
    sys.path[0] = os.getcwd()
    report, faces = {"detector_seconds": 0.0, "detector_frames": 0}, []
    mend_libraries()
    watch_detector(args.box, report)
    if args.dump:
        watch_generator(faces)
    sys.argv = ["inference.py", *args.arguments]
    runpy.run_path("inference.py", run_name="__main__")
    with open(args.report, "w") as file:
        json.dump(report, file)
    if args.dump:
        import numpy as np

        np.save(args.dump, np.concatenate(faces))


if __name__ == "__main__":
    main()
