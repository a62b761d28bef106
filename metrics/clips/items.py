"""Videos that are there, sorted by the face that they show."""

from pathlib import Path

from common.errors import InputError
from metrics.clips.pairs import match_folders
from metrics.rows import Row
from metrics.scorer import Item, Variant


def match_items(generated, unpaired, real, systems, protocol=None):
    """Match the videos of several systems to the real ones.

    Args:
        generated: list of folders (or single videos), one for each system.
        unpaired: None, or as many folders of the same faces, driven by other sound.
        real: folder of the real videos (or a single video).
        systems: their names.
        protocol: "paired" or "unpaired" for all of `generated`; None goes by the names (see
            `metrics.clips.pairs.match_folders`); "both" likewise, and refuses when only one kind is there.

    Returns:
        (list of Item, sorted by face; list of (folder, names without a partner)): real videos that no folder has under the real
        folder's own name, those that only one of several folders lacks under "REAL beside FOLDER".

    Raises:
        InputError: see `metrics.clips.pairs.match_folders`; or "both" without both kinds; or two videos of one name and row.
    """
    faces, unmatched, lacking, taken = {}, [], [], {}
    places = [(system, folder, protocol) for system, folder in zip(systems, generated, strict=True)]
    places += [(system, folder, "unpaired") for system, folder in zip(systems, unpaired or [], strict=False)]
    kinds = set()
    for system, folder, forced in places:
        matched = match_folders(folder, real)
        lacking.append((folder, set(matched.only_real)))
        if matched.only_generated:
            unmatched.append((folder, matched.only_generated))
        for name, path, truth in matched.pairs:
            kind = forced if forced in ("paired", "unpaired") else "unpaired" if name in matched.unpaired else "paired"
            kinds.add(kind)
            first = taken.setdefault((system, kind, name), path)
            if first != path:
                raise InputError(f"{path}: {first} is the {kind} video of this name already; keep one of the two")
            variants = faces.setdefault(matched.faces[name], (truth, []))[1]
            variants.append(Variant(name, Row("generated", system, kind), Path(path)))
    if protocol == "both" and len(kinds) == 1:
        raise InputError(f"--protocol both: only {kinds.pop()} videos are there; give the others with --unpaired")
    nowhere = set.intersection(*(names for _, names in lacking))
    unmatched += [(f"{real} beside {folder}", sorted(names - nowhere)) for folder, names in lacking if names - nowhere]
    unmatched += [(real, sorted(nowhere))] if nowhere else []
    return [Item(face, truth, tuple(variants)) for face, (truth, variants) in sorted(faces.items())], unmatched
