"""A temporary copy of syncnet_python with Wav2Lip's scoring scripts and random weights; the checkouts stay as they are."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers.models import import_file, recipe_state
from benchmarks.peers.wav2lip_checkout import find_ffmpeg, random_detector_state
from benchmarks.process import measure_process
from common.errors import InputError
from models import build_model

RUNNER = Path(__file__).resolve().with_name("syncnet_runner.py")
SYNCNET_FILES = ("SyncNetInstance.py", "SyncNetModel.py", "run_pipeline.py", "run_syncnet.py", "detectors/s3fd/nets.py")
SCORES = "evaluation/scores_LSE"
# Stands before ffmpeg where nothing shall be compressed on the way: pictures become PNG (whatever their name, the peer reads
# them by content), videos FFV1, sound PCM. Streams that are copied stay as they are.
LOSSLESS = """#!/usr/bin/env bash
case " $* " in
    *" copy "*) exec "{ffmpeg}" "$@" ;;
    *.jpg" ") exec "{ffmpeg}" "${{@:1:$#-1}}" -c:v png "${{@: -1}}" ;;
    *.avi" ") exec "{ffmpeg}" "${{@:1:$#-1}}" -c:v ffv1 -c:a pcm_s16le "${{@: -1}}" ;;
    *) exec "{ffmpeg}" "$@" ;;
esac
"""
SCORE_FILES = ("SyncNetInstance_calc_scores.py", "calculate_scores_LRS.py", "calculate_scores_real_videos.py")


def syncnet_state():
    """Seeded random weights for SyncNet: the recipe, with first layers that bring pictures and MFCC to a size of about 1."""
    state = recipe_state(build_model({"name": "syncnet_v2"}))
    state["netcnnlip.0.weight"] /= 64
    state["netcnnaud.0.weight"] /= 8
    return state


class SyncNetCheckout:
    """The copy.

    Args:
        syncnet, wav2lip: folders of github.com/joonson/syncnet_python and github.com/Rudrabha/Wav2Lip, unpacked.
        folder: empty folder to work in.
        site: folder in which scenedetect 0.5 is installed, which run_pipeline.py needs.
        ffmpeg: path of an ffmpeg executable; None looks for one.

    Attributes:
        folder: Path.
        weights: Path of the random weights, in the published form.

    Raises:
        InputError: a checkout lacks a file, or there is no ffmpeg.
    """

    def __init__(self, syncnet, wav2lip, folder, *, site=None, ffmpeg=None):
        syncnet, scores, self.folder = Path(syncnet), Path(wav2lip) / SCORES, Path(folder)
        for flag, place, names in (("--syncnet", syncnet, SYNCNET_FILES), ("--wav2lip", scores, SCORE_FILES)):
            for name in names:
                if not (place / name).is_file():
                    raise InputError(f"{flag} {place}: no {name} in it; give an unpacked checkout")
        shutil.copytree(syncnet, self.folder, ignore=shutil.ignore_patterns(".git", "*.model", "*.pth"), dirs_exist_ok=True)
        for name in SCORE_FILES:
            shutil.copy(scores / name, self.folder)
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "ffmpeg").symlink_to(find_ffmpeg(ffmpeg))
        self._lossless = self.folder / "lossless"
        self._lossless.mkdir()
        shim = self._lossless / "ffmpeg"
        shim.write_text(LOSSLESS.format(ffmpeg=tools / "ffmpeg"))
        shim.chmod(0o755)
        self._environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
        if site:
            self._environment["PYTHONPATH"] = str(Path(site).resolve())
        self.weights = self.folder / "data" / "syncnet_v2.model"
        self.weights.parent.mkdir(exist_ok=True)
        torch.save(syncnet_state(), self.weights)
        self._write_detector()

    def _write_detector(self):
        """Random S3FD weights that give no face anywhere: the cheapest case for the peer."""
        nets = import_file(self.folder / "detectors" / "s3fd" / "nets.py", "peer_s3fd.nets", self.folder / "detectors" / "s3fd")
        path = self.folder / "detectors" / "s3fd" / "weights"
        path.mkdir(exist_ok=True)
        torch.save(random_detector_state(nets.S3FDNet(device="cpu")), path / "sfd_face.pth")

    def network(self):
        """The peer's network with the random weights, in eval mode."""
        network = import_file(self.folder / "SyncNetModel.py", "peer_syncnet_model").S()
        network.load_state_dict(torch.load(self.weights, weights_only=True))
        return network.eval()

    def run(self, script, *arguments, boxes=None, crops=None, lossless=False):
        """Run a script of the copy.

        Args:
            script: its name.
            arguments: its arguments.
            boxes: (N, 4) float, NaN where there is none: what the detector finds in each frame.
            crops: name of a .npy file for the crops that are given to its video writer.
            lossless: let nothing be compressed on the way.

        Returns:
            (report of benchmarks/peers/syncnet_runner.py, benchmarks.process.Finished).
        """
        command = [sys.executable, RUNNER, "--report", "report.json"]
        if boxes is not None:
            listed = [None if np.isnan(box).any() else box.tolist() for box in boxes]
            (self.folder / "boxes.json").write_text(json.dumps(listed))
            command += ["--boxes", "boxes.json"]
        command += ["--crops", crops] if crops else []
        command += ["--lossless"] * lossless
        (self.folder / "report.json").unlink(missing_ok=True)
        environment = dict(self._environment)
        if lossless:
            environment["PATH"] = f"{self._lossless}{os.pathsep}{environment['PATH']}"
        done = measure_process([*command, "--", script, *arguments], folder=self.folder, environment=environment, what=script)
        return json.loads((self.folder / "report.json").read_text()), done
