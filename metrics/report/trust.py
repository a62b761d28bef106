"""How far the judges of a report can be trusted: what the sync expert says of the real videos, and who was taught with one."""

from metrics.rows import SURE, Row

NEAR = 1  # frames


def trust_of(videos, protocol, systems):
    """What the report holds of it.

    Args:
        videos: list of video records, see `metrics.report.build.build_report`; those of generated videos may have "taught", see
            `metrics.clips.video_tags.VideoTags`.
        protocol: with "expert", "expert_hears" and "expert_sha256", where there is an expert.
        systems: names of the systems, in the order of the table.

    Returns:
        None without an expert; else {"expert", "real": real videos, "judged": those that have an offset, "found": those whose
        offset is within a frame, "sure": those of whose offset it is sure, or None, "taught": {system: list of what it shares
        with the expert}}.
    """
    if not protocol.get("expert_sha256"):
        return None
    real = [video["values"] for video in videos if Row.from_dict(video["row"]).kind == "real"]
    offsets = [values["sync_offset"] for values in real if values.get("sync_offset") is not None]
    sure = [values[SURE] for values in real if values.get(SURE) is not None]
    taught = {}
    for video in videos:
        system = Row.from_dict(video["row"]).system
        shared = shared_with(video.get("taught") or (), protocol)
        if system in systems and shared:
            taught[system] = sorted({*taught.get(system, ()), *shared})
    return {"expert": protocol["expert"], "real": len(real), "judged": len(offsets),
            "found": sum(abs(offset) <= NEAR for offset in offsets), "sure": int(sum(sure)) if sure else None,
            "taught": taught}  # fmt: skip


def taught_with_classifier(videos, protocol, systems):
    """Systems that learned with the classifier of action units that judges them, or were drawn by the checkpoint that holds it.

    Args:
        videos, systems: as of `trust_of`, videos may have "weights", too, the first digits of the SHA-256 of the checkpoint
            that drew them; protocol: with "au_classifier_sha256", where there is a classifier.

    Returns:
        list of str, in the order of the table; [] without a classifier.
    """
    sha256 = protocol.get("au_classifier_sha256")
    taught = {Row.from_dict(video["row"]).system for video in videos
              if sha256 and (sha256.startswith(video.get("weights") or " ")
                             or "itself" in shared_with(video.get("taught") or (), {"expert_sha256": sha256}))}  # fmt: skip
    return [system for system in systems if system in taught]


def shared_with(taught, protocol):
    """What a generator was taught with and the expert is, or hears, too.

    Args:
        taught: list of str: "hears KIND" or "judge NAME SHA", see `metrics.clips.video_tags.VideoTags`. It is read from a
            foreign video: what has another form is ignored.

    Returns:
        list of "itself" and "features".
    """
    hears, sha256 = protocol.get("expert_hears"), protocol.get("expert_sha256") or ""
    found = []
    for one in taught:
        kind, *more = one.split() or [""]
        if kind == "judge" and len(more) > 1 and sha256.startswith(more[-1]):
            found.append("itself")
        elif kind == "hears" and more == [hears]:
            found.append("features")
    return sorted(set(found))


def unit_notes(report):
    """Sentences for below a table with the columns of the classifier of action units."""
    protocol = report["protocol"]
    if (name := protocol.get("au_classifier")) is None:
        return []
    labels = protocol.get("au_classifier_labels")
    told = f"learned labels of {labels}" if labels else "does not tell whose labels it learned"
    return [f"the classifier of action units {name} {told}",
            *(f"{system} was taught with the classifier of action units {name}, which is no judge of it"
              for system in report.get("taught_with_au_classifier", ()))]  # fmt: skip


def trust_notes(report):
    """Sentences for below a table with the columns of the sync expert."""
    trust = report.get("trust")
    if not trust or not trust["real"]:
        return []
    expert = trust["expert"]
    sure = "" if trust["sure"] is None else f", and is sure of {trust['sure']}"
    short = trust["real"] - trust["judged"]
    notes = [f"{expert} finds the own offset of {trust['found']} of {trust['judged']} real videos to a frame{sure}"
             + (f"; {short} more were too short or silent" if short else "")]  # fmt: skip
    words = {"itself": f"{expert} itself, which is no judge of it",
             "features": f"the speech features that {expert} hears, too"}  # fmt: skip
    for system, shared in trust["taught"].items():
        notes.append(f"{system} was taught with {' and '.join(words[one] for one in shared)}")
    return notes
