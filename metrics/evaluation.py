"""An evaluation from end to end: the videos, the loop over them, the table."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import InputError
from common.terminal import counting
from metrics.clips.video_tags import told_precisions
from metrics.measures.registry import build_measures, columns_of
from metrics.networks.fid import read_statistics, write_statistics
from metrics.networks.load import Networks
from metrics.progress import Progress
from metrics.report.build import build_report
from metrics.results import Results
from metrics.rows import REAL
from metrics.scorer import Options, Scorer, Scores


@dataclass
class Evaluation:
    """The videos and how they are measured.

    Attributes:
        items: list of metrics.scorer.Item.
        systems: names of the systems, in the order of the table.
        networks: metrics.networks.load.Networks.
        options: metrics.scorer.Options.
        facts: dict for the protocol: what was chosen beside these.
        generator: metrics.clips.generation.VideoGenerator that makes the videos first, or None.
        reference: path of the real set's stored statistics: used when it is there, written when it is not; None for neither.
        force: compute a Frechet distance of too few samples, too.
    """

    items: list
    systems: list
    networks: Networks
    options: Options
    facts: dict
    generator: object = None
    reference: Path | None = None
    force: bool = False
    _stored: object = field(default=None, repr=False)
    _measures: list = field(default_factory=list, repr=False)

    def __post_init__(self):
        self._measures = build_measures(self.networks)
        if self.reference is not None and Path(self.reference).exists():
            self._stored = self._read_reference()

    def protocol(self):
        """Dict of everything that decides the figures."""
        options = self.options
        told = [measure.facts(options) for measure in self._measures]
        facts = {key: value for facts in told for key, value in facts.items()}
        if precisions := self.networks.precisions():
            facts["judges_precision"] = one_or_all(precisions)
        return {**self.facts, **facts, "face_size": options.face_size, "first_frames": options.frames,
                "face_index": options.selection.index}

    def run(self, detector, processes, folder):
        """Measure all items; goes on where an earlier run of the same evaluation stopped.

        Args:
            detector: see `faces.detectors.build_detector`.
            processes: metrics.process_group.ProcessGroup.
            folder: where results are kept until the table is written.

        Returns:
            (Results of all processes, Progress), or None in a process that writes no report.
        """
        videos = [_fingerprint(item, made_here=self.generator is not None) for item in self.items]
        columns = [column.key for column in columns_of(self._measures)]
        progress = Progress(folder, {"protocol": self.protocol(), "columns": columns, "videos": videos,
                                     "real_features": self._needs_real_features})
        done = set(progress.earlier.faces)
        processes.wait()
        left = processes.part_of([item for item in self.items if item.face not in done])
        if done and processes.first:
            print(f"{len(done)} of {len(self.items)} faces were measured before; going on with the rest", file=sys.stderr)
        scorer, own = self._scorer(detector), Results()
        try:
            with counting(len(left) if processes.first else 0, "face", "measuring") as counter:
                for item in left:
                    own.add(item.face, self._measure(scorer, item))
                    progress.save(own)
                    counter.update()
        finally:
            progress.save(own, now=True)
        processes.wait()
        return (progress.read(), progress) if processes.first else None

    def report(self, results):
        """The report's dict, see `metrics.report.build.build_report`.

        Raises:
            InputError: no video at all could be measured.
        """
        generated = [record for record in results.records if record["row"].kind == "generated"]
        if not generated:
            failed = [one for one in results.failed if one["row"].kind == "generated"]
            reason = failed[0]["reason"] if failed else "there is none"
            raise InputError(reason if len(failed) == 1 else f"none of the {len(failed)} videos could be measured; the first: "
                                                             f"{reason}")
        order = {item.face: at for at, item in enumerate(self.items)}
        for entries in (results.records, results.failed):
            entries.sort(key=lambda entry: (order[entry["face"]], entry["name"]))
        frechet = results.distances(self._stored, force=self.force)
        self._write_reference(results)
        protocol = {**self.protocol(), "generated_precision": told_precisions(generated, self.systems),
                    **self._counts(results, frechet)}
        return build_report(columns_of(self._measures), results.records, results.failed, frechet, protocol,
                            systems=self.systems)

    @property
    def _needs_real_features(self):
        return self.networks.inception is None or self._stored is None

    def _scorer(self, detector):
        return Scorer(detector, self.networks, self.options, needs_real_features=self._needs_real_features)

    def _counts(self, results, frechet):
        """{"counts": how many samples the Frechet distances come from}; {} without such a column."""
        if not results.statistics:
            return {}
        real = self._stored or results.real_statistics()
        source = {"frechet_reference": Path(self.reference).name} if self._stored else {}
        count = "an unknown number" if real.count is None else real.count
        samples = [f"{count} of real video", *(f"{frechet[row]['samples']} of {row.label}" for row in frechet if row != REAL)]
        return {"counts": {**source, "frechet_samples": samples}}

    def _measure(self, scorer, item):
        """Scores of one Item, its videos generated first where that is asked for."""
        failed = []
        if self.generator is not None:
            item, failed = self.generator.make(item)
        scores = scorer.measure(item) if item.variants else Scores()
        scores.failed += [{"name": one.name, "face": item.face, "row": one.row, "path": str(one.path), "reason": reason}
                          for one, reason in failed]
        return scores

    def _reference_facts(self):
        facts = self.protocol()
        return {**{key: facts[key] for key in ("frechet_sha256", "frechet_crop")}, "face_size": self.options.face_size}

    def _read_reference(self):
        if self.networks.inception is None:
            raise InputError(f"--fid_reference {self.reference}: holds Inception features; give --inception_weights, too")
        statistics, facts = read_statistics(self.reference)
        if statistics.dimension != self.networks.inception.dimension:
            raise InputError(f"--fid_reference {self.reference}: holds features of {statistics.dimension} dimensions, not "
                             f"{self.networks.inception.dimension}; give another file, or none")
        for key, value in self._reference_facts().items():
            if facts and facts.get(key) != value:
                raise InputError(f"--fid_reference {self.reference}: was made with {key} {facts.get(key)}, this evaluation has "
                                 f"{value}; give another file, or a new name to write it anew")
        return statistics

    def _write_reference(self, results):
        if self.reference is None or self._stored is not None:
            return
        statistics = results.real_statistics()
        if self.networks.inception is not None and statistics.count > 1:
            real = sorted(record["face"] for record in results.records if record["row"] == REAL)
            write_statistics(self.reference, statistics, {**self._reference_facts(), "videos": real})


def one_or_all(precisions):
    """"fp32" where all networks compute in it, else "sync: fp32, frechet: fp16"."""
    names = set(precisions.values())
    return names.pop() if len(names) == 1 else ", ".join(f"{use}: {name}" for use, name in precisions.items())


def _fingerprint(item, made_here):
    """What tells one Item from another: names, and size and time of the files that were there before."""
    given = [item.real, *(variant.path for variant in item.variants if not made_here)]
    found = [path.stat() if path.is_file() else None for path in given]
    names = [[variant.name, variant.row.label, str(variant.path)] for variant in item.variants]
    return [item.face, str(item.real), names, [[one.st_size, one.st_mtime_ns] if one else None for one in found]]
