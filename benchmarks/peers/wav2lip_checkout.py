"""A temporary copy of a public Wav2Lip checkout with random weights, ready to be timed; the checkout stays as it is."""

import json
import os
import shutil
import sys
from pathlib import Path

import torch

from benchmarks.peers.models import import_file, recipe_state
from benchmarks.process import measure_process
from common.errors import InputError
from models import build_model

RUNNER = Path(__file__).resolve().with_name("wav2lip_runner.py")
NEEDED = ("inference.py", "audio.py", "hparams.py", "models/wav2lip.py", "face_detection/detection/sfd/net_s3fd.py")
BACKGROUND, FACE = 10.0, -10.0  # biases of the detector's scores


class PeerCheckout:
    """The copy.

    Args:
        checkout: folder of github.com/Rudrabha/Wav2Lip, unpacked.
        folder: empty folder to work in; holds the copy, the clips and the results, whose names are relative to it.
        ffmpeg: path of an ffmpeg executable, which the peer calls by name; None looks for one.

    Attributes:
        folder: Path.
        weights: Path of the random generator weights, in the published form.

    Raises:
        InputError: no such checkout, or no ffmpeg.
    """

    def __init__(self, checkout, folder, ffmpeg=None):
        checkout, self.folder = Path(checkout), Path(folder)
        missing = [name for name in NEEDED if not (checkout / name).is_file()]
        if missing:
            raise InputError(f"--wav2lip {checkout}: no {missing[0]} in it; give a checkout of github.com/Rudrabha/Wav2Lip")
        for entry in checkout.iterdir():
            if entry.is_dir() and entry.name not in (".git", "checkpoints", "results"):
                shutil.copytree(entry, self.folder / entry.name, ignore=shutil.ignore_patterns("*.pth"))
            elif entry.suffix == ".py":
                shutil.copy(entry, self.folder)
        for name in ("temp", "bin"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "bin" / "ffmpeg").symlink_to(find_ffmpeg(ffmpeg))
        self.weights = self.folder / "wav2lip.pth"
        self._write_generator()
        self._write_detector()

    def _write_generator(self):
        model = build_model({"name": "wav2lip", "face_size": 96, "width": 1.0})
        torch.save({"state_dict": recipe_state(model)}, self.weights)

    def _write_detector(self):
        path = self.folder / "face_detection" / "detection" / "sfd"
        module = import_file(path / "net_s3fd.py", "peer_net_s3fd")
        torch.save(random_detector_state(module.s3fd()), path / "s3fd.pth")

    def run(self, face, audio, stand_in, *, box=None, dump=None):
        """Time one run of the peer.

        Args:
            face, audio: names in `folder`.
            stand_in: box (top, bottom, left, right) that takes the place of the detector's faces.
            box: passed as `--box`; None lets the peer detect.
            dump: name of a .npy file for the drawn faces.

        Returns:
            dict: "seconds" of wall time, "cpu_seconds", "detector_seconds" (wall), "detector_frames".

        Raises:
            InputError: the peer failed; its last line is told.
        """
        command = [sys.executable, RUNNER, "--report", "report.json", "--box", *stand_in]
        command += ["--dump", dump] if dump else []
        command += ["--", "--checkpoint_path", self.weights.name, "--face", face, "--audio", audio, "--outfile", "peer.mp4"]
        command += ["--box", *box] if box else []
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
        (self.folder / "peer.mp4").unlink(missing_ok=True)
        done = measure_process(command, folder=self.folder, environment=environment, what="the peer")
        if not (self.folder / "peer.mp4").is_file():
            raise InputError("the peer wrote no video; its ffmpeg must have failed (try another one with --ffmpeg)")
        took = {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds}
        return {**took, **json.loads((self.folder / "report.json").read_text())}


def random_detector_state(network):
    """Random S3FD weights that keep the activations' size and give no face anywhere: the cheapest case for a peer.

    With scores as random as the weights, a peer's Python loop over every hit would take far longer than in real use.

    Args:
        network: the peer's S3FD.

    Returns:
        state dict.
    """
    random, state = torch.Generator().manual_seed(0), {}
    for name, tensor in network.state_dict().items():
        if tensor.dim() == 4:
            gain = 1e-4 if "conf" in name else 2.0
            state[name] = torch.randn(tensor.shape, generator=random) * (gain / tensor[0].numel()) ** 0.5
        elif "conf" in name:
            state[name] = torch.tensor([BACKGROUND] * (len(tensor) - 1) + [FACE])
        else:
            norm = "norm" in name.lower() and name.endswith("weight")
            state[name] = torch.full(tensor.shape, 5.0 if norm else 0.0)
    return state


def find_ffmpeg(given=None):
    """Absolute path of an ffmpeg executable: the given one, that on PATH, or that of the imageio-ffmpeg package."""
    if given:
        if not os.access(given, os.X_OK):
            raise InputError(f"--ffmpeg {given}: cannot be run")
        return Path(given).resolve()
    if found := shutil.which("ffmpeg"):
        return Path(found).resolve()
    try:
        import imageio_ffmpeg

        return Path(imageio_ffmpeg.get_ffmpeg_exe()).resolve()
    except (ImportError, RuntimeError) as error:
        raise InputError("the peer calls ffmpeg, and there is none: install it, or give --ffmpeg PATH") from error
