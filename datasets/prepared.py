"""Prepared clips: what `prepare.py` stores and training reads.

A corpus is a folder: `corpus.json` (format, settings), `manifest.jsonl` (one row per clip, failed ones with their reason) and
`clips/<id>.safetensors`. A clip file is self-describing: each array has its dtype and shape in the header. Reading maps the
file into memory, so that one window of one clip costs one small read; numpy and json are all it takes. What can be remade
without cutting faces again, such as the phones, lies in files of its own beside the clips, see `datasets.clip_files`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import InputError
from datasets.av_offset import CONFIDENT
from datasets.clip_files import clip_path, open_clip, read_side, side_path
from datasets.clip_ids import why_no_id
from speech.alignment import Interval
from speech.arpabet import PHONES
from speech.phonemes import phoneme_runs

FORMAT = "talkingface-prepared-1"


@dataclass
class ClipRow:
    """One row of the manifest.

    Attributes:
        id, speaker, split, transcript: see `datasets.corpora`; split is train, val, test or unseen.
        source: name of the source file; source_hash: SHA-256 of its bytes.
        frames, fps, seconds: of the prepared clip.
        faces: frames in which a face was found.
        covered: frames of the source in which something covered the mouth, none of which is in the clip; 0 in rows written
            before this was noted.
        error: "" or why the clip failed.
        offset: seconds of the source at which the prepared clip begins; 0 in rows written before this was noted.
        sound_offset: seconds of the source at which its sound begins; None, as `offset`, where the two were not shifted.
        sound_delay: seconds by which the sound of the source was said to trail the picture (prepare.py --sound_delay); what
            follows was measured after that was made up for.
        av_offset: frames by which the sound trails the picture in the source, see `datasets.av_offset`; None: not known.
        av_confidence: of that, 0 where nothing could be measured; None: never measured.
        av_sure: whether that confidence suffices for a clip of this length; None: never measured, or before this was noted.
        av_by: name of the measure, see `datasets.preparing.av_rows`; "" in rows written before this was noted.
        av_corrected: frames by which the stored sound was moved against the picture to make up for it.
        phones: where its phones come from, see `speech.alignment.Alignment.source`; "" where it has none.
        phones_error: "" or why there are none; phones_score: how well they fit, see `speech.alignment.Alignment.score`.
        notes: what was changed in the source's pictures before use, see `media.VideoInfo.notes`.
        side: dict of kind of side files (datasets.preparing.side) -> {"from": where the clip's come from} or {"error": why it
            has none, "made_with": hash of the parameters that were tried}; kinds that nobody asked for are missing.
    """

    id: str
    speaker: str
    split: str
    transcript: str = ""
    source: str = ""
    source_hash: str = ""
    frames: int = 0
    fps: float = 25.0
    seconds: float = 0.0
    faces: int = 0
    error: str = ""
    offset: float = 0.0
    phones: str = ""
    phones_error: str = ""
    phones_score: float | None = None
    sound_offset: float | None = None
    sound_delay: float = 0.0
    av_offset: float | None = None
    av_confidence: float | None = None
    av_sure: bool | None = None
    av_by: str = ""
    av_corrected: int = 0
    covered: int = 0
    side: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    @property
    def sound_begins(self):
        """Second of the source at which the stored sound begins."""
        return self.offset if self.sound_offset is None else self.sound_offset

    @property
    def av_is_sure(self):
        """Whether the AV offset is known well enough to be acted upon."""
        return self.av_confidence is not None and (self.av_confidence >= CONFIDENT if self.av_sure is None else self.av_sure)


@dataclass
class PreparedCorpus:
    """A folder of prepared clips.

    Attributes:
        folder: Path.
        settings: what the clips were prepared with: crop, size, pads, fps, detector, sound and others.
        rows: good clips, sorted by id.
        failed: rows of clips that failed.
    """

    folder: Path
    settings: dict
    rows: list[ClipRow] = field(default_factory=list)
    failed: list[ClipRow] = field(default_factory=list)

    @staticmethod
    def open_folder(folder):
        """Read settings and manifest.

        Raises:
            InputError: not a prepared corpus, another format version, or a broken manifest line.
        """
        folder = Path(folder)
        path = folder / "corpus.json"
        if not path.is_file():
            raise InputError(f"{folder}: not a prepared corpus (no corpus.json); make one with prepare.py")
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: is not JSON ({error})") from error
        if not isinstance(stored, dict) or not isinstance(stored.get("settings", {}), dict):
            raise InputError(f"{path}: does not hold the settings of a prepared corpus; prepare the corpus anew")
        if stored.get("format") != FORMAT or "settings" not in stored:
            raise InputError(f"{path}: format {stored.get('format')!r}, this version reads {FORMAT!r}; prepare the corpus anew")
        rows = read_manifest(folder)
        good = sorted((row for row in rows.values() if not row.error), key=lambda row: row.id)
        failed = sorted((row for row in rows.values() if row.error), key=lambda row: row.id)
        return PreparedCorpus(folder, stored["settings"], good, failed)

    @property
    def has_sound(self):
        """Whether the clips hold their sound; not, where windows of MFCC stand in its place."""
        return self.settings.get("sound", "waveform") == "waveform"

    def split(self, name):
        """Good rows of one split, sorted by id."""
        return [row for row in self.rows if row.split == name]

    def open(self, row):
        """Arrays of one clip, mapped into memory."""
        return open_clip(clip_path(self.folder, row.id))

    def phones(self, row):
        """Phones of one clip as a tuple of Interval, gap-free from 0 to its length in seconds; None where it has none.

        Raises:
            InputError: the row has phones but their file is missing or broken.
        """
        if not row.phones:
            return None
        arrays, _ = read_side(self.folder, "phones", row.id)
        try:
            numbers, stress, times = (arrays[name].tolist() for name in ("phone", "stress", "phone_times"))
            edges = zip(numbers, stress, times[:-1], times[1:], strict=True)
            return tuple(Interval(start, end, PHONES[one], None if mark < 0 else mark) for one, mark, start, end in edges)
        except (KeyError, IndexError, ValueError) as error:
            path = side_path(self.folder, "phones", row.id)
            raise InputError(f"{path}: holds no phones ({error}); run prepare.py again with --realign") from error

    def phoneme_runs(self, row):
        """speech.phonemes.Runs over the frames of one clip; None where it has no phones."""
        phones = self.phones(row)
        return None if phones is None else phoneme_runs(phones, row.fps, row.frames)


def manifest_path(folder):
    """Where the manifest of a corpus lies."""
    return Path(folder) / "manifest.jsonl"


def read_manifest(folder):
    """Rows by id; a later line replaces an earlier one. A torn last line, left by a crash, is dropped.

    Raises:
        InputError: a line is no row, or its id would lead out of the corpus's folder.
    """
    path = manifest_path(folder)
    rows = {}
    if not path.is_file():
        return rows
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = ClipRow(**json.loads(line))
        except (json.JSONDecodeError, TypeError) as error:
            if number == len(lines):
                continue
            raise InputError(f"{path}, line {number}: not a manifest row ({error})") from error
        if why := why_no_id(row.id):
            raise InputError(f"{path}, line {number}: {row.id!r}: no id of a clip, it {why}; remove the line")
        rows[row.id] = row
    return rows
