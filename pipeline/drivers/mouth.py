"""The driver of Wav2Lip's family: it draws the masked lower half of a face from the sound, and takes the rest as it is."""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces.crops import CropSpec, paste_mask
from faces.paste import first_row
from pipeline.drivers.driver import Driver
from pipeline.drivers.mouth_generator import MouthGenerator
from pipeline.drivers.wav2lip_script import smooth_crops
from speech.labelling import align_speech
from speech.phonemes import phoneme_runs
from speech.windows import gather_windows, mel_window_start, wav2lip_inference_starts


@dataclass(frozen=True)
class MouthCodes:
    """What is heard at each frame.

    Attributes:
        mel: (80, m) float32 of the whole sound.
        starts: (N,) int64, first mel column of each frame's window.
        phonemes: (N,) int64, class of the phoneme that is spoken; None where the network does not ask.
    """

    mel: np.ndarray
    starts: np.ndarray
    phonemes: np.ndarray | None

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, frames):
        return MouthCodes(self.mel, self.starts[frames], None if self.phonemes is None else self.phonemes[frames])

    def windows(self):
        """(N, 80, 16) float32 mel windows."""
        return gather_windows(self.mel, self.starts)


@dataclass
class MouthState:
    """What the network is shown of the person.

    Attributes:
        reference: (1, S, S, 3) uint8 crop that serves for all frames, or None: each frame is its own.
        picture: (1, S, S, 3) uint8, the last single crop that was drawn into, and maps: what the network made of it.
    """

    reference: np.ndarray | None
    picture: np.ndarray | None = None
    maps: list | None = None


class MouthDriver(Driver):
    """A Wav2Lip checkpoint: audio windows, phonemes, texture modules, the reference, and what the public script does.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Attributes:
        generator: MouthGenerator.
        data, wants_phonemes: of the generator.

    Raises:
        InputError: data settings that this version does not know, or `compat` for a network of aligned crops.
    """

    pastes = "mouth"
    compats = ("wav2lip",)

    def __init__(self, checkpoint, *, device, precision, compat=None):
        self.generator = MouthGenerator(checkpoint, device, precision)
        self.data, self.wants_phonemes = self.generator.data, self.generator.wants_phonemes
        crop = CropSpec(self.data["crop"], self.generator.face_size, self.data["pads"])
        super().__init__(checkpoint, crop=crop, device=device, precision=precision, compat=compat)
        if compat and crop.kind != "box":
            raise InputError(f"--compat {compat}: {self.name} was trained on aligned crops; give weights of Wav2Lip")
        self._row = first_row(self.feather)

    @property
    def uses_words(self):
        """An audio gate asks for the phonemes."""
        return self.wants_phonemes

    @property
    def loop(self):
        """The public script starts again from the first frame."""
        return "loop" if self.compat else "pingpong"

    @property
    def outlined(self):
        """The public script pastes the whole square."""
        return not self.compat

    @property
    def feather(self):
        """(S, S) float32: the mouth, feathered; the whole square where the public script's pixels are wanted."""
        return paste_mask(self.crop.size, "hard" if self.compat else "feather", self.crop.kind)

    def frames(self, driving, fps):
        """As many as the sound has; the public script's windows are a few less."""
        return len(wav2lip_inference_starts(driving.sound.mel.shape[1], fps)) if self.compat else super().frames(driving, fps)

    def lay_crops(self, track, spec, fps, smooth):
        """As the pipeline does, or with the public script's smoothing."""
        crops = super().lay_crops(track, spec, fps, smooth and not self.compat)
        return smooth_crops(crops) if self.compat and smooth else crops

    def reference_frames(self, track, reference=None):
        """The one reference; none where each frame is its own."""
        reference = self.data["reference"] if reference is None else reference
        return () if self.compat or reference == "same" else super().reference_frames(track, reference)

    def check_reference(self, reference):
        """The public script knows one way alone."""
        if self.compat and reference not in (None, "same"):
            raise InputError(f"--compat {self.compat} takes each frame as its own reference; leave --reference out")

    def sees(self, crop):
        """The crop with its mouth blanked."""
        masked = crop.copy()
        masked[self.generator.mask_row :] = 0
        return masked

    def listen(self, driving, fps, frames):
        """MouthCodes: the sound's mel windows, and its phonemes where the network has an audio gate."""
        sound, phonemes = driving.sound, None
        if self.compat:
            starts = wav2lip_inference_starts(sound.mel.shape[1], fps)
        else:
            starts = [mel_window_start(t, fps, mode=self.data["audio_window"]) for t in range(frames)]
        if self.wants_phonemes:
            phones = align_speech(sound.waveform, driving.words).phones
            phonemes = phoneme_runs(phones, fps, frames).frame_labels()
        return MouthCodes(sound.mel, np.array(starts, np.int64), phonemes)

    def look(self, scene, codes):
        """MouthState."""
        return MouthState(scene.pictures(scene.references) if scene.references else None)

    def draw(self, state, codes, frames, numbers):
        """(B, S, S, 3) uint8: the source's crops with their mouths drawn; rows above what is pasted are left as they are."""
        references = frames if state.reference is None else state.reference
        if len(frames) > 1:
            maps = self.generator.encode(frames, references)
        else:
            if state.maps is None or not np.array_equal(state.picture, frames):
                state.picture, state.maps = frames, self.generator.encode(frames, references)
            maps = state.maps
        faces = np.repeat(frames, len(codes) // len(frames), axis=0)
        faces[:, self._row :] = self.generator.draw(
            codes.windows(), maps, phonemes=codes.phonemes, truncate=self.compat is not None, row=self._row
        )
        return faces
