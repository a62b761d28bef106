"""The clips of people never seen, with their sound in step, and what each is driven by."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.lipwarp.corpus import person_of
from benchmarks.lipwarp.people import HELD_OUT, LRW_AR, VALIDATION
from common.errors import InputError
from datasets.corpora.clips import VIDEO_SUFFIXES
from speech.waveform import SAMPLE_RATE, load_waveform

LONGEST = 8.0  # seconds of a clip that are used
GROUPS = {"GRID strangers": ("grid",), "other people": ("mead", "other", "clips2")}


@dataclass(frozen=True)
class Clip:
    """One clip of a person never seen.

    Attributes:
        path: of the video; person: name; group: key of GROUPS.
    """

    path: Path
    person: str
    group: str

    @property
    def name(self):
        """What outputs call it."""
        return f"{self.person}_{self.path.stem}"

    def sound(self, delay=0.0):
        """(n,) float32 16 kHz sound, at most LONGEST seconds, moved forward by `delay`, the seconds by which it trails."""
        from datasets.preparing.clips import delayed

        return delayed(load_waveform(self.path), delay)[: int(LONGEST * SAMPLE_RATE)]


def held_out_clips(media, groups=tuple(GROUPS), *, validation=False):
    """Clips of the people on whom results are reported, in a fixed order.

    Args:
        media: Path of the collection; groups: keys of GROUPS.
        validation: the people on whom choices are made, in their place: GRID's, and others.

    Raises:
        InputError: none is there.
    """
    group_of = {person: group for group in groups for key in GROUPS[group] for person in HELD_OUT[key]}
    if validation:
        group_of = {person: groups[0] if not person.startswith("c_") else groups[-1] for person in VALIDATION}
    clips = []
    for path in sorted(path for path in Path(media).rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES):
        name = path.relative_to(media).with_suffix("").as_posix()
        person = None if name.startswith(LRW_AR) else person_of(name)
        if person in group_of:
            clips.append(Clip(path, person, group_of[person]))
    if not clips:
        raise InputError(f"{media}: holds no clip of the people who are held out")
    return sorted(clips, key=lambda clip: (groups.index(clip.group), clip.person, clip.path.name))


def partners(clips):
    """For each clip the one whose sound drives it in place of its own: of another person, of the same group if it can be."""
    found = []
    for place, clip in enumerate(clips):
        order = [clips[(place + step) % len(clips)] for step in range(1, len(clips))]
        others = [one for one in order if one.person != clip.person]
        near = [one for one in others if one.group == clip.group]
        if not others:
            raise InputError(f"{clip.person}: is alone; other sound needs two people")
        found.append((near or others)[0])
    return found


def write_wav(path, samples):
    """Write (n,) float32 in [-1, 1] at 16 kHz as 16-bit PCM."""
    import soundfile

    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
