"""The driver of lip motion networks: speech moves the lips, and the face is drawn with the person's own pixels, warped.

    speech features -> network: movements, 25 a second -> placed on the landmarks of each frame
    own frames of the video -> a source for each frame -> lower face, lit as the frame is -> inner mouth where none shows one
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial

import numpy as np
import torch

from common.errors import InputError
from faces.crops import CropSpec
from faces.drawing.inner_mouth import InnerMouth, missing
from faces.drawing.lower_face import draw_lower_face
from faces.drawing.portrait import portrait_of, without_inside
from faces.lip_space import Person, placed, speaks
from faces.outline import lower_face_mask
from faces.window import LARGEST
from models.lips.motion import MARGIN, SPAN
from pipeline.drivers.driver import Driver
from pipeline.drivers.own_frames import OwnFrames, in_crop, own_bank, rest_picture
from pipeline.drivers.refining import Refiner, load_refiner
from pipeline.drivers.speech_codes import SpeechCodes, in_pieces
from pipeline.scene import Scene
from speech.features import features
from speech.labelling import align_speech

THREADS = 2, 4  # at least and at most, that draw where nobody says how many
# Eye distances: landmarks of the jaw lie a little inside of what is seen as its edge; how soft the paste ends there.
GROW, WAY = 0.08, 0.06
HEARS_MEL = "checkpoints/lipwarp_mel.safetensors"


@dataclass
class Speaker:
    """Who is seen in a shot.

    Attributes:
        person: faces.lip_space.Person. look: faces.drawing.inner_mouth.Look.
    """

    person: Person
    look: object


@dataclass
class LipState:
    """One job.

    Attributes:
        scene: Scene. own: OwnFrames. speaker_of: function of the number of a source frame -> Speaker.
        ready: the bank shows no inside of the mouth: a portrait, or a video in which nobody speaks.
        refiner: Refiner of what is drawn, or None.
        masks: {number of a frame of the result: (S, S) float32}, of the batch that was drawn last.
    """

    scene: Scene
    own: OwnFrames
    speaker_of: object
    ready: bool
    refiner: Refiner | None = None
    masks: dict = field(default_factory=dict)


class LipwarpDriver(Driver):
    """A lip motion checkpoint with the drawing of lips that it moves.

    Args:
        checkpoint, device, precision, compat: see Driver. The network is small and always runs in float32.
    """

    pastes = "mouth"
    moves = True
    every_shot = True

    @property
    def uses_words(self):
        """An audio gate asks for the phonemes."""
        return self.model.audio_gate is not None

    def __init__(self, checkpoint, *, device, precision, compat=None):
        crop = CropSpec("window", LARGEST, (0, 0, 0, 0))
        super().__init__(checkpoint, crop=crop, device=device, precision="fp32", compat=compat)
        self.model, self.inner = checkpoint.model.eval(), InnerMouth.load()
        self._refiners = {}

    def check(self, options, given, *, complete=True):
        """See Driver; a place that is given by hand has no landmarks, and speech features may need a package."""
        super().check(options, given, complete=complete)
        try:
            features(self.model.features, np.zeros(1, np.float32), 0, 1)
        except InputError as error:
            raise InputError(f"{self.name}: {error}; {HEARS_MEL} hears the mel") from error
        if options.box:
            raise InputError(f"--box: {self.name} moves the landmarks of a face that is found; leave --box out, or give a "
                             "checkpoint that draws into a box, such as checkpoints/demo.safetensors")  # fmt: skip
        self._refiner(options.refiner)

    @cached_property
    def _pool(self):
        least, most = THREADS
        count = self.threads or min(most, max(least, torch.get_num_threads()))
        return ThreadPoolExecutor(count, thread_name_prefix="lower face")

    def _refiner(self, path):
        """Refiner of a checkpoint, read once; None without a path."""
        if path is not None and path not in self._refiners:
            self._refiners[path] = load_refiner(path, device=self.device)
        return self._refiners.get(path)

    def check_reference(self, reference):
        """All that `--reference` can say makes sense here."""

    def tags(self, options):
        """Amplitude, how far sources keep away from the frame that is drawn, and what refined it."""
        found = {"amplitude": f"{1.0 if options.amplitude is None else options.amplitude:g}"}
        if options.source_gap:
            found["source_gap"] = str(options.source_gap)
        if refiner := self._refiner(options.refiner):
            found["refiner"] = f"{options.refiner.name} {refiner.sha256[:12]}"
        return found

    def outline(self, landmarks, size, smear, wanted=None):
        """See Driver; the hull of the frame's and the wanted jaw, a little larger than the jaw's landmarks."""
        return lower_face_mask(landmarks, size, wanted=wanted, inset=smear, way=WAY, grow=GROW)

    def shown_mask(self, scene, number, crop):
        """See Driver; of a mouth that is drawn as it is."""
        (landmarks,) = scene.landmarks([number])
        _, mask = draw_lower_face(crop, landmarks, landmarks, [(crop, landmarks, 1.0)])
        return mask * self.outline(landmarks, len(crop), scene.crops[number].smear, landmarks)

    def reference_frames(self, track, reference=None):
        """The one frame that `--reference` names; none where the bank is chosen here, or each frame serves itself."""
        return () if reference in (None, "same") else super().reference_frames(track, reference)

    def listen(self, driving, fps, frames):
        """SpeechCodes of the whole sound, and its phonemes where the network has an audio gate."""
        waveform = driving.sound.waveform
        phones = align_speech(waveform, driving.words).phones if self.uses_words else None
        return SpeechCodes.hear(self.model.features, waveform, fps, frames, MARGIN, phones)

    def look(self, scene, codes):
        """LipState: the person's own frames, and the person of each shot; movements are made for each piece of `OwnFrames`."""
        options = scene.options
        bank = None if options.reference == "same" and not scene.still else own_bank(scene)
        seen = np.array([crop is not None for crop in scene.crops]) & ~scene.track.interpolated & ~scene.covered
        seen = seen if seen.any() else None
        ready = bank is not None and (scene.still or not speaks(scene.track.landmarks, seen))
        given = bank
        if ready:
            lips = [without_inside(*one) for one in zip(bank.pictures, bank.landmarks, strict=True)]
            bank = replace(bank, pictures=np.stack(lips))
        shots = np.zeros(len(scene.track), np.int64) if bank is None else bank.shot_of

        @cache
        def speaker(shot):
            landmarks = scene.track.landmarks
            own = (shots == shot) & np.isfinite(landmarks).all((1, 2))
            own = own & seen if seen is not None and (own & seen).any() else own
            person = Person.of(landmarks, own)
            picture, landmarks = rest_picture(scene, given, shot)
            if ready:
                portrait = portrait_of(picture, landmarks, self.inner, person)
                person, look = portrait.person, portrait.look
            else:
                look = self.inner.look(picture, landmarks, _at_rest(person, landmarks))
            return Speaker(person, look)

        def speaker_of(number):
            return speaker(int(shots[number]))

        gain = 1.0 if options.amplitude is None else options.amplitude

        def place(numbers, landmarks):
            wanted, of = np.empty_like(landmarks), shots[scene.shown[numbers]]
            for shot in np.unique(of):
                mine, who = of == shot, speaker(int(shot))
                movements = codes.at_rate(partial(self._move, codes, who.person), numbers[mine])
                wanted[mine] = placed(movements, who.person, landmarks[mine], gain)
            return wanted

        own = OwnFrames(scene, bank, place, options.source_gap or 0)
        return LipState(scene, own, speaker_of, ready, self._refiner(options.refiner))

    def draw(self, state, codes, frames, numbers):
        """(B, S, S, 3) uint8: the source's crops with their lower faces drawn; their masks wait for `mask`."""
        found = [state.own.of(number) for number in numbers]
        shown = [int(state.scene.shown[number]) for number in numbers]
        crops = frames if len(frames) > 1 else np.broadcast_to(frames, (len(numbers), *frames.shape[1:]))
        jobs = [(state, crop, number, *one) for crop, number, one in zip(crops, shown, found, strict=True)]
        drawn = list(self._pool.map(self._draw_one, jobs))
        state.masks.clear()
        state.masks.update(zip(numbers, (mask for _, mask in drawn), strict=True))
        return np.stack([face for face, _ in drawn])

    def mask(self, state, numbers):
        """(B, S, S) float32: what was drawn, cut off at the outline of the frame's and the wanted jaw."""
        return np.stack([state.masks.pop(number) for number in numbers])

    def _draw_one(self, job):
        state, crop, number, wanted, sources = job
        scene, bank = state.scene, state.own.bank
        (landmarks,) = scene.landmarks([number])
        wanted = in_crop(scene, number, wanted)
        itself = not sources
        if itself:
            sources = [(without_inside(crop, landmarks) if state.ready else crop, landmarks, 1.0)]
        else:
            sources = [(bank.pictures[entry], bank.landmarks[entry], weight) for entry, weight in sources]
        face, mask = draw_lower_face(crop, landmarks, wanted, sources)
        if state.refiner is not None:
            face = state.refiner.refine(face, wanted, max(sources, key=lambda one: one[2])[1])
        share = 1.0 if state.ready else sum(weight * missing(points, wanted) for _, points, weight in sources)
        if share > 0:
            speaker = state.speaker_of(number)
            face = self.inner.draw(face, wanted, _at_rest(speaker.person, landmarks), speaker.look, share)
        if not itself and not scene.still and scene.options.covered != "draw":
            mask = mask * np.float32(bank.uncovered(crop, landmarks))  # a hand before the mouth stays
        smear = scene.crops[number].smear
        return face, mask * self.outline(landmarks, len(crop), smear, wanted)

    def _move(self, codes, person, first=0, last=None):
        """(last - first, 20, 2) float32 movements, 25 a second, numbered from BEYOND before the clip; None: to its end."""
        rest = torch.from_numpy(np.float32(person.rest))[None].to(self.device)

        def make(first, last):
            heard = torch.from_numpy(np.ascontiguousarray(codes.features[first : last + 2 * MARGIN]))[None].to(self.device)
            phonemes = None if codes.phonemes is None else torch.from_numpy(codes.phonemes[first:last])[None].to(self.device)
            return self.model.move(heard, rest, phonemes)[0].float().cpu().numpy()

        return in_pieces(make, len(codes.features) - 2 * MARGIN, SPAN, first, last)


def _at_rest(person, landmarks):
    """(68, 2) landmarks with the mouth at rest, in the pixels of `landmarks`."""
    return placed(np.zeros((1, 20, 2)), person, landmarks[None])[0]
