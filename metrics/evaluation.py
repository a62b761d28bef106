"""An evaluation from end to end: the networks that judge, the videos, the loop over them, the table."""

import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from common.errors import InputError
from metrics.networks.fid import InceptionFeatures, read_statistics, write_statistics
from metrics.networks.perceptual import Lpips
from metrics.report.build import build_report
from metrics.rows import REAL, columns_for
from metrics.scorer import Options, Scorer, Scores
from metrics.sync.judges import load_judge
from metrics.tally import Progress, Tally


@dataclass
class Networks:
    """What the measures need of networks; None where a measure is left out.

    Attributes:
        judge: see `metrics.sync.judges.load_judge`.
        inception: metrics.networks.fid.InceptionFeatures.
        lpips: metrics.networks.perceptual.Lpips.
    """

    judge: object = None
    inception: object = None
    lpips: object = None

    @staticmethod
    def load(*, expert=None, inception=None, lpips=None, device="cpu"):
        """Load them from paths (`lpips`: name of a backbone); InputError when one cannot be read."""
        return Networks(
            load_judge(expert, device) if expert else None,
            InceptionFeatures.load(inception, device) if inception else None,
            Lpips.load(lpips, device) if lpips else None,
        )

    def columns(self):
        """Columns of the table."""
        source = self.inception or self.judge
        return columns_for(
            expert=self.judge and self.judge.name, is_lse=bool(self.judge and self.judge.is_lse),
            frechet=source and source.name, is_fid=bool(self.inception and self.inception.is_fid),
            lpips=self.lpips and self.lpips.name,
        )  # fmt: skip

    def facts(self, options):
        """What they are and look at, for the protocol."""
        facts = {}
        if self.judge is not None:
            crop = options.sync_crop if self.judge.crop_spec is None else f"{self.judge.crop_spec.kind} (the expert's own)"
            facts |= {"expert": self.judge.name, "expert_sha256": self.judge.sha256, "sync_crop": crop}
            if self.judge.crop_spec is None and options.sync_crop == "tracked":
                facts["track_rules"] = asdict(options.rules)
        if self.inception is not None:
            facts |= {"frechet_network": self.inception.name, "frechet_sha256": self.inception.sha256,
                      "frechet_crop": options.frechet_crop}
        elif self.judge is not None:
            facts |= {"frechet_network": f"{self.judge.name}, embeddings of the lips", "frechet_sha256": self.judge.sha256,
                      "frechet_crop": facts["sync_crop"]}
        if self.lpips is not None:
            facts |= {"lpips_backbone": self.lpips.name, "lpips_sha256": self.lpips.sha256}
        return facts


@dataclass
class Evaluation:
    """The videos and how they are measured.

    Attributes:
        items: list of metrics.scorer.Item.
        systems: names of the systems, in the order of the table.
        networks: Networks.
        options: metrics.scorer.Options.
        facts: dict for the protocol: what was chosen beside these.
        studio: metrics.clips.generation.Studio that makes the videos first, or None.
        reference: path of the real set's stored statistics: used when it is there, written when it is not; None for neither.
        force: compute a Frechet distance of too few samples, too.
    """

    items: list
    systems: list
    networks: Networks
    options: Options
    facts: dict
    studio: object = None
    reference: Path | None = None
    force: bool = False
    _stored: object = field(default=None, repr=False)

    def __post_init__(self):
        if self.reference is not None and Path(self.reference).exists():
            self._stored = self._read_reference()

    def protocol(self):
        """Dict of everything that decides the figures."""
        options = self.options
        return {**self.facts, **self.networks.facts(options), "face_size": options.face_size, "first_frames": options.frames,
                "face_index": options.selection.index}

    def run(self, detector, share, folder):
        """Measure all items; goes on where an earlier run of the same evaluation stopped.

        Args:
            detector: see `faces.detectors.build_detector`.
            share: metrics.work_share.WorkShare.
            folder: where results are kept until the table is written.

        Returns:
            (Tally of all processes, Progress), or None in a process that writes no report.
        """
        from tqdm import tqdm

        videos = [_fingerprint(item, made_here=self.studio is not None) for item in self.items]
        progress = Progress(folder, {"protocol": self.protocol(), "videos": videos, "real_features": self._needs_real_features})
        done = set(progress.earlier.faces)
        share.wait()
        left = share.of([item for item in self.items if item.face not in done])
        if done and share.first:
            print(f"{len(done)} of {len(self.items)} faces were measured before; going on with the rest", file=sys.stderr)
        scorer, own = self._scorer(detector), Tally()
        try:
            for item in tqdm(left, "measuring", unit="face", disable=None if share.first else True):
                own.add(item.face, self._measure(scorer, item))
                progress.save(own)
        finally:
            progress.save(own, now=True)
        share.wait()
        return (progress.read(), progress) if share.first else None

    def report(self, tally):
        """The report's dict, see `metrics.report.build.build_report`.

        Raises:
            InputError: no video at all could be measured.
        """
        generated = [record for record in tally.records if record["row"].kind == "generated"]
        if not generated:
            failed = [one for one in tally.failed if one["row"].kind == "generated"]
            reason = failed[0]["reason"] if failed else "there is none"
            raise InputError(reason if len(failed) == 1 else f"none of the {len(failed)} videos could be measured; the first: "
                                                             f"{reason}")
        order = {item.face: at for at, item in enumerate(self.items)}
        for entries in (tally.records, tally.failed):
            entries.sort(key=lambda entry: (order[entry["face"]], entry["name"]))
        frechet = tally.distances(self._stored, force=self.force)
        self._write_reference(tally)
        columns, protocol = self.networks.columns(), {**self.protocol(), **self._counts(tally, frechet)}
        return build_report(columns, tally.records, tally.failed, frechet, protocol, systems=self.systems)

    @property
    def _needs_real_features(self):
        return self.networks.inception is None or self._stored is None

    def _scorer(self, detector):
        return Scorer(detector, self.networks.judge, self.networks.inception, self.networks.lpips, self.options,
                      needs_real_features=self._needs_real_features)

    def _counts(self, tally, frechet):
        """{"counts": how many samples the Frechet distances come from}; {} without such a column."""
        if not tally.statistics:
            return {}
        real = self._stored or tally.real_statistics()
        source = {"frechet_reference": Path(self.reference).name} if self._stored else {}
        count = "an unknown number" if real.count is None else real.count
        samples = [f"{count} of real video", *(f"{frechet[row]['samples']} of {row.label}" for row in frechet if row != REAL)]
        return {"counts": {**source, "frechet_samples": samples}}

    def _measure(self, scorer, item):
        """Scores of one Item, its videos generated first where that is asked for."""
        failed = []
        if self.studio is not None:
            item, failed = self.studio.make(item)
        scores = scorer.measure(item) if item.variants else Scores()
        scores.failed += [{"name": one.name, "face": item.face, "row": one.row, "path": str(one.path), "reason": reason}
                          for one, reason in failed]
        return scores

    def _reference_facts(self):
        facts = self.networks.facts(self.options)
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

    def _write_reference(self, tally):
        if self.reference is None or self._stored is not None:
            return
        statistics = tally.real_statistics()
        if self.networks.inception is not None and statistics.count > 1:
            real = sorted(record["face"] for record in tally.records if record["row"] == REAL)
            write_statistics(self.reference, statistics, {**self._reference_facts(), "videos": real})


def _fingerprint(item, made_here):
    """What tells one Item from another: names, and size and time of the files that were there before."""
    given = [item.real, *(variant.path for variant in item.variants if not made_here)]
    found = [path.stat() if path.is_file() else None for path in given]
    names = [[variant.name, variant.row.label, str(variant.path)] for variant in item.variants]
    return [item.face, str(item.real), names, [[one.st_size, one.st_mtime_ns] if one else None for one in found]]
