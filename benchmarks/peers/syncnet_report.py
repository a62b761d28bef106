"""The table of benchmarks/peers/syncnet.py."""

import numpy as np

FIGURES = ("offset", "distance", "confidence")


def gaps(report):
    """{what: largest difference over all clips} of the figures that have a bar."""
    networks = report["networks"]
    found = {"network": max(networks["difference"], networks["fused"]) if networks["same"] else 1.0}
    found["mfcc"] = max(one["mfcc"] for one in report["whole"])
    rows = report["whole"] + report["tracked"]
    for key in FIGURES:
        found[key] = max(abs(one["peer"][key] - one["same_files"][key]) for one in rows)
        found[key] = max([found[key], *(abs(one["public"][key] - one["peer"][key]) for one in report["tracked"])])
    found["boxes"] = max(one["boxes"] for one in report["tracked"])
    found["crops"] = max(one["crops"] for one in report["tracked"])
    found["speed"] = float(np.median([one["ratio"] for one in report["speed"]]))
    return found


def missed(report, bars):
    """Names of the figures that miss their bar."""
    return [name for name, value in gaps(report).items() if (value < bars[name] if name == "speed" else value > bars[name])]


def markdown(report, bars):
    """The report as text."""
    network = report["networks"]
    lines = [
        f"SyncNet: {network['names']} names, {'the same' if network['same'] else 'OTHER'} shapes; outputs differ by "
        f"{network['difference']:.1e} of their largest, folded for speed by {network['fused']:.1e}.",
        "",
        "Peer as it is, ours on the peer's files; peer without compression on the way, ours on the clip itself.",
        "",
        "| clip | crop | offset | distance | confidence |",
        "|---|---|---|---|---|",
    ]
    for crop in ("whole", "tracked"):
        for one in report[crop]:
            sides = [(one["peer"], one["same_files"]), (one["lossless"], one["clip_itself"])]
            cells = ["; ".join(f"{a['offset']}, {b['offset']}" for a, b in sides)]
            cells += ["; ".join(f"{a[key]:.4f}, {b[key]:.4f}" for a, b in sides) for key in FIGURES[1:]]
            lines.append(f"| {one['clip']} | {crop} | {' | '.join(cells)} |")
    lines += ["", "| largest difference | measured | bar |", "|---|---|---|"]
    late = missed(report, bars)
    for name, value in gaps(report).items():
        lines.append(f"| {name} | {value:.3g}{' MISSED' if name in late else ''} | {bars[name]:g} |")
    lines += ["", "| seconds a clip, tracked | peer | ours | ratio | without starting up |", "|---|---|---|---|---|"]
    for one in report["speed"]:
        lines.append(f"| round | {one['peer']:.2f} | {one['ours']:.2f} | {one['ratio']:.1f} | {one['peer_work']:.2f} against "
                     f"{one['ours_work']:.2f}: {one['work_ratio']:.1f} |")
    facts = report["machine"]
    lines += ["", f"{facts['cpu']}, {facts['cores']} cores, torch {facts['torch']}"]
    return "\n".join(lines)
