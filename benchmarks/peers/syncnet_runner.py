"""Runs a script of public syncnet_python or of Wav2Lip's scoring, unchanged, in the current folder.

    python syncnet_runner.py --report FILE [--boxes FILE] [--crops FILE] [--lossless] -- SCRIPT ARGUMENTS

Mends what its age and a machine without a GPU need, from outside: `.cuda()` gives the CPU, numpy has `int` again, and
torchvision, which the detector's file imports and does not use, may be missing. The detector's weights are random, so it finds
nothing: its network runs as it is, then the boxes of the file stand in for the faces, one for each frame. The report holds
every verdict (offset, confidence, distance), the smoothed boxes of the tracks, and the seconds after all imports; the crops are
the pictures of all tracks before they are encoded, which `--lossless` leaves uncompressed.
"""

import argparse
import importlib
import json
import os
import runpy
import sys
import time
import types


def mend_libraries():
    """What the scripts import, without a GPU."""
    import numpy
    import torch

    numpy.int = int
    torch.nn.Module.cuda = torch.Tensor.cuda = lambda self, *_, **__: self
    try:
        importlib.import_module("torchvision.transforms")
    except Exception:  # beside a CPU torch it raises what it likes
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        package, part = types.ModuleType("torchvision"), types.ModuleType("torchvision.transforms")
        package.transforms = part
        sys.modules |= {"torchvision": package, "torchvision.transforms": part}


def watch_verdicts(module, report):
    """Keep what every evaluation returns, at full precision."""
    instance = importlib.import_module(module).SyncNetInstance
    evaluate = instance.evaluate

    def watched(self, opt, videofile):
        offset, confidence, last = evaluate(self, opt, videofile)
        # syncnet_python returns the distances of every frame and shift, Wav2Lip's copy the least of their means.
        distance = float(last) if last.ndim == 0 else float(last.mean(0).min())
        report["verdicts"].append({"offset": int(offset), "confidence": float(confidence), "distance": distance})
        return offset, confidence, last

    instance.evaluate = watched


def stand_in(boxes):
    """Let the boxes, a list of [x1, y1, x2, y2] or null for each frame, stand in for what the detector finds."""
    import detectors
    import numpy as np

    start, detect, frames = detectors.S3FD.__init__, detectors.S3FD.detect_faces, iter(boxes)

    def find(self, image, **options):
        detect(self, image, **options)
        box = next(frames, None)
        return np.array([[*box, 1.0]]) if box is not None else np.empty((0, 5))

    detectors.S3FD.__init__ = lambda self, device="cpu": start(self, device="cpu")
    detectors.S3FD.detect_faces = find


class Lossless:
    """Stands for cv2.VideoWriter; writes FFV1 in RGB."""

    def __init__(self, path, codec, rate, size):
        import av

        self._file = av.open(path, "w")
        self._stream = self._file.add_stream("ffv1", rate=rate)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "bgr0"

    def write(self, picture):
        import av

        self._file.mux(self._stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))

    def release(self):
        self._file.mux(self._stream.encode())
        self._file.close()


def watch_crops(crops, lossless):
    """Keep every picture that goes to a video writer in `crops`, unless it is None; compress none where `lossless`."""
    import cv2

    class Watched:
        def __init__(self, *arguments):
            self._writer = (Lossless if lossless else cv2_writer)(*arguments)

        def write(self, picture):
            if crops is not None:
                crops.append(picture.copy())
            self._writer.write(picture)

        def release(self):
            self._writer.release()

    cv2_writer, cv2.VideoWriter = cv2.VideoWriter, Watched


def main():
    parser = argparse.ArgumentParser(prog="syncnet_runner.py")
    parser.add_argument("--report", required=True)
    parser.add_argument("--boxes")
    parser.add_argument("--crops")
    parser.add_argument("--lossless", action="store_true")
    parser.add_argument("arguments", nargs="+")
    args = parser.parse_args()
    sys.path[0] = os.getcwd()
    report, crops, script = {"verdicts": []}, [], args.arguments[0]
    mend_libraries()
    if args.boxes:
        with open(args.boxes) as file:
            stand_in(json.load(file))
    watch_crops(crops if args.crops else None, args.lossless)
    if script != "run_pipeline.py":
        watch_verdicts("SyncNetInstance" if script == "run_syncnet.py" else "SyncNetInstance_calc_scores", report)
    else:
        import scenedetect  # noqa: F401  an import, not part of the work that is timed
    sys.argv = args.arguments
    began = time.perf_counter()
    made = runpy.run_path(script, run_name="__main__")
    report["seconds"] = time.perf_counter() - began
    report["tracks"] = [
        {"start": int(one["track"]["frame"][0]), **{key: [float(value) for value in one["proc_track"][key]] for key in "xys"}}
        for one in made.get("vidtracks", [])
    ]
    with open(args.report, "w") as file:
        json.dump(report, file)
    if args.crops:
        import numpy as np

        np.save(args.crops, np.stack(crops))


if __name__ == "__main__":
    main()
