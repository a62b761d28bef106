"""Whose face is driven by whose sound: file lists of pairs, test speakers of GRID and TCD-TIMIT, folders."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from common.errors import InputError
from common.files import require_file
from datasets.corpora import AUDIO_SUFFIXES, VIDEO_SUFFIXES, list_clips
from datasets.corpora.splits import GRID_TEST_SPEAKERS, TCD_TIMIT_TEST_NUMBERS
from metrics.clips.pairs import pair_name, short_id
from metrics.rows import PROTOCOLS

KINDS = ("grid", "tcd_timit", "folder")
_FOLDERS = ("", "main", "test")  # below the data root: as the lists' ids say, LRS2's main/, LRS3's test/


@dataclass(frozen=True)
class Pair:
    """One video to generate.

    Attributes:
        name: path of the result below a folder, without suffix: `metrics.clips.pairs.pair_name` of the two ids.
        face_id: the clip whose face is shown: path below the data root without suffix and corpus folders
            (`metrics.clips.pairs.short_id`).
        face: its video.
        audio_id: the clip whose sound drives it; equal to face_id where it is the face's own. In lists of files with suffix it
            keeps the suffix.
        audio: a video or an audio file; the face's video itself where protocol is "paired".
        protocol: "paired" or "unpaired".
    """

    name: str
    face_id: str
    face: Path
    audio_id: str
    audio: Path
    protocol: str


@dataclass(frozen=True)
class PairList:
    """Pairs of one list.

    Attributes:
        pairs: list of Pair, paired ones first, at least one; their names differ.
        missing: (line or speaker, reason) for everything in the list that made no pair.
        source: what the list is, for reports; holds no path of this machine.
    """

    pairs: list
    missing: list
    source: str


def read_pairs(spec, data_root, *, protocol="paired", seed=0, limit=None):
    """Pairs of a list file or of a corpus.

    Args:
        spec: a file of two ids a line, or the name of a kind; a file of that name is `./grid`.
            A file whose ids have no suffix is one of Wav2Lip's lists (LRS2, LRS3, LRW): the sound stands first, the face
            second. The id is a video below data_root, data_root/main or data_root/test, as .mp4 before other suffixes; LRW's
            `WORD_00018` also lies at `WORD/test/WORD_00018`. A file whose ids all have a suffix is one of ReSyncED's: the face
            stands first, the sound, video or audio file, second. Empty lines and lines that begin with # count for nothing.
            "grid": `<speaker>/video/*`, the speakers GRID_TEST_SPEAKERS as far as they are there; "grid:s1,s22" exactly these;
            "grid:all" all.
            "tcd_timit": `volunteers/<id>/Clips/straightcam/*`, numbers TCD_TIMIT_TEST_NUMBERS; "tcd_timit:01M,Lipspkr1"
            exactly these (lipspeakers lie below `lipspeakers/`); "tcd_timit:all" all.
            "folder": all videos below data_root.
        data_root: folder that the ids are below.
        protocol: "paired": each face with its own sound. "unpaired": of a file, the lines as they stand, where a line of the
            same id twice makes a pair that is "paired"; of a kind, each face with the sound of another clip of the whole list
            (`derangement`), be it of the same speaker or not. "both".
        seed: of the derangement.
        limit: keep so many faces, the first and then evenly spread over the list, with all their pairs. Taken last: a face
            has the same sound with and without it.

    Returns:
        PairList; of a kind in the order of the ids, of a file in the order of its lines.

    Raises:
        InputError: an unknown spec, protocol or speaker, limit below 1; no data_root; a line without two ids, with an id
            outside data_root, of the other style than the first, or with a face that is no video; two faces with the same
            name but for the suffix; nothing found; a single clip for "unpaired".
    """
    data_root = Path(data_root)
    if protocol not in (*PROTOCOLS, "both"):
        raise InputError(f"--protocol {protocol}: unknown; choose one of {', '.join((*PROTOCOLS, 'both'))}")
    if limit is not None and limit < 1:
        raise InputError(f"--limit {limit}: must be at least 1")
    if not data_root.is_dir():
        raise InputError(f"{data_root}: no such folder (data root of the pairs)")
    kind, colon, speakers = str(spec).partition(":")
    if kind in KINDS:
        clips, missing, source = _named_clips(kind, speakers.split(",") if colon else None, data_root)
        pairs = _clip_pairs(clips, protocol, seed)
        if protocol != "paired":
            source += f"; sounds drawn with seed {seed}"
    else:
        path = require_file(spec, f"list of pairs, or one of {', '.join(KINDS)}")
        pairs, missing, style = _listed_pairs(path, data_root, protocol)
        source = f"{path.name} ({style} in each line)"
    pairs = sorted(pairs, key=lambda pair: pair.protocol)
    if limit is not None:
        kept = set(_spread(list(dict.fromkeys(pair.face_id for pair in pairs)), limit))
        pairs = [pair for pair in pairs if pair.face_id in kept]
    return PairList(pairs, missing, source)


def derangement(ids, seed):
    """Give every id another one, each once: one ring over all ids, in the order of a hash of seed and id.

    It depends on the set of ids and the seed alone, not on their order or the machine.

    Returns:
        dict id -> other id.

    Raises:
        InputError: fewer than two ids.
    """
    ring = sorted(set(ids), key=lambda name: hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogateescape")).digest())
    if len(ring) < 2:
        raise InputError(f"{', '.join(ring) or 'no clip'}: a list needs two clips for unpaired sound; use --protocol paired")
    return dict(zip(ring, ring[1:] + ring[:1], strict=True))


def _clip_pairs(clips, protocol, seed):
    pairs = []
    if protocol != "unpaired":
        pairs += [_own(face_id, face) for face_id, face in clips.items()]
    if protocol != "paired":
        other = derangement(clips, seed)
        pairs += [_driven(face_id, face, other[face_id], clips[other[face_id]]) for face_id, face in clips.items()]
    return pairs


def _own(face_id, face):
    return Pair(pair_name(face_id), face_id, face, face_id, face, "paired")


def _driven(face_id, face, audio_id, audio):
    return Pair(pair_name(face_id, audio_id), face_id, face, audio_id, audio, "unpaired")


def _spread(items, limit):
    count = min(limit, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def _named_clips(kind, speakers, root):
    """({id: path} sorted, missing, source) of a kind; speakers: list of names, ["all"], or None for the test speakers."""
    if kind == "folder":
        if speakers is not None:
            raise InputError(f"folder:{','.join(speakers)}: a folder has no speakers; write folder")
        found, odd = _listed("folder", root)
        if not found and not odd:
            raise InputError(f"{root}: every video in it is hidden (its name or a folder's begins with a point)")
        return found, odd, "folder"
    found, odd = _listed("grid", root) if kind == "grid" else (_tcd_timit(root), [])
    present = sorted({_speaker(clip_id) for clip_id in found})
    if speakers == ["all"]:
        return found, odd, f"{kind}, all {len(present)} speakers"
    if speakers is None:
        chosen, missing = _test_speakers(kind, present, root)
        note = "our choice of test speakers"
    else:
        chosen, missing, note = _given_speakers(kind, speakers, present, root), [], "speakers"
    missing = [*odd, *missing]
    return {i: path for i, path in found.items() if _speaker(i) in chosen}, missing, f"{kind}, {note} {', '.join(chosen)}"


def _listed(kind, root):
    """({id: path}, [(id, reason)]): the visible clips of a corpus, and those whose names keep them out."""
    clips = [clip for clip in list_clips(kind, root) if not _hidden(clip.id)]
    return {clip.id: clip.path for clip in clips if not clip.fault}, [(clip.id, clip.fault) for clip in clips if clip.fault]


def _test_speakers(kind, present, root):
    """(those present, missing) of our test speakers; TCD-TIMIT's by number, whatever the letter."""
    wanted = GRID_TEST_SPEAKERS if kind == "grid" else TCD_TIMIT_TEST_NUMBERS
    key = str if kind == "grid" else lambda speaker: speaker[:2] if re.fullmatch("[0-9]{2}[MF]", speaker) else ""
    chosen = [speaker for speaker in present if key(speaker) in wanted]
    if not chosen:
        raise InputError(f"{root}: holds none of the test speakers {', '.join(wanted)}; name the speakers to take, such as "
                         f"{kind}:{','.join(present[:2])}, or write {kind}:all")
    absent = [speaker for speaker in wanted if speaker not in map(key, chosen)]
    return chosen, [(speaker, "test speaker without a video in the data root") for speaker in absent]


def _given_speakers(kind, speakers, present, root):
    speakers = [speaker.strip() for speaker in speakers]
    absent = [speaker for speaker in speakers if speaker not in present]
    if absent:
        raise InputError(f"{kind}:{','.join(speakers)}: no video of speaker {', '.join(map(repr, absent))} in {root}; it has "
                         f"{', '.join(present)}")
    return list(dict.fromkeys(speakers))


def _tcd_timit(root):
    clips = {}
    for path in sorted(path for group in ("volunteers", "lipspeakers") for path in root.glob(f"{group}/*/Clips/straightcam/*")):
        clip_id = short_id(path.relative_to(root).with_suffix("").as_posix())
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and not _hidden(clip_id):
            clips.setdefault(clip_id, path)
    if not clips:
        raise InputError(f"{root}: no video found; TCD-TIMIT is laid out as volunteers/01M/Clips/straightcam/sa1.mp4")
    return dict(sorted(clips.items()))


def _speaker(clip_id):
    return clip_id.partition("/")[0]


def _hidden(clip_id):
    return any(part.startswith(".") for part in clip_id.split("/"))


def _listed_pairs(path, root, protocol):
    """(pairs, missing, columns) of a list file."""
    lines, with_suffix = _read_lines(path)
    places, faces, pairs, missing, absent = {}, {}, {}, [], []
    for number, face_text, audio_text in lines:
        own = face_text == audio_text
        wanted = {"face": face_text} if own or protocol == "paired" else {"face": face_text, "sound": audio_text}
        lost = [(what, text) for what, text in wanted.items() if _find(places, root, text, with_suffix) is None]
        face, audio = places[face_text], places.get(audio_text)
        face_id = face_text.removesuffix(PurePosixPath(face_text).suffix) if with_suffix else face_text
        if face is not None and faces.setdefault(face_id, face) != face:
            raise InputError(f"{path}, line {number}: {face_text} and {faces[face_id].name} differ in the suffix alone; their "
                             "results would share a name, so rename one")
        if face is not None and (own or protocol != "unpaired"):
            pairs.setdefault((face_id, None), (number, _own(face_id, face)))
        reason = "; ".join(f"{what} {text}: no such file" for what, text in lost)
        if not lost and not own and protocol != "paired":
            first, _ = pairs.setdefault((face_id, audio_text), (number, _driven(face_id, face, audio_text, audio)))
            reason = f"the same pair as line {first}" if first != number else ""
        if reason:
            missing.append((f"line {number}: " + " ".join((face_text, audio_text)[:: 1 if with_suffix else -1]), reason))
            absent += [text for _, text in lost]
    if not pairs:
        looked = ", ".join(str(place) for place in _candidates(root, absent[0], with_suffix, (".mp4",)))
        raise InputError(f"{path}: none of its {len(lines)} pairs is there; looked for {looked}")
    return [pair for _, pair in pairs.values()], missing, "face and sound" if with_suffix else "sound and face"


def _read_lines(path):
    """([(line number, face, sound)], whether the ids have suffixes) of a list file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no UTF-8 text; a list of pairs has two ids a line") from error
    lines, style = [], None
    for number, line in enumerate(text.splitlines(), 1):
        ids = line.split()
        if not ids or ids[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(ids) != 2:
            raise InputError(f"{where}: has {len(ids)} fields; write two ids, sound and face without suffix or face and sound "
                             "with suffix")
        ids = [_inside(text, where) for text in ids]
        suffixes = [PurePosixPath(text).suffix.lower() for text in ids]
        known = [suffix in VIDEO_SUFFIXES + AUDIO_SUFFIXES for suffix in suffixes]
        if known[0] != known[1] or style not in (None, known[0]):
            raise InputError(f"{where}: {' '.join(ids)}: either all ids of a list have the suffix of a video or audio file "
                             "(face first), or none has (sound first)")
        style = known[0]
        if style and suffixes[0] not in VIDEO_SUFFIXES:
            raise InputError(f"{where}: {ids[0]} is no video; in a list with suffixes the face stands first")
        lines.append((number, *(ids if style else reversed(ids))))
    if not lines:
        raise InputError(f"{path}: holds no pair; write two ids a line")
    return lines, style


def _inside(text, where):
    """An id in one spelling; InputError where it leads out of the data root."""
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor or ".." in re.split(r"[/\\]", text):
        raise InputError(f"{where}: {text}: ids are paths below the data root, without .. and not absolute")
    return PurePosixPath(text).as_posix()


def _find(places, root, text, with_suffix):
    """File of an id, or None; `places` remembers."""
    if text not in places:
        candidates = _candidates(root, text, with_suffix, (".mp4", *VIDEO_SUFFIXES))
        places[text] = next((place for place in candidates if os.path.isfile(place)), None)
    return places[text]


def _candidates(root, text, with_suffix, suffixes):
    for suffix in dict.fromkeys(("",) if with_suffix else suffixes):
        for folder in _FOLDERS:
            yield root / folder / (text + suffix)
        if not with_suffix and (word := re.fullmatch("([^/]+)_[0-9]+", text)):
            yield root / word[1] / "test" / (text + suffix)
