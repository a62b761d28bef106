"""What the table is made of: its rows, its columns, and the names of both."""

from dataclasses import asdict, dataclass

PROTOCOLS = ("paired", "unpaired")
MAX_SHIFT = 15  # video frames by which the sound is moved to and fro (METHODS 5.2)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        kind: "real": the real video itself; "copy": no motion, the first compared frame of the real video held; "generated".
        system: name of the checkpoint or folder that the videos come from; None for real and copy.
        protocol: "paired": driven by the sound of the real video; "unpaired": by other sound; None for real and copy.
    """

    kind: str
    system: str | None = None
    protocol: str | None = None

    @property
    def label(self):
        """As it stands in the table."""
        if self.kind == "generated":
            return f"{self.system}, {self.protocol}"
        return {"real": "real video", "copy": "no motion"}[self.kind]

    def as_dict(self):
        """What `from_dict` reads, for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(stored):
        """Row of what `as_dict` gave."""
        return Row(stored["kind"], stored["system"], stored["protocol"])


REAL, COPY = Row("real"), Row("copy")


@dataclass(frozen=True)
class Column:
    """One measure.

    Attributes:
        key: name in JSON and CSV.
        label: head in the table, without arrow.
        better: "low", "high", "zero" (nearest to 0), "one" (nearest to 1), or "none" (only beside the real video's own value).
        digits: after the point in the table.
        meaning: one sentence with the unit.
        paired_only: the measure compares with the real frame at the same time, so an unpaired video has none.
        expert: it is the opinion of a sync expert; better than the real video's is over-fitting to it.
    """

    key: str
    label: str
    better: str
    digits: int
    meaning: str
    paired_only: bool = True
    expert: bool = False

    @property
    def head(self):
        """Label and arrow."""
        arrow = {"low": " ↓", "high": " ↑", "zero": " →0", "one": " →1", "none": ""}[self.better]
        return self.label + arrow


def columns_for(*, expert, is_lse, frechet=None, is_fid=False, lpips=None):
    """The columns of one evaluation, in the order of the table.

    Args:
        expert: name of the sync expert, for the heads where it is not the published one; None leaves the four columns out.
        is_lse: the published SyncNet weights were used, so the heads may say LSE.
        frechet: name of the network whose features the Frechet distance compares; None leaves the column out.
        is_fid: that network is the published Inception.
        lpips: name of LPIPS' backbone; None leaves the column out.

    Returns:
        tuple of Column.
    """
    columns = []
    if expert is not None:
        distance, confidence = ("LSE-D", "LSE-C") if is_lse else (f"D ({expert})", f"C ({expert})")
        zero = "D at 0" if is_lse else f"D at 0 ({expert})"
        columns += [
            Column("sync_distance", distance, "low", 3, f"least mean distance of sound and lips over shifts of -{MAX_SHIFT} to "
                   f"{MAX_SHIFT} frames; blind to a constant lag", paired_only=False, expert=True),
            Column("sync_confidence", confidence, "high", 3, "median minus least of the mean distances over the shifts",
                   paired_only=False, expert=True),
            Column("sync_offset", "AV offset", "zero", 2, "shift of the least distance in frames of 25 a second, signed as "
                   "syncnet_python does", paired_only=False),
            Column("sync_zero", zero, "low", 3, "mean distance without any shift", paired_only=False, expert=True),
        ]
    if frechet is not None:
        label = "FID" if is_fid else f"FD ({frechet})"
        columns.append(Column("frechet", label, "low", 2, "Frechet distance of the features of all generated and all real "
                              "videos; of the whole set, so without an interval", paired_only=False))
    columns += [
        Column("ssim_face", "SSIM face", "high", 4, "structural similarity of the face crop, -1 to 1"),
        Column("psnr_face", "PSNR face", "high", 2, "peak signal-to-noise ratio of the face crop, dB"),
        Column("ssim_mouth", "SSIM mouth", "high", 4, "the same for the mouth"),
        Column("psnr_mouth", "PSNR mouth", "high", 2, "the same for the mouth, dB"),
        Column("lmd_raw", "LMD raw", "low", 3, "distance of the 20 mouth landmarks as they lie in the frame, crop pixels"),
        Column("lmd_aligned", "LMD aligned", "low", 3, "the same after a similarity fit of nose and eye corners, crop pixels"),
        Column("lmd_normalised", "LMD norm.", "low", 4, "LMD aligned over the distance of the outer eye corners"),
        Column("mouth_correlation", "mouth r", "high", 3, "correlation of the mouth opening with the real one, -1 to 1"),
        Column("mouth_range", "mouth range", "one", 3, "spread of the mouth opening over the real one"),
    ]
    if lpips is not None:
        columns.append(Column("lpips", f"LPIPS ({lpips})", "low", 4, "learned perceptual distance of the face crops"))
    columns.append(Column("sharpness", "var. of Laplacian", "none", 1, "sharpness of the mouth crop: variance of the Laplacian "
                          "of its grey levels; compare with the real video's", paired_only=False))
    return tuple(columns)
