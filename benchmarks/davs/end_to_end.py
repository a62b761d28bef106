"""Some clips through what inference.py runs: a picture in, whole frames out, read again with the detector."""

from itertools import islice

import cv2
import numpy as np

from benchmarks.held_out.measure import best_lag
from common.errors import InputError
from faces.mouth import mouth_opening
from metrics.formulas.correlation import pearson


def through_inference(checkpoint, media, rows, corpus, detector, folder):
    """Drive pictures by the sound and by the driving video of some clips.

    Args:
        checkpoint: path; media: folder of the corpus itself, in GRID's layout.
        rows: figures of benchmarks.davs.drive_measure.measure; corpus: PreparedCorpus, which says what each clip was cut from.
        folder: Path for pictures and videos.

    Returns:
        list of {"clip", "by": "sound" or "video", "r", "r_crops", "lag", "frames", "no_face"}.

    Raises:
        InputError: the media lack a clip.
    """
    from datasets.corpora import list_clips
    from pipeline.drive import run_job
    from pipeline.drivers import load_driver
    from pipeline.options import DriveOptions, FaceOptions, Job
    from pipeline.tracking import TrackStore

    folder.mkdir(parents=True, exist_ok=True)
    paths = {clip.id: clip.path for clip in list_clips("grid", media)}
    driver, found = load_driver(checkpoint, device="cpu", precision="fp32"), []
    for row in rows:
        if lacking := [row[key] for key in ("clip", "picture", "driver") if row[key] not in paths]:
            raise InputError(f"--media {media}: has no clip {lacking[0]}, which {corpus.folder} was made from")
        name = row["clip"].replace("/", "_")
        picture = first_frame(paths[row["picture"]], folder / f"{name}.png")
        for by, followed in (("sound", row["clip"]), ("video", row["driver"])):
            out = folder / f"{name}_{by}.mp4"
            given = {"audio": paths[followed]} if by == "sound" else {"audio": None, "drive": paths[followed]}
            job = Job.of(picture, outfile=out, **given)
            run_job(job, driver, FaceOptions(), DriveOptions(), store=TrackStore(None))
            truth = opening_of(paths[followed], detector)
            try:
                made = opening_of(out, detector)
            except InputError:  # what was drawn is no face: told as such, beside the other clips
                made = np.full(len(truth), np.nan)
            count = min(len(made), len(truth))
            made, truth = made[:count], truth[:count]
            found.append({"clip": row["clip"], "by": by, "r": pearson(made, truth), "r_crops": row[f"{by}_r"],
                          "lag": best_lag(made, truth), "frames": count, "no_face": int(np.isnan(made).sum())})  # fmt: skip
    return found


def first_frame(video, path):
    """Write the first frame of a video as a picture; returns its path."""
    from media import VideoReader

    (frame,) = islice(VideoReader(video), 1)
    cv2.imwrite(str(path), frame[..., ::-1])
    return path


def opening_of(video, detector):
    """(N,) opening of the mouth in the frames of a video at 25 a second, NaN where no face was found.

    Raises:
        InputError: no frame shows a face.
    """
    from metrics.footage import open_footage

    footage = open_footage(video, detector, fps=25)
    points = np.where(footage.detected[:, None, None], footage.track.landmarks.astype(np.float64), np.nan)
    return mouth_opening(points)
