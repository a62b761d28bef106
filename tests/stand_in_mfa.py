"""Stands in for the program `mfa` (series 3): takes its command line, checks the corpus as it does, lays out what it lays out.

Written from MFA's documentation and the options of `mfa align` in 3.0 to 3.4. Options that 3.x does not know are an error here.
STAND_IN_MFA (JSON) sets {"mode": ..., "version": ..., "log": path}. Modes: "align", "lists" (also writes the lists of older
releases), "nothing" (no clip aligned), "fail", "hang" (with a child process). Words of the dictionary are aligned in equal
shares of the sound between 0.1 s at either end; a clip that says "unalignable" is not aligned.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
import wave
from pathlib import Path

MARGIN = 0.1
COLUMNS = (
    "file", "begin", "end", "speaker", "overall_log_likelihood", "speech_log_likelihood", "phone_duration_deviation",
    "max_running_short_interval", "snr", "intensity_deviation",
)  # fmt: skip


def main(arguments):
    settings = json.loads(os.environ.get("STAND_IN_MFA", "{}"))
    if arguments == ["version"]:
        print(settings.get("version", "3.4.1"))
        return 0
    if "log" in settings:
        Path(settings["log"]).write_text(json.dumps({"arguments": arguments, "root": os.environ["MFA_ROOT_DIR"]}))
    mode = settings.get("mode", "align")
    if mode == "fail":
        print("\x1b[31m\u2502 Traceback\x1b[0m", file=sys.stderr)
        print(" 50%|#####     | 1/2 [00:01<00:01]\rKaldiProcessingError: the disk is full", file=sys.stderr)
        return 1
    if mode == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(settings["log"]).write_text(str(child.pid))
        print("still computing", file=sys.stderr, flush=True)
        time.sleep(60)
    return align(parser().parse_args(arguments), mode)


def parser():
    made = argparse.ArgumentParser(prog="mfa", allow_abbrev=False)
    made.add_argument("command", choices=["align"])
    for name in ("corpus", "dictionary", "acoustic", "output"):
        made.add_argument(name)
    made.add_argument("--temporary_directory", "-t", required=True)
    made.add_argument("--output_format", choices=["long_textgrid", "short_textgrid", "json", "csv"], default="long_textgrid")
    for name in ("clean", "single_speaker"):
        made.add_argument(f"--{name}", action="store_true")
    for name in ("num_jobs", "beam", "retry_beam"):
        made.add_argument(f"--{name}", type=int)
    made.add_argument("--g2p_model_path")
    return made


def align(options, mode):
    root = Path(os.environ["MFA_ROOT_DIR"])
    models = {}
    for kind, name in (("dictionary", options.dictionary), ("acoustic", options.acoustic)):
        folder = root / "pretrained_models" / kind
        found = [path for path in sorted(folder.iterdir()) if path.stem == name] or [Path(name)]
        if not found[0].is_file():
            print(
                f'Invalid value: PretrainedModelNotFoundError:\n\nCould not find a\nmodel named "{name}" for {kind}.',
                file=sys.stderr,
            )
            return 2
        models[kind] = found[0]
    if options.corpus.startswith((options.temporary_directory, str(root))):
        print("Corpus directories must be outside of MFA's temporary directory", file=sys.stderr)
        return 2
    (root / "extracted_models").mkdir()  # a second run with one root would delete this under the first
    time.sleep(0.05)
    pronounced = dict(line.split("\t") for line in models["dictionary"].read_text("utf-8").splitlines())
    clips = [clip for speaker in sorted(Path(options.corpus).iterdir()) for clip in sorted(speaker.glob("*.wav"))]
    rows, unaligned, unknown = [], [], set()
    output = Path(options.output)
    output.mkdir()
    for clip in clips:
        seconds = check_sound(clip)
        words = clip.with_suffix(".lab").read_text("utf-8").lower().split()
        assert words, f"{clip}: an empty .lab"
        missing = [word for word in words if word not in pronounced]
        aligned = mode != "nothing" and "unalignable" not in words
        numbers = [-50.5, -45.25, 1.5, 1, 20.0, 2.0] if aligned else [""] * 6
        rows.append([clip.stem, 0.0, seconds, clip.parent.name, *numbers])
        if not aligned:
            unaligned.append(f"{clip.parent.name}-{clip.stem}\tBeam too narrow")
            continue
        unknown.update(missing)
        folder = output / clip.parent.name
        folder.mkdir(exist_ok=True)
        (folder / f"{clip.stem}.TextGrid").write_text(textgrid(words, pronounced, round(seconds, 6), mode), "utf-8")
    if mode == "nothing":
        print(f"NoAlignmentsError:\n\nThere were no successful\nalignments for {len(clips)} utterances.", file=sys.stderr)
        return 1
    with open(output / "alignment_analysis.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    if mode == "lists":
        (output / "unaligned.txt").write_text("".join(f"{line}\n" for line in unaligned), "utf-8")
        (output / f"oovs_found_{models['dictionary'].stem}.txt").write_text("".join(f"{word}\n" for word in sorted(unknown)))
    return 0


def check_sound(clip):
    with wave.open(str(clip)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000), clip
        assert clip.with_suffix(".lab").is_file(), clip
        return file.getnframes() / file.getframerate()


def textgrid(words, pronounced, seconds, mode):
    """Long TextGrid as MFA's, silence as ""; older releases write <unk> for words that the dictionary lacks."""
    share = (seconds - 2 * MARGIN) / len(words)
    edges = [round(MARGIN + place * share, 2) for place in range(len(words) + 1)]
    tiers = {"words": [], "phones": []}
    for word, start, end in zip(words, edges, edges[1:], strict=False):
        tiers["words"].append((start, end, "<unk>" if mode == "lists" and word not in pronounced else word))
        phones = pronounced.get(word, "spn").split()
        inside = [start + place * (end - start) / len(phones) for place in range(len(phones))] + [end]
        tiers["phones"] += zip(inside, inside[1:], phones, strict=False)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {seconds} ", "tiers? <exists> "]
    lines += [f"size = {len(tiers)} ", "item []: "]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        intervals = [(0, intervals[0][0], ""), *intervals, (intervals[-1][1], seconds, "")]
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f'        name = "{name}" ', "        xmin = 0 "]
        lines += [f"        xmax = {seconds} ", f"        intervals: size = {len(intervals)} "]
        for place, (start, end, label) in enumerate(intervals, 1):
            lines += [f"        intervals [{place}]:", f"            xmin = {start} ", f"            xmax = {end} "]
            lines += [f'            text = "{label}" ']
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
