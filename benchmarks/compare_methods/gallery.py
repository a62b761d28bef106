"""Pictures of the comparison: contact sheets of clips and of a portrait, and a video of all methods side by side."""

from pathlib import Path

from benchmarks.compare_methods.clips import choose, file_name
from benchmarks.compare_methods.pictures import faces_of, faces_of_portrait, write_sheet_of, write_video
from common.errors import InputError
from pipeline.drive import run_job
from pipeline.drivers import load_driver
from pipeline.options import DriveOptions, FaceOptions, Job
from pipeline.playback.source import FaceSource
from pipeline.tracking import TrackStore, prepare


class Gallery:
    """What the page shows beside its tables.

    Args:
        out: folder of the comparison; methods: list of methods.Method, each a row.
        weights: function of a method that gives the path of its weights, of seed 0.
    """

    def __init__(self, out, methods, weights):
        self._out, self._methods, self._weights = Path(out).resolve(), methods, weights

    def of_clips(self, corpus, grid, count, video=None):
        """Write sheet.png, and compare.mp4 where it is asked for, of clips that all methods have driven.

        Args:
            corpus, grid, count: as of `clips.choose`.
            video: id of the clip that the video shows, "" for the first, None for no video.

        Returns:
            list of (title, path).

        Raises:
            InputError: the clip of the video is not one that all methods have driven.
        """
        complete = [clip for clip in choose(corpus, grid, count) if len(self._videos(clip)) == len(self._methods)]
        if video and video not in (clip.id for clip in complete):
            known = ", ".join(clip.id for clip in complete) or "none yet"
            raise InputError(f"--compare_video {video}: is not among the clips that all methods have driven: {known}")
        if not complete:
            return []
        picked = [next((clip for clip in complete if clip.group == group), None) for group in ("test", "unseen")]
        picked = [clip for clip in picked if clip is not None]
        sheet, found = self._out / "sheet.png", []
        write_sheet_of([faces_of(self._videos(clip), clip.video) for clip in picked], sheet)
        found.append((f"Seed 0, driven by the own sound: {' and '.join(clip.id for clip in picked)}", sheet))
        if video is not None:
            clip = next((one for one in complete if one.id == video), picked[0])
            path = self._out / "compare.mp4"
            write_video(faces_of(self._videos(clip), clip.video, side=192)[0], clip.video, path, columns=5)
            found.append((f"All methods, {clip.id}", path))
        return found

    def of_portrait(self, face, speech):
        """Let all methods of seed 0 drive one picture with one sound, and write portrait.png.

        Args:
            face, speech: paths of a picture and a sound.

        Returns:
            list of (title, path).
        """
        store, videos = TrackStore(self._out / "videos" / "tracks"), {}
        for method in self._methods:
            path = self._out / "videos" / "portrait" / f"{method.key}.mp4"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                driver = load_driver(self._weights(method), device="cpu", precision="auto")
                run_job(Job.of(face, speech, path), driver, FaceOptions(), DriveOptions(**method.options), store=store)
            videos[method.name] = path
        sheet = self._out / "portrait.png"
        track = prepare(FaceSource(Path(face), FaceOptions()), FaceOptions(), store=store)
        write_sheet_of([faces_of_portrait(videos, track, speech)], sheet)
        return [("One picture of a person whom no method knows, and a synthesised voice; seed 0", sheet)]

    def _videos(self, clip):
        """{name: path} of a clip driven by its own sound, of seed 0."""
        name = file_name(clip, ".mp4")
        found = {one.name: self._out / "videos" / f"{one.key}-0" / "own" / name for one in self._methods}
        return {label: path for label, path in found.items() if path.is_file()}
