"""Runs the parts one after the other, each in a process of its own, within the time that there is."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.gpu.bench import FAILED, LATE, Bench, Line, Material, as_json, from_json

PARTS = {  # part -> share of the time; the surest and most telling first
    "networks": 4, "waits": 2, "training": 11, "speed": 7, "texture": 2, "drawing": 3, "judging": 2, "compiled": 8,
}  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
START = 8.0  # seconds that a process takes to begin
GRACE = 1.5  # times its seconds that a part may take before its process is ended


def run_parts(names, args, material, show, root=ROOT):
    """Lines of all parts.

    Args:
        names: of the parts, in order.
        args: device, quick, one_process, seconds (for all parts together).
        material: Material.
        show: takes each Line as soon as it is known.
        root: of the code, for processes of their own.
    """
    end, lines = time.monotonic() + args.seconds, []
    for place, name in enumerate(names):
        left = end - time.monotonic()
        rest = sum(PARTS[one] for one in names[place:])
        share = left if args.quick else left * PARTS[name] / rest  # quick parts are short, however slow the machine
        if args.one_process:
            lines += run_part(name, args, material, share, show)
        else:
            lines += run_process(name, args, material, max(share - START, 1.0), min(GRACE * share + START, left), show, root)
    return lines


def run_part(name, args, material, seconds, show):
    """Lines of one part, in this process."""
    bench = Bench(name, args.device, material, seconds=seconds, quick=args.quick, write=show)
    with bench.guard("the whole part"):
        importlib.import_module(f"benchmarks.gpu.{name}").measure(bench)
    return bench.lines


def run_process(name, args, material, seconds, limit, show, root=ROOT):
    """Lines of one part, in a process that is ended after `limit` seconds: it may crash or hang, and the device with it."""
    rows = material.folder / f"{name}.jsonl"
    rows.unlink(missing_ok=True)
    order = {"name": name, "device": str(args.device), "quick": args.quick, "seconds": seconds, "rows": str(rows),
             "material": {"corpus": str(material.corpus), "face_size": material.face_size, "folder": str(material.folder),
                          "expert": [[width, str(path)] for width, path in material.expert.items()]}}  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.gpu.runner", json.dumps(order)]
    complaint, lines = material.folder / f"{name}.txt", []
    with open(complaint, "w+", encoding="utf-8") as errors:
        process = subprocess.Popen(command, cwd=root, stdout=errors, stderr=subprocess.STDOUT)
        end = time.monotonic() + max(limit, 1.0)
        try:
            while (code := process.poll()) is None and time.monotonic() < end:
                _show_new(rows, lines, show)
                time.sleep(0.1)
        finally:
            if code is None:
                process.kill()
                process.wait()
    _show_new(rows, lines, show)
    if code != 0:
        lines.append(_unfinished(name, code, complaint))
        show(lines[-1])
    return lines


def _show_new(rows, lines, show):
    """Add the whole lines of a file that are not yet in `lines`."""
    text = rows.read_text(encoding="utf-8") if rows.is_file() else ""
    whole = text[: text.rfind("\n") + 1].splitlines()
    for row in whole[len(lines) :]:
        lines.append(from_json(row))
        show(lines[-1])


def _unfinished(name, code, complaint):
    """The Line of a process that did not come to its end."""
    if code is None:
        return Line(name, "the rest of the part", "its process was ended; raise --seconds", state=LATE)
    said = complaint.read_text(encoding="utf-8", errors="replace").strip()
    told = f"its process ended with {code}: {said.splitlines()[-1][:300] if said else 'it said nothing'}"
    return Line(name, "the whole part", told, state=FAILED, more={"output": said[-4000:]})


def serve(order):
    """What a process of its own does: one part, its lines written to a file."""
    from types import SimpleNamespace

    given = order["material"]
    expert = {width: Path(path) for width, path in given["expert"]}
    material = Material(Path(given["corpus"]), given["face_size"], expert, Path(given["folder"]))
    with open(order["rows"], "w", encoding="utf-8", buffering=1) as file:
        args = SimpleNamespace(device=order["device"], quick=order["quick"])
        run_part(order["name"], args, material, order["seconds"], lambda line: file.write(as_json(line) + "\n"))


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
