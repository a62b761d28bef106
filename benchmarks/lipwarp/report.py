"""The table of benchmarks.lipwarp: medians with quartiles over clips, group by group, beside what was asked for."""

import numpy as np

# key -> (way, figure, title, bar of GRID's strangers, bar of the others, format)
LINES = (
    ("own", "r", "own sound: r of the mouth's opening", ">= 0.75", ">= 0.72"),
    ("own", "spread", "... spread of the opening over the real one", "0.8-1.15", "0.8-1.15"),
    ("own", "r2", "... r of the second component (width)", ">= 0.65", ">= 0.65"),
    ("own", "r3", "... r of the third (rounding)", ">= 0.3", ">= 0.3"),
    ("own", "distance_ratio", "... distance of the lips over that of a held mouth", "< 1", "< 1"),
    ("own", "roughness", "... roughness over the real one", "0.75-1.25", "0.75-1.25"),
    ("own", "closed", "... lips closed in B, P, M, over the real clips", "0.9-1.1", "0.9-1.1"),
    ("own", "sharpness", "own video as source: sharpness of the mouth", "0.85-1.15", "0.85-1.15"),
    ("own", "ssim", "... SSIM of the mouth", ">= 0.85", ""),
    ("own", "psnr", "... PSNR of the mouth, dB", ">= 31", ""),
    ("portrait", "sharpness", "portrait: sharpness of the mouth", ">= 0.75", ">= 0.75"),
    ("portrait", "r", "... r of the mouth's opening", "", ""),
    ("portrait", "spread", "... spread", "", ""),
    ("other", "r_heard", "other sound: r with the mouth that is heard", "own - 0.05", "own - 0.05"),
    ("other", "partial", "... partial correlation with the target's own mouth", "<= 0.10", "<= 0.10"),
    ("silence", "movement", "silence: movement over the real one", "<= 0.1", "<= 0.1"),
    ("own", "confidence_ratio", "judge: confidence over the real clips'", ">= 0.8", ">= 0.8"),
    ("own", "at_zero", "judge: share of clips with offset 0", ">= 0.95", ">= 0.95"),
    ("real", "at_zero", "judge: the same of the real clips, moved into step", "", ""),
)


def value_of(rows, way, figure):
    """One figure of one clip, or None."""
    row = rows.get(way)
    if row is None:
        return None
    judged, real = row.get("judge"), rows["real"].get("judge")
    if figure == "distance_ratio":
        return row["distance"] / row["distance_held"]
    if figure == "confidence_ratio":
        return judged["confidence"] / real["confidence"] if judged and real else None
    if figure == "at_zero":
        return None if judged is None else float(abs(judged["offset"]) < 0.5)
    return row.get(figure)


def summary(clips, groups):
    """{group: {(way, figure): {"median", "low", "high", "clips"}}}; shares and closures are pooled over clips.

    Args:
        clips: list of (group, rows).
    """
    table = {}
    for group in groups:
        mine = [rows for one, rows in clips if one == group]
        table[group] = {}
        for way, figure, *_ in LINES:
            if figure == "closed":
                counts = [rows[way]["closures"] for rows in mine if rows.get(way, {}).get("closures")]
                made, _, real, every = np.sum(counts, 0) if counts else (0, 0, 0, 0)
                entry = {"median": made / real if real else None, "clips": len(counts), "phones": int(every)}
            else:
                values = [value for rows in mine if (value := value_of(rows, way, figure)) is not None and np.isfinite(value)]
                entry = {"median": None, "clips": len(values)}
                if values and figure == "at_zero":
                    entry["median"] = float(np.mean(values))
                elif values:
                    low, median, high = np.percentile(values, (25, 50, 75))
                    entry |= {"median": float(median), "low": float(low), "high": float(high)}
            table[group][f"{way}.{figure}"] = entry
    return table


def markdown(table):
    """The table as text."""
    groups = list(table)
    lines = ["| | asked | " + " | ".join(groups) + " |", "|---|---|" + "---|" * len(groups)]
    for way, figure, title, first, second in LINES:
        asked = first if first == second or not second else f"{first}; {second}"
        cells = [_cell(table[group][f"{way}.{figure}"]) for group in groups]
        lines.append(f"| {title} | {asked} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(entry):
    if entry["median"] is None:
        return "-"
    spread = f" ({entry['low']:.3f}-{entry['high']:.3f})" if "low" in entry else f" ({entry['clips']} clips)"
    return f"{entry['median']:.3f}{spread}"
