"""The figures of the alignment benchmark as tables for the terminal, and its bars."""

from dataclasses import dataclass

_SIZES = ("mean", "85 %", "95 %", "<=20", "<=40", "bias", "shift")  # bias and shift: mean and median with sign
_COLUMNS = (("n", 7), ("median", 8), *((name, 7) for name in _SIZES), ("failed", 8))
BORDER_HEAD = "".join([" " * 26, *(f"{name:>{width}}" for name, width in _COLUMNS), f"{'marked':>8}"])


@dataclass(frozen=True)
class Bar:
    """One limit and what was measured.

    Attributes:
        name: what is limited.
        value: measured, or None where nothing could be.
        limit: the bar.
        most: True where the value may be `limit` at most, False where it must be that at least.
        shown: format of both.
    """

    name: str
    value: float | None
    limit: float
    most: bool = True
    shown: str = "{:.0f}"

    @property
    def reached(self):
        return self.value is not None and (self.value <= self.limit if self.most else self.value >= self.limit)

    def line(self):
        value = "nothing measured" if self.value is None else self.shown.format(self.value)
        sign = "<=" if self.most else ">="
        verdict = "reached" if self.reached else "NOT REACHED"
        return f"{verdict:12} {self.name}: {value} (bar {sign} {self.shown.format(self.limit)})"


def bars(report):
    """The bars of the parts that were measured."""
    parts = report.get("synthesised")
    if not parts:
        return []
    clean, noisy = parts["clean"], parts["20 dB"]
    return [
        Bar("clean: median error of phone starts, ms", clean["starts"]["median_ms"], 12, shown="{:.1f}"),
        Bar("clean: phone starts within 40 ms", clean["starts"]["within_40"], 0.95, most=False, shown="{:.2%}"),
        Bar("clean: utterances failed", clean["failed"], 0),
        Bar("clean: gross alignments passed on", len(clean["gross"]), 0),
        Bar("20 dB noise: utterances failed", noisy["failed"] / noisy["utterances"], 0.02, shown="{:.2%}"),
        Bar("20 dB noise: gross alignments passed on", len(noisy["gross"]), 0),
    ]


def text(report):
    """The whole report as lines for the terminal."""
    lines = []
    if "synthesised" in report:
        lines += _synthesised(report["synthesised"])
    if "grid" in report:
        lines += _grid(report["grid"])
    if "speech" in report:
        lines += _speech(report["speech"])
    if "speed" in report:
        lines += _speed(report["speed"])
    limits = bars(report)
    return "\n".join([*lines, "", *(bar.line() for bar in limits)]).strip("\n") + "\n"


def _synthesised(parts):
    lines = ["synthesised speech: phone starts against the synthesiser's own (ms)", BORDER_HEAD]
    for condition, figures in parts.items():
        if condition == "false texts":
            continue
        lines.append(_row(condition, figures["starts"], figures))
        lines += [_row(f"  {voice}", one["starts"], one) for voice, one in figures["groups"].items()]
    clean = parts["clean"]
    lines += [_row(f"  {name}", one) for name, one in clean["classes"].items()]
    lines += [_row("clean: phone ends", clean["ends"]), _row("clean: starts of silence", clean["silence_starts"])]
    lines.append("  " + _pairs(clean) + f"; {clean['missed_silences']} silences missed, {clean['extra_silences']} added")
    lines += _sound(clean["sound"])
    for condition, figures in parts.items():
        if condition != "false texts":
            lines += _trouble(condition, figures)
    return [*lines, *_false(parts["false texts"])]


def _grid(figures):
    lines = ["", "GRID: words against the .align files (ms; starts, then ends)", BORDER_HEAD]
    rows = {"all": figures, **{f"  {name}": one for name, one in figures["groups"].items()}}
    rows |= {f"  *{suffix}": one for suffix, one in figures["suffixes"].items()}
    for name, one in rows.items():
        lines += [_row(name, one["starts"], one), _row("", one["ends"])]
    lines += [_row(f"  {name}", one) for name, one in figures["places"].items()]
    lines += ["  " + _pairs(figures), *_trouble("GRID", figures)]
    disputed = figures["disputed"]
    lines += [
        f"  first words that start over 100 ms apart: {disputed['count']}; by the level of the sound the aligner is wrong in "
        f"{disputed['aligner wrong']}, the file in {disputed['file wrong']}"
    ]
    lines += [*_unit(figures["unit"]), *_sound(figures["sound"])]
    for key in ("false texts", "false words"):
        lines += _false(figures[key], key) if key in figures else []
    return lines


def _unit(unit):
    lines = ["  times of the .align files, read as 1/25000 s, beside the sound (median; size; 85 % of sizes):"]
    for key, what in (
        ("ends", "last line's end after the end of the sound"),
        ("rise", "level rises after the first word's start"),
        ("fall", "level falls after the last word's end"),
        ("middle", "middle of rise and fall after the middle of the words"),
    ):
        lines.append(f"    {what:56}{_signed(unit[key])}")
    if "aligner" in unit:
        found = unit["aligner"]
        lines += [f"    unit that fits the aligner's {found['borders']} starts between words: 1/{found['unit']:.0f} s"]
    return lines


def _speed(speed):
    rounds = ", ".join(f"{value:.3f}" for value in speed["rounds"])
    return [
        "",
        f"speed: {speed['factor']:.3f} s a second of sound, one process (median of {rounds}); CPU {speed['cpu_factor']:.3f}",
        f"  {speed['utterances']} utterances, {speed['audio_s']:.0f} s; loading and first utterance {speed['load_s']:.2f} s",
    ]


def _speech(figures):
    lines = []
    for tier in ("phones", "words"):
        if tier in figures:
            lines += ["", f"labelled recordings: {tier[:-1]} starts, then ends, against the labels (ms)", BORDER_HEAD]
            rows = {"all": figures[tier], **{f"  {name}": one for name, one in figures[tier]["groups"].items()}}
            for name, one in rows.items():
                lines += [_row(name, one["starts"], one), _row("", one["ends"])]
            lines += ["  " + _pairs(figures[tier]), *_trouble(tier, figures[tier]), *_sound(figures[tier].get("sound", {}))]
    for name, reason in figures["unlabelled"].items():
        lines.append(f"  {name}: no borders to compare with; {'failed: ' + reason if reason else 'aligned'}")
    return lines


def _sound(groups):
    """Lines of `against_sound`."""
    lines = ["  the sound changes after the start, ms (standard error), by the reference and by the aligner:"] if groups else []
    for name, one in groups.items():
        reference, aligner = (f"{one[f'{side}_ms']:+6.1f} ({one[f'{side}_sd']:.1f})" for side in ("reference", "aligner"))
        lines.append(f"    {name:24}{one['count']:7} starts {reference:>14} {aligner:>14}")
    return lines


def _row(name, figures, counted=None):
    counts = "" if counted is None else f"{counted['failed']:>4}/{counted['utterances']:<3}{counted['marked']:>7}"
    if not figures["count"]:
        return f"{name:26}{0:7}{'-':>8}{'':49}{counts}"
    times = "".join(
        f"{figures[key]:{width}.1f}" for key, width in (("median_ms", 8), ("mean_ms", 7), ("p85_ms", 7), ("p95_ms", 7))
    )
    shares = "".join(f"{100 * figures[key]:6.1f}%" for key in ("within_20", "within_40"))
    return f"{name:26}{figures['count']:7}{times}{shares}{figures['bias_ms']:+7.1f}{figures['shift_ms']:+7.1f}{counts}"


def _pairs(figures):
    paired, differing, extra = (figures[key] for key in ("paired", "differing", "extra"))
    return f"{paired} labels paired; {differing} of the reference said otherwise; {extra} added"


def _trouble(name, figures):
    lines = [f"  {name}: failed {count} times: {reason}" for reason, count in figures["reasons"].items()]
    for key, what in (("gross", "passed on as good"), ("gross_marked", "marked as a poor fit")):
        if figures[key]:
            lines.append(f"  {name}: {len(figures[key])} alignments wrong altogether, {what}: {', '.join(figures[key][:8])}")
    return lines


def _false(figures, name="false texts"):
    separation = figures["separation"]
    lines = [
        f"  {name}: {figures['caught']:.1%} of {figures['utterances']} caught ({figures['refused']} refused, "
        f"{figures['marked']} marked); right ones marked {figures['right_marked']:.1%}, refused {figures['right_refused']:.1%}"
    ]
    if separation is not None:
        lines.append(f"  the right text scores higher than a false one in {separation:.1%} of all pairs")
    return lines


def _signed(figures):
    if not figures["count"]:
        return "      -"
    return f"{figures['shift_ms']:+6.0f} ms ({figures['median_ms']:.0f}; {figures['p85_ms']:.0f}), {figures['count']} clips"
