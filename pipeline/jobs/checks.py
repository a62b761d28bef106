"""Everything that can be said of a job before its first frame: paths first, then what the files are. No torch is needed."""

from dataclasses import dataclass

from common.errors import InputError
from common.places import place_key
from pipeline.jobs.rows import failure
from pipeline.options import Job
from pipeline.playback.source import FaceSource


@dataclass(frozen=True)
class Ready:
    """A job whose files are there and of the right kind: Job, and the FaceSource of its face."""

    job: Job
    source: FaceSource


class FirstLook:
    """Opens the files of jobs, each of them once however many jobs name it; no more than one frame is decoded.

    Args:
        face_options: pipeline.options.FaceOptions.
        keep: paths that no job may replace.
    """

    def __init__(self, face_options, keep=()):
        self._options, self._keep = face_options, tuple(keep)
        self._faces, self._heard, self._followed = {}, set(), set()

    def paths(self, row):
        """Job of a Row, whose paths are right.

        Raises:
            InputError: an input is missing, or the output cannot be written or would replace an input.
        """
        return Job.of(row.face, row.audio, row.outfile, drive=row.drive, pose=row.pose, keep=self._keep)

    def files(self, job):
        """Ready of a Job, whose files are what they were given for.

        Raises:
            InputError: a file that is something else, a sound without a sound track, a video of an impossible size or rate, a
                driving video whose picture ends before its sound.
        """
        if job.face not in self._faces:
            self._faces[job.face] = FaceSource(job.face, self._options)
        if job.audio is not None and job.audio not in self._heard:
            from media.audio import require_sound

            require_sound(job.audio)
            self._heard.add(job.audio)
        for flag, path in (("--drive", job.drive), ("--pose", job.pose)):
            if path is not None and (flag, path) not in self._followed:
                from pipeline.driving import open_driving, require_equal_length

                open_driving(path, flag, self._options)
                if flag == "--drive":
                    require_equal_length(path)
                self._followed.add((flag, path))
        return Ready(job, self._faces[job.face])


def look_at_all(jobs, look):
    """Look at the files of all jobs before the first is done.

    Two jobs with one output are found by the file that the paths name, not by the text: the first that is right is done, and
    the others are refused. An output that is an input of any job is refused as well, so no job feeds another.

    Args:
        jobs: pipeline.jobs.rows.JobList.
        look: FirstLook.

    Returns:
        (list of (Row, Ready), list of Failed, those of the list among them).
    """
    read = {}
    for row in jobs.rows:
        for path in row.inputs:
            read.setdefault(place_key(path), (path, row.label))
    ready, failed, taken = [], list(jobs.bad), {}
    for row in jobs.rows:
        try:
            job, key = look.paths(row), place_key(row.outfile)
            if key in read:
                path, label = read[key]
                raise InputError(f"{row.outfile}: the output is the same file as {path}, an input of {label}; no job feeds "
                                 "another, so choose another outfile")  # fmt: skip
            if key in taken:
                raise InputError(f"{row.outfile}: the output is the same file as that of {taken[key]}; choose another outfile")
            ready.append((row, look.files(job)))
            taken[key] = row.label
        except Exception as error:  # as in run_rows: it must not cost the user the other jobs
            failed.append(failure(row, error))
    return ready, sorted(failed)
