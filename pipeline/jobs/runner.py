"""The options of all jobs of one call, checked, and the model, loaded when the first job needs it."""

import os
import sys
from pathlib import Path

from common.cli import one_line
from common.errors import InputError
from common.files import require_file
from faces.tracking.track import FaceSelection
from pipeline.jobs.checks import FirstLook, look_at_all
from pipeline.options import DriveOptions, FaceOptions, Transform, check_face, refuse_beside_compat
from pipeline.tracking import TrackStore, default_cache
from speech.labelling import SpeechText
from training.weights.file_kinds import kind_of


class JobRunner:
    """Checks and does the jobs of one call of inference.py, cheap checks before expensive ones.

    Args:
        args: of `pipeline.jobs.arguments.parse`.
        checkpoint: path of the weights.
        keep: paths that no job may replace, beside the inputs.

    Raises:
        InputError: an option that is out of range or goes with no other, a file that is missing or of another kind.
    """

    def __init__(self, args, checkpoint, keep=()):
        self._args, self._driver, self._checkpoint = args, None, Path(checkpoint)
        transform = Transform(args.resize_factor, args.rotate, tuple(args.crop))
        selection = FaceSelection(args.face_index, args.face_near)
        self._face = FaceOptions(transform, args.static, args.fps, args.detector, selection, args.detector_weights)
        self._drive = DriveOptions(
            pads=args.pads and tuple(args.pads),
            box=None if args.box[0] == -1 else tuple(args.box),
            smooth=not args.nosmooth,
            loop=args.loop,
            reference=args.reference,
            visible_mark=args.visible_mark,
            covered=args.covered,
            batch_size=args.wav2lip_batch_size,
            speech=SpeechText(args.transcript, args.align, args.textgrid, args.aligner, args.language),
            optimise_face=args.optimise_face,
            paste=args.paste,
            output=args.output,
            amplitude=args.amplitude,
            source_gap=args.source_gap,
            identity_steps=args.identity_steps,
            speech_gain=args.speech_gain,
            stabilise=args.stabilise,
            ddim_steps=args.ddim_steps,
            refiner=None if args.refiner in (None, "none") else Path(args.refiner),
        )
        self._videos = [name for name in ("drive", "pose") if getattr(args, name)]
        refuse_beside_compat(args.compat, self._drive, self._videos)
        self._store = TrackStore(None if args.no_cache else args.cache_dir or default_cache())
        words = {"transcript": args.transcript, "alignment": args.align, "TextGrid": args.textgrid}
        self._keep = [path for path in (self._checkpoint, self._drive.refiner, *words.values(), *keep) if path]
        self._look = FirstLook(self._face, self._keep)
        for what, path in words.items():
            if path:
                require_file(path, what)
        if args.detector_weights and not Path(args.detector_weights).is_dir():
            raise InputError(f"--detector_weights {args.detector_weights}: no such folder")

    def look(self, row):
        """Ready of a Row: paths, then the kinds of all files."""
        job = self._look.paths(row)
        self._check_weights()
        return self._look.files(job)

    def look_at_all(self, jobs):
        """(list of (Row, Ready), list of Failed) of a JobList; wrong weights are no job's fault."""
        self._check_weights()
        return look_at_all(jobs, self._look)

    def _check_weights(self):
        for path in (self._checkpoint, self._drive.refiner):
            if path is not None and not Path(path).is_dir():  # a folder of published files is looked at when it is loaded
                kind_of(path)

    def driver(self):
        """What the checkpoint draws with; loaded once."""
        if self._driver is None:
            from pipeline.drivers import load_driver

            if self._args.threads:
                import torch

                torch.set_num_threads(self._args.threads)
            how = {"device": self._args.device, "precision": self._args.precision, "compat": self._args.compat}
            driver = load_driver(self._checkpoint, **how)
            driver.threads = self._args.threads
            driver.check(self._drive, self._videos, complete=False)
            self._driver = driver
            for note in driver.unused(self._drive):
                print(one_line(f"note: {note}"), file=sys.stderr)
        return self._driver

    def run(self, ready):
        """pipeline.drive.Report of one job."""
        driver = self.driver()
        from pipeline.drive import run_job

        batch = self._args.face_det_batch_size
        return run_job(ready.job, driver, self._face, self._drive, store=self._store, detector_batch=batch, source=ready.source)

    def preview(self, face, outfile):
        """One line on the picture that was written."""
        outfile = Path(outfile)
        if outfile.name in ("", "..") or os.path.isdir(outfile):
            raise InputError(f"--outfile {outfile}: is a folder; give a file name for the output")
        face, outfile = check_face(face, outfile.with_suffix(".png"), keep=self._keep)
        self._check_weights()
        driver = self.driver()
        from pipeline.preview import write_preview

        return write_preview(face, outfile, driver, self._face, self._drive, store=self._store)
