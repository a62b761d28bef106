"""Prepare a face video once: decode, find and follow the face; keep the track under the content of the file.

What is stored are landmarks, not pictures: a few hundred bytes a frame. The key covers all that decides the track (content,
transform, detector, its version and weights, choice of the face), so a stale track cannot be taken. A damaged track is made
again.
"""

import dataclasses
import hashlib
import json
import logging
import os
import zipfile
from collections import OrderedDict
from contextlib import closing
from pathlib import Path

from common.errors import InputError
from common.files import atomic_output, content_hash
from common.version import __version__
from faces.detectors import DETECTORS, build_detector
from faces.detectors.identity import detector_identity
from faces.tracking.track import METHOD, track_face
from faces.tracking.tracked import FORMAT, FaceTrack
from media.reader import READER
from pipeline.prefetch import prefetch
from pipeline.progress import bar

READ_AHEAD = 32 << 20
MARGIN_SECONDS = 1.0
SMALL, LARGE = 160, 1600  # pixels of the shorter and of the longer side, below and above which the message names the size
log = logging.getLogger(__name__)


def default_cache():
    """Folder for tracks: below XDG_CACHE_HOME, else ~/.cache; None where there is no home folder."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "talkingface"
    except RuntimeError:  # no HOME, and a user id without an entry
        return None


@dataclasses.dataclass(frozen=True)
class StoredTrack:
    """A track, and whether it reaches the end of the video."""

    track: FaceTrack
    complete: bool

    def covers(self, frames):
        """True when it holds `frames` frames, or all that there are."""
        return self.complete or len(self.track) >= frames


class TrackStore:
    """Tracks by key: the last few in memory while the program runs, and all in a folder unless there is none.

    Args:
        folder: path, made when the first track is stored; None keeps nothing on disk.
    """

    KEPT = 4  # tracks in memory: those of one job, and what the next may share

    def __init__(self, folder):
        self._folder = Path(folder) / "tracks" if folder else None
        self._memory = OrderedDict()

    def __len__(self):
        """Tracks that are held in memory."""
        return len(self._memory)

    def get(self, key):
        """StoredTrack, or None where there is none that can be read."""
        if key not in self._memory and self._folder:
            try:
                details = json.loads((self._folder / f"{key}.json").read_text())
                track = FaceTrack.load(self._folder / details["track"])
                if len(track) == details["frames"]:
                    self._remember(key, StoredTrack(track, bool(details["complete"])))
            except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
                return None
        if key in self._memory:
            self._memory.move_to_end(key)
        return self._memory.get(key)

    def _remember(self, key, stored):
        self._memory[key] = stored
        self._memory.move_to_end(key)
        if len(self._memory) > self.KEPT:
            self._memory.popitem(last=False)

    def put(self, key, stored):
        """Keep a track; a folder that cannot be written costs a warning, not the job."""
        self._remember(key, stored)
        if not self._folder:
            return
        name = f"{key}-{len(stored.track)}.npz"
        try:
            stored.track.save(self._folder / name)
            with atomic_output(self._folder / f"{key}.json") as temporary:
                temporary.write_text(json.dumps({"track": name, "frames": len(stored.track), "complete": stored.complete}))
            for other in self._folder.glob(f"{key}-*.npz"):
                if other.name != name:
                    other.unlink(missing_ok=True)
        except (InputError, OSError) as error:
            log.warning("the face track is not kept for next time (%s); choose another --cache_dir, or --no_cache", error)


def track_key(path, options):
    """Name under which the track of this file with these FaceOptions is stored: 64 hexadecimal digits.

    Raises:
        InputError: the file cannot be read, or the detector is not installed or lacks its weights.
    """
    parts = {
        "content": content_hash(path),
        "options": dataclasses.asdict(dataclasses.replace(options, detector_weights=None)),  # their content is in the next line
        "detector": detector_identity(options.detector, options.detector_weights),
        "format": FORMAT,
        "method": METHOD,
        "reader": READER,
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def prepare(source, options, *, store, frames=None, device="cpu", batch_size=8, advice=None):
    """Track the face of a picture or video, or take the stored track.

    Args:
        source: FaceSource of these options.
        options: FaceOptions.
        store: TrackStore.
        frames: how many frames are needed; None for all. The rest of a longer video is not looked at.
        device, batch_size: for the detector.
        advice: what the message says to do where there is no face; None: what fits the picture's size and the options.

    Returns:
        FaceTrack of at most `frames` frames.

    Raises:
        InputError: the file cannot be read, or there is no face in it.
    """
    key = track_key(source.path, options)
    stored = store.get(key)
    limit = None if frames is None else frames + round(MARGIN_SECONDS * source.fps)
    if stored is None or not stored.covers(frames if frames is not None else float("inf")):
        stored = _follow(source, options, limit, device, batch_size)
        store.put(key, stored)
    track = stored.track if frames is None else stored.track.first(frames)
    if not track.present.any():
        where = "the picture" if source.is_image else "the first frame" if source.still else f"any of the {len(track)} frames"
        raise InputError(f"{source.path}: no face found in {where}; {advice or _advice(track, options, source.is_image)}")
    return track


def _advice(track, options, is_image):
    """What to do where no face is found in frames of this size."""
    size, transform, ways = f"{track.width}x{track.height}", options.transform, []
    if options.static and not is_image:
        ways.append("leave --static out, so that all frames are searched")
    if transform.resize_factor > 1:
        ways.append(f"leave --resize_factor {transform.resize_factor} out")
    if tuple(transform.crop) != (0, -1, 0, -1):
        ways.append("make --crop wider")
    elif max(track.width, track.height) >= LARGE:
        ways.append(f"the frames are {size} pixels: cut the person out with --crop TOP BOTTOM LEFT RIGHT")
    elif min(track.width, track.height) < SMALL:
        ways.append(f"the frames are {size} pixels, and a face needs about 40: give a larger picture")
    other = next(name for name in DETECTORS if name != options.detector)
    ways.append(f"try --detector {other}, another video, or give the place by hand with --box to a checkpoint that takes it")
    return "; ".join(ways)


def _follow(source, options, limit, device, batch_size):
    """Run the detector over the first `limit` frames (None for all) of a FaceSource."""
    detector = build_detector(options.detector, device=device, weights=options.detector_weights, batch_size=batch_size)
    known = [count for count in (source.claimed_frames, limit) if count]
    frames = prefetch(source.frames(0, limit), READ_AHEAD, lambda frame: frame.nbytes)
    try:
        with closing(frames), bar("finding the face", min(known) if known else None) as progress:
            track = track_face(frames, detector, options.selection, fps=source.fps, on_frame=progress.update)
    finally:
        detector.close()
    return StoredTrack(track, limit is None or source.still or len(track) < limit)
