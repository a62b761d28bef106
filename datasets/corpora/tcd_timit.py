"""TCD-TIMIT: `volunteers/01M/Clips/straightcam/sa1.mp4`, `lipspeakers/Lipspkr1/...`; the camera at 30 degrees is left alone."""

import os
from pathlib import Path

from datasets.corpora.clips import ClipSource, file_names, folders_in, videos_in
from datasets.corpora.texts import read_timit

LAYOUT = "volunteers/01M/Clips/straightcam/sa1.mp4 (or volunteers/01M/straightcam/sa1.mp4) and lipspeakers/Lipspkr1/..."
GROUPS = ("volunteers", "lipspeakers")
_CAMERAS = (Path("Clips", "straightcam"), Path("straightcam"))
# Beside a clip, best first. A .phn is left alone: it holds samples or seconds, as its maker chose.
_ALIGNMENTS = (".textgrid", ".lab")


def list_tcd_timit(root):
    """ClipSources of TCD-TIMIT, without order: id `01M/sa1`, no split of its own.

    The transcript is `SA1.txt` or `sa1.txt` beside the clip, the alignment a `.TextGrid` or an HTK `.lab` of its name. The
    corpus's label files of all clips (`volunteer_labelfiles.mlf`) are not read.
    """
    clips = {}
    for speaker, folder in _folders(root):
        beside = {name.lower(): Path(folder, name) for name in sorted(file_names(folder), reverse=True)}
        for path in videos_in(folder):
            text = beside.get(f"{path.stem}.txt".lower())
            align = next((beside[name] for end in _ALIGNMENTS if (name := path.stem.lower() + end) in beside), None)
            clip = ClipSource(f"{speaker}/{path.stem}", path, speaker, read_timit(text) if text else "", align)
            clips.setdefault(clip.id, clip)
    return list(clips.values())


def fits_tcd_timit(root):
    """Whether a folder holds a video where TCD-TIMIT has them."""
    return any(videos_in(folder) for _, folder in _folders(root))


def _folders(root):
    """(speaker, folder of his videos); the root is the corpus, or one of its groups."""
    groups = [root / name for name in GROUPS if os.path.isdir(root / name)] or [root]
    for camera in _CAMERAS:
        for group in groups:
            for speaker in folders_in(group):
                if (speaker / camera).is_dir():
                    yield speaker.name, speaker / camera
