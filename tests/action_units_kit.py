"""What the tests of action units share: csv as OpenFace writes them, and faces whose mouth moves as it is told."""

import numpy as np

from tests.faces_kit import plain_face

OTHERS = ("face_id", "gaze_0_x", "AU01_r", "AU28_c")  # columns that nobody reads


def write_csv(path, present, intensity=None, *, blank=" ", names=None, without=(), **columns):
    """Write a csv of OpenFace.

    Args:
        path: the file; present: (n, 5) of numbers; intensity: (n, 5), or None: 2 where present.
        blank: before each name, as OpenFace writes it.
        names: order of the columns, or None; without: names of columns that are left out.
        columns: name -> (n,) values, in place of the usual ones.
    """
    present = np.asarray(present, float)
    intensity = 2 * present if intensity is None else np.asarray(intensity, float)
    table = {"frame": np.arange(1, len(present) + 1), "timestamp": np.arange(len(present)) / 25,
             "confidence": np.full(len(present), 0.98), "success": np.ones(len(present), int)}  # fmt: skip
    table |= {name: np.zeros(len(present)) for name in OTHERS}
    for column, unit in enumerate((10, 14, 20, 25, 26)):
        table |= {f"AU{unit}_r": intensity[:, column], f"AU{unit}_c": present[:, column]}
    table |= columns
    kept = [name for name in (table if names is None else names) if name not in without]
    lines = [",".join(blank + name for name in kept)]
    lines += [", ".join(str(table[name][row]) for name in kept) for row in range(len(present))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def speaking(count=40, *, gap=0.0, chin=0.0, width=0.0, upper=0.0, reach=0.0, from_frame=26, **place):
    """(count, 68, 2) landmarks of a face whose lips rest until `from_frame`, and are then moved by these eye distances.

    gap: the lower lip goes down; chin: the chin does; width: the mouth is wider from corner to corner; upper: the
    upper lip goes up; reach: the corners alone go outwards. place: of tests.faces_kit.plain_face.
    """
    rest = plain_face(0, 0, 1).astype(np.float64)
    rest[[61, 62, 63], 1] = rest[[67, 66, 65], 1] = 1.25
    moved = rest.copy()
    moved[[55, 56, 57, 58, 59, 65, 66, 67], 1] += gap
    moved[4:13, 1] += chin
    moved[48:68, 0] *= 1 + width / 0.9
    moved[[49, 50, 51, 52, 53], 1] -= upper
    moved[[61, 62, 63], 1] -= upper / 2
    moved[[48, 54], 0] += (-reach, reach)
    faces = np.where(np.arange(count)[:, None, None] < from_frame, rest, moved)
    turn = np.deg2rad(place.get("roll", 0.0))
    turned = faces @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return (turned * place.get("eyes", 40.0) + (place.get("x", 160.0), place.get("y", 110.0))).astype(np.float32)
