"""The contract between the pipeline, which knows no family of methods, and a driver, which turns a checkpoint into pictures."""

from abc import ABC, abstractmethod
from dataclasses import replace

from common.errors import InputError
from common.suggest import refuse_unknown
from faces.crops import paste_mask, plan_crops
from faces.outline import lower_face_mask, whole_face_mask
from pipeline.masks import Masks
from pipeline.options import refuse_beside_compat
from pipeline.references.choice import choose_references
from speech.windows import frame_count

OUTLINES = {"mouth": lower_face_mask, "face": whole_face_mask}
# What a result can follow; "drive" and "pose" are driving videos, "still" is a head that keeps its pose.
FOLLOWS = ("sound", "drive", "pose", "still")
# Fields of DriveOptions that few families can use: for whose checkpoints they are.
FAMILY_FLAGS = {"identity_steps": "DAVS", "speech_gain": "DAVS or motion", "pose_amplitude": "motion",
                "pose_smoothing": "motion", "absolute_pose": "motion", "stabilise": "DAVS or the direct form of action units",
                "ddim_steps": "the diffusion renderer"}  # fmt: skip


class Driver(ABC):
    """A checkpoint that is ready to draw faces. A family of methods is one subclass and one line in `drivers.DRIVERS`.

    The pipeline calls `listen` once a job, `look` once for each shot of the source, then `draw` once a batch, of one shot:

        codes = driver.listen(driving, fps, frames)              # the whole clip at once
        state = driver.look(scene, codes)                        # what the person looks like in this shot
        faces = driver.draw(state, codes[[t, t + 1, ...]], crops of these frames, [t, t + 1, ...])
        weights = driver.mask(state, [t, t + 1, ...])            # of the paste; None for the outline of the face

    Args:
        checkpoint: training.checkpoint.Checkpoint of the family's network.
        crop: faces.crops.CropSpec that the network knows.
        device: torch.device that the network is on.
        precision: "fp32", "fp16" or "bf16", of the network's arithmetic.
        compat: one of the class's `compats`, or None.

    Attributes (of the class):
        pastes: which part of the crop is laid over the frame: "mouth", "face", or None where the crop is written alone.
        outlined: the paste ends at the outline of the face in the frame, where its landmarks are known.
        needs: those of FOLLOWS without which it cannot draw. can: all that it can follow, needs included.
        moves: it moves the landmarks of lips and draws with the person's own frames (`--amplitude`, `--source_gap`).
        takes: those of FAMILY_FLAGS that it can use.
        uses_words: it asks for the words that are said (`driving.words`).
        loop: what follows the end of a face video that is too short, unless the user says otherwise.
        leaves_out: why `lay_crops` gives no crop to some faces that were found, as words after "because".
        every_shot: `look` is called once, with a scene of all shots, and the driver itself draws in the light of each frame.
        compats: names of other programs whose pixels it can compute; a driver made with `compat` always runs in fp32.

    Attributes (of the object):
        name, run, sha256, taught_with: of the checkpoint. raw_crops: it learned from crops that were laid by each frame alone
            (`prepare.py --raw_crops`), so crops here are laid likewise. crop, device, precision, compat: as given.
        threads: of the CPU that it may draw with, as `--threads` says; None where nothing is said.
    """

    pastes = None
    outlined = True
    needs = frozenset({"sound"})
    can = frozenset({"sound"})
    moves = False
    takes = frozenset()
    uses_words = False
    loop = "pingpong"
    leaves_out = "the face changes its size abruptly or lies outside the frame"
    every_shot = False
    compats = ()

    def __init__(self, checkpoint, *, crop, device, precision, compat=None):
        self.name, self.sha256, self.taught_with = checkpoint.path.name, checkpoint.sha256, checkpoint.taught_with
        self.run, self.raw_crops = checkpoint.run, bool(checkpoint.config.get("data", {}).get("raw_crops"))
        self.crop, self.device, self.precision, self.compat = crop, device, precision, compat
        self.threads = None
        if compat is not None and not self.compats:
            raise InputError(f"--compat {compat}: this kind of checkpoint computes what no other program does; leave --compat "
                             "out")
        if compat is not None:
            refuse_unknown([compat], self.compats, "program of --compat")

    @abstractmethod
    def listen(self, driving, fps, frames):
        """What to draw when: the driving side of the whole clip at once.

        Args:
            driving: pipeline.driving.Driving. What `needs` names is there; `speech` and `pose` are there where they were given;
                `sound` is there, too, where a driving video merely has one, for the sound track and the length.
            fps: Fraction, frames a second of the result.
            frames: int, frames of the result.

        Returns:
            codes of `frames` frames; `codes[list of frame numbers]` gives what `draw` takes. Tensors and arrays do so.
        """

    @abstractmethod
    def look(self, scene, codes):
        """What the person looks like: done once for each shot of the source, or once a job with `every_shot`.

        Args:
            scene: pipeline.scene.Scene; of the frames that `reference_frames` has named `scene.references` are those that serve
                this shot, `scene.pictures(scene.references)` their crops.
            codes: what `listen` gave, of all frames.

        Returns:
            state for `draw`; it belongs to one job, so a driver may keep in it what is worth keeping.
        """

    @abstractmethod
    def draw(self, state, codes, frames, numbers):
        """Draw one batch.

        Args:
            state: from `look`.
            codes: of B frames, `codes[numbers]` of what `listen` gave.
            frames: (B, S, S, 3) uint8 RGB crops of the source frames into which is drawn, or (1, S, S, 3) where one picture
                serves for all: what the network sees of it needs computing once. Not to be written into.
            numbers: list of int, the B frames' numbers in the result; `scene.shown` says which source frames they show.

        Returns:
            (B, S, S, 3) uint8 RGB.
        """

    def mask(self, state, numbers):
        """Weights with which drawn faces are laid over the frame.

        Args:
            state: from `look`.
            numbers: list of int, frames of the result that were drawn last.

        Returns:
            (B, S, S) float32 in [0, 1]; None, the default, for `feather` times the outline of the source's face
            (`pipeline.masks`).
        """
        return None

    def outline(self, landmarks, size, smear, wanted=None):
        """The part of a crop in which the face may be drawn: what is pasted, and what `--preview` shows.

        Args:
            landmarks: (68, 2) float64 of the source frame, in crop pixels.
            size: S.
            smear: crop pixels by which laying the crop back spreads its weights.
            wanted: (68, 2) float64, landmarks as they are drawn; None where they are those of the frame.

        Returns:
            (S, S) float32 in [0, 1].
        """
        grown = {} if wanted is None else {"wanted": wanted}
        return OUTLINES[self.pastes](landmarks, size, inset=smear, **grown)

    def shown_mask(self, scene, number, crop):
        """Weights of the paste that `--preview` shows, (S, S) float32: those of `pipeline.masks`.

        Args:
            scene: pipeline.scene.Scene; number: of a source frame; crop: (S, S, 3) uint8, cut out of it.
        """
        return Masks(scene, self)(number)

    def reference_frames(self, track, reference=None):
        """Numbers of the source frames that are shown to `look`, as `scene.references`; the default is one for each shot.

        Args:
            track: FaceTrack of the source, present where there is a crop; None where the place of the face is given by hand.
            reference: what `--reference` says: None or "fixed" for frames of our choice, or the number of a frame.

        Returns:
            tuple of int.
        """
        if reference in (None, "fixed"):
            return (0,) if track is None else tuple(choose_references(track).values())
        return (reference,)

    def frames(self, driving, fps):
        """Frames of a result at `fps`: as long as the sound, or as the driving video where there is none."""
        if driving.sound is not None:
            return frame_count(len(driving.sound.waveform), fps)
        return max(1, -int(-len(driving.speech) * fps // driving.speech.fps))

    def crop_spec(self, pads=None):
        """CropSpec of the network, with other pads if given."""
        return replace(self.crop, pads=tuple(pads or self.crop.pads))

    def lay_crops(self, track, spec, fps, smooth):
        """One crop for each frame of a track, see `faces.crops.plan_crops`.

        A face that cannot be one (`FaceTrack.believed`) has no crop, and its frame stays as it is.
        """
        if self.compat is None:
            track = replace(track, present=track.believed(fps))
        return plan_crops(track, spec, fps=fps, smooth=smooth and not self.raw_crops)

    @property
    def feather(self):
        """(S, S) float32, the part of the crop that is drawn, faded out; None where the outline of the face alone limits it."""
        if self.pastes is None or self.crop.kind == "window":
            return None
        return paste_mask(self.crop.size, "face" if self.pastes == "face" else "feather", self.crop.kind)

    def sees(self, crop):
        """(S, S, 3) uint8: what the network sees of the crop of a source frame, for `--preview`."""
        return crop

    def check(self, options, given, *, complete=True):
        """Refuse what this checkpoint cannot do, before any work begins.

        Args:
            options: pipeline.options.DriveOptions.
            given: those of FOLLOWS that the user gave; "sound" also stands for that of a driving video.
            complete: `given` is all that will be given; what is needed and missing is refused, too.

        Raises:
            InputError: names the flag and says what to give in its place.
        """
        refuse_beside_compat(self.compat, options, given)
        if "drive" in given and "drive" not in self.can:
            raise InputError(f"--drive: {self.name} cannot follow the speech of a driving video; give its sound with --audio")
        if "pose" in given and "pose" not in self.can:
            raise InputError(f"--pose: {self.name} keeps the pose of the face video and cannot follow another; leave "
                             "it out")
        if "still" in given and "still" not in self.can:
            raise InputError(f"--pose still: {self.name} has no codes of the pose that could be held; leave it out")
        if complete and "drive" in self.needs and "drive" not in given:
            raise InputError(f"{self.name} follows a video of somebody who speaks; give it with --drive in place of --audio")
        if complete and "pose" in self.needs and "pose" not in given:
            raise InputError(f"{self.name} takes the movement of the head from a video; give it with --pose")
        if self.pastes is None and options.output == "frame":
            raise InputError(f"--output frame: {self.name} draws whole pictures, which belong in no frame; use --output crop")
        if options.paste and self.output(options) == "crop" and self.pastes != "mouth":
            raise InputError(f"--paste {options.paste}: the crop of {self.name} is written alone and laid over nothing; leave "
                             "--paste out")
        if options.optimise_face and self.pastes != "mouth":
            raise InputError(f"--optimise_face: {self.name} draws the whole face, which has nothing of the reference to match; "
                             "leave it out")
        for flag in ("amplitude", "source_gap", "refiner"):
            if not self.moves and getattr(options, flag) is not None:
                raise InputError(f"--{flag}: {self.name} draws pixels and moves no landmarks; leave it out")
        for flag in FAMILY_FLAGS:
            given = getattr(options, flag)
            if flag not in self.takes and given is not None and given is not False:
                raise InputError(f"--{flag}: {self.name} cannot use it; it is for checkpoints of {FAMILY_FLAGS[flag]}; leave "
                                 "it out")  # fmt: skip
        self.check_reference(options.reference)

    def check_reference(self, reference):
        """Refuse a `--reference` that this family does not know; the default knows one frame for all."""
        if reference == "same":
            raise InputError(f"--reference same: {self.name} is shown one picture of the person; choose fixed, or the number "
                             "of a frame")

    def unused(self, options):
        """Notes on what the user gave and this checkpoint does not look at: list of str."""
        notes = []
        if options.speech.given and not self.uses_words:
            notes.append(f"{self.name} has no audio gate, so {options.speech.given} changes nothing")
        if options.pads is not None and self.crop.kind != "box":
            what = "cuts out whole pixels about the face" if self.crop.kind == "window" else "was trained on aligned crops"
            notes.append(f"{self.name} {what}, so --pads changes nothing")
        if options.covered is not None and options.box:
            notes.append(f"with --box nobody looks whether a mouth is covered, so --covered {options.covered} changes nothing")
        return notes

    def remarks(self):
        """Notes on the job that was drawn last, told at its end: list of str."""
        return []

    def keeps_covered(self, options):
        """Whether frames whose mouth is covered stay as they are; not where faces are drawn that are laid over nothing."""
        if self.compat is not None or options.covered == "draw" or self.pastes is None:
            return False
        return self.pastes == "mouth" or self.output(options) == "frame"

    def tags(self, options):
        """What the result's metadata says of a job beside what `pipeline.marking.driver_tags` says: dict of str to str."""
        return {}

    def output(self, options):
        """What is written: "frame", or "crop" where the user or the family wants it so."""
        return options.output or ("crop" if self.pastes is None else "frame")
