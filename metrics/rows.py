"""What the table is made of: its rows, its columns, and the names of both."""

from dataclasses import asdict, dataclass

PROTOCOLS = ("paired", "unpaired")
FRECHET = "frechet"  # key of the one column that belongs to a set of videos, not to a video
SURE = "sync_sure"  # key of the column that says whether the AV offset can be believed
MAX_SHIFT = 15  # video frames by which the sound is moved to and fro


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
