"""Any folder of videos."""

from datasets.corpora.clips import VIDEO_SUFFIXES, ClipSource
from datasets.corpora.texts import read_words_and_times

TEXTS = (".txt", ".srt", ".vtt", ".ass", ".sbv")
LAYOUT = "anywhere below the root, such as anna/talk.mp4, with talk.txt, talk.TextGrid or talk.align beside it or not"


def list_folder(root):
    """ClipSources of all videos below a folder: the id is the path without suffix, the speaker the folder.

    A `.txt` beside a video, or subtitles (TEXTS, the first that is there), is its transcript; a `.TextGrid`, an `.align` or an
    LRS text with word times is its alignment. Where two files differ in the suffix alone the second keeps it in its id.
    """
    clips, taken = [], set()
    for path in _videos(root):
        relative = path.relative_to(root)
        clip_id = relative.with_suffix("").as_posix()
        if clip_id in taken:  # a.mp4 and a.mov in one folder are two clips
            clip_id = relative.as_posix()
        taken.add(clip_id)
        text = next((file for end in TEXTS if (file := path.with_suffix(end)).is_file()), path.with_suffix(TEXTS[0]))
        words, times = read_words_and_times(text)
        files = [path.with_suffix(suffix) for suffix in (".TextGrid", ".align")]
        align = next((file for file in files if file.is_file()), times)
        speaker = relative.parent.as_posix() if relative.parent.parts else relative.stem
        clips.append(ClipSource(clip_id, path, speaker, words, align))
    return clips


def fits_folder(root):
    """Whether a folder holds a video."""
    return any(path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() for path in root.rglob("*"))


def _videos(root):
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
