"""What will be drawn where, and heard when: everything that is decided before the pass over the video."""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces.crops import ALIGNED_SIDE, ALIGNED_TOP, BOX_EXTENT, AlignedCrop, fixed_box, paste_mask, plan_crops
from faces.landmarks import apply_affine
from faces.optimise import FaceOptimiser
from faces.texture import texture_modules
from media import decode_audio
from pipeline.compat import smooth_crops
from pipeline.reference import choose_reference
from pipeline.source import FaceSource
from speech.labelling import align_speech
from speech.mel import mel_spectrogram
from speech.phonemes import phoneme_runs
from speech.waveform import to_waveform
from speech.windows import frame_count, gather_windows, mel_window_start, wav2lip_inference_starts

PASTE_MARGIN = 3  # rows above the first pasted one that the interpolation of the paste may look at


@dataclass(frozen=True)
class Sound:
    """What is heard.

    Attributes:
        samples: (channels, n) float32 at `rate`, for the result's sound track.
        rate: samples a second.
        waveform: (n,) float32, 16 kHz mono.
        mel: (80, m) float32.
    """

    samples: np.ndarray
    rate: int
    waveform: np.ndarray
    mel: np.ndarray

    @staticmethod
    def read(path):
        """Decode the sound of an audio or video file.

        Raises:
            InputError: no sound track, no sample, or samples that are not numbers.
        """
        samples, rate = decode_audio(path)
        try:
            waveform = to_waveform(samples, rate)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return Sound(samples, rate, waveform, mel_spectrogram(waveform))

    def window_starts(self, fps, mode, compat=None):
        """First mel column for each frame of the result, which thereby has as many frames: list of int."""
        if compat == "wav2lip":
            return wav2lip_inference_starts(self.mel.shape[1], fps)
        return [mel_window_start(t, fps, mode=mode) for t in range(frame_count(len(self.waveform), fps))]


@dataclass(frozen=True)
class Plan:
    """One job, decided.

    Attributes:
        source: FaceSource.
        crops: sequence, crop of each source frame, None where there is no face.
        count: frames of the source, or None when that is not known before the pass.
        loop: what follows the end of the source, see `pipeline.timeline.loop_index`.
        reference: number of the source frame that is the reference for all, or None: each frame is its own.
        starts: list of int, first mel column for each frame of the result.
        mel: (80, m) float32.
        mask: (S, S) float32, weights of the paste.
        truncate: cut off fractions of grey levels, as the public script does.
        phonemes: (N,) int64, class of the phoneme spoken in each frame of the result; None where the model does not ask.
        paste: one of `faces.paste.PASTE_STYLES`.
        optimiser: FaceOptimiser for the drawn faces, or None.
    """

    source: FaceSource
    crops: object
    count: int | None
    loop: str
    reference: int | None
    starts: list
    mel: np.ndarray
    mask: np.ndarray
    truncate: bool
    phonemes: np.ndarray | None
    paste: str = "feather"
    optimiser: FaceOptimiser | None = None

    @property
    def first_row(self):
        """First row of a drawn face that the paste looks at."""
        return max(0, int(np.flatnonzero(self.mask.any(axis=1))[0]) - PASTE_MARGIN)

    def windows(self, frames):
        """(n, 80, 16) mel windows of frames of the result."""
        return gather_windows(self.mel, [self.starts[t] for t in frames])

    def reference_crop(self):
        """(1, S, S, 3) uint8 crop of the reference frame, or None when each frame is its own.

        Raises:
            InputError: that frame does not exist, or has no face.
        """
        if self.reference is None:
            return None
        return cut_reference(self.source, self.crops, self.count, self.reference)[None]


def make_plan(source, track, sound, starts, generator, options):
    """Decide a job.

    Args:
        source: FaceSource.
        track: FaceTrack; None with `options.box`.
        sound: Sound.
        starts: of `Sound.window_starts`.
        generator: MouthGenerator, for the conventions of its checkpoint.
        options: DriveOptions.
    """
    crops = lay_crops(source, track, generator, options)
    reference = _reference(track, generator, options)
    return Plan(
        source=source,
        crops=crops,
        count=None if track is None else len(track),
        loop=options.loop or ("loop" if options.compat else "pingpong"),
        reference=reference,
        starts=starts,
        mel=sound.mel,
        mask=paste_weights(generator, options),
        truncate=options.compat is not None,
        phonemes=_phonemes(sound, len(starts), source.fps, options) if generator.wants_phonemes else None,
        paste=options.paste or "feather",
        optimiser=_optimiser(source, crops, track, reference, generator) if options.optimise_face else None,
    )


def cut_reference(source, crops, count, number):
    """(S, S, 3) uint8 crop of source frame `number`.

    Raises:
        InputError: that frame does not exist, or has no face.
    """
    frame = next(source.frames(number, number + 1), None)
    if frame is None or (count is not None and number >= count):
        raise InputError(f"--reference {number}: {source.path} has no such frame among those that are used")
    if crops[number] is None:
        raise InputError(f"--reference {number}: no face in that frame; choose another")
    return crops[number].extract(frame)


def _optimiser(source, crops, track, reference, generator):
    """FaceOptimiser for the reference frame; one frame for all also where the model is shown each its own, or textures flicker.

    It knows the reference's mouth only: what the real mouth does in the other frames must not reach the drawn one.
    """
    if reference is None:
        reference = 0 if track is None else choose_reference(track)
    face = cut_reference(source, crops, None if track is None else len(track), reference)
    landmarks = None
    if track is not None:
        landmarks = apply_affine(crops[reference].matrix, track.landmarks[reference].astype(np.float64))
    return FaceOptimiser(face, texture_modules(face), landmarks, kind=generator.data["crop"])


def _phonemes(sound, frames, fps, options):
    """(N,) int64 class of the phoneme that is spoken in each frame of the result."""
    alignment = align_speech(sound.waveform, options.speech)
    return phoneme_runs(alignment.phones, fps, frames).frame_labels()


def lay_crops(source, track, generator, options):
    """Where the face is cut out of each source frame: a sequence of crops, None where there is no face."""
    spec = generator.crop_spec(options.pads)
    if options.box:
        crop = fixed_box(options.box, spec, source.width, source.height)
        return _Everywhere(crop if spec.kind == "box" else upright_crop(crop.box, spec.size))
    crops = plan_crops(track, spec, fps=source.fps, smooth=options.smooth and not options.compat)
    return smooth_crops(crops) if options.compat and options.smooth else crops


def upright_crop(box, size):
    """The aligned crop of an upright face that fills a face box: for a model that knows aligned crops, and `--box`.

    Args:
        box: top, bottom, left, right in pixels, ends exclusive; Wav2Lip's extent of a face (`faces.crops.BOX_EXTENT`).
        size: S.
    """
    y1, y2, x1, x2 = box
    left, top, right, bottom = BOX_EXTENT
    scale = ((x2 - x1) / (right - left) + (y2 - y1) / (bottom - top)) / 2  # pixels per canonical unit
    eyes = np.array([(x1 + x2 - 1) / 2, (y1 + y2 - 1) / 2]) - scale * np.array([left + right, top + bottom]) / 2
    step = ALIGNED_SIDE * scale / size  # frame pixels per crop pixel
    first = eyes + scale * np.array([-ALIGNED_SIDE / 2, ALIGNED_TOP]) + step / 2
    return AlignedCrop(np.array([[1 / step, 0, -first[0] / step], [0, 1 / step, -first[1] / step]]), size)


def paste_weights(generator, options):
    """(S, S) float32 weights with which a generated face is laid over the frame."""
    return paste_mask(generator.face_size, "hard" if options.compat else "feather", generator.data["crop"])


class _Everywhere:
    """A sequence without end that holds one thing in every place."""

    def __init__(self, thing):
        self._thing = thing

    def __getitem__(self, index):
        return self._thing


def _reference(track, generator, options):
    """Number of the reference frame, or None for each frame its own; without a track the first frame has to do."""
    choice = generator.data["reference"] if options.reference is None else options.reference
    if options.compat or choice == "same":
        return None
    if choice == "fixed":
        return 0 if track is None else choose_reference(track)
    return choice
