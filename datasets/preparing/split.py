"""Which prepared clips train, validate and test: changed in the manifest alone, so that no face is cut anew.

A new split is written whole or not at all: the manifest, and the rule in corpus.json by which further clips are placed. Clips,
side files and their places stay as they are.
"""

import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from common.errors import InputError
from common.files import atomic_output, content_hash, require_file
from common.suggest import refuse_unknown
from datasets.corpora import SPLITS, assign_split, validation_from_training
from datasets.prepared import PreparedCorpus, manifest_path, read_manifest
from datasets.preparing.settings import SPLITTING, store_settings

SHARES = "shares"  # the value of --split that stands for no file
_BEGUN = "split_begun"  # in corpus.json while a split is written: the rule of before, and the SHA-256 of the manifest to come
# The split is the last word of a line, but for a comment; all before it is the id, which may hold blanks and commas.
_LINE = re.compile(r"""("(?:[^"]|"")+"|.+?)[\s,;]+([^\s,;]+)[\s,;]*(?:\s\#.*)?""")


def split_by_shares(folder, *, unseen_speakers=(), val_speakers=(), val_share=0.05, test_share=0.05, seed=0):
    """Split a corpus by whole speakers and by shares of the other speakers' clips; where the corpus itself stated a split, too.

    Args:
        folder: of the prepared corpus.
        unseen_speakers, val_speakers: names, held out whole; each must be a speaker of the corpus.
        val_share, test_share, seed: see `datasets.corpora.assign_split`. Where the shares give a small corpus no clip to
            validate, `datasets.corpora.validation_from_training` does.

    Returns:
        Lines for the user.

    Raises:
        InputError: no prepared corpus, an unknown speaker, or shares that leave nothing to train.
    """
    if not val_share + test_share < 1:
        raise InputError(f"--val_share {val_share:g} and --test_share {test_share:g} leave nothing to train; lower one of them")
    corpus, rows = PreparedCorpus.open_folder(folder), read_manifest(folder)
    speakers = sorted({row.speaker for row in rows.values()})
    for flag, names in (("--unseen_speakers", unseen_speakers), ("--val_speakers", val_speakers)):
        refuse_unknown(names, speakers, f"speaker of {flag}")
    values = (tuple(unseen_speakers), tuple(val_speakers), val_share, test_share, seed)
    rule = dict(zip(SPLITTING, values, strict=True))
    placing = {key.removeprefix("split_"): value for key, value in rule.items()}
    splits = {row.id: assign_split(row.id, row.speaker, **placing) for row in rows.values()}
    good = [row.id for row in corpus.rows]
    if not any(splits[name] == "val" for name in good):
        moved = validation_from_training([name for name in good if splits[name] == "train"], val_share, seed)
        splits |= dict.fromkeys(moved, "val")
    stored = {key: list(value) if isinstance(value, tuple) else value for key, value in rule.items()}
    return _write_split(folder, rows, splits, corpus.settings, stored)


def split_by_list(folder, path):
    """Split a corpus as a text file says: the id of a clip and its split a line, apart by blanks, tabs, commas or semicolons.

    An id that ends with a slash, such as `s1/`, stands for all clips whose ids begin with it; a later line counts more than an
    earlier one. Clips that no line names are for training. `#` begins a comment at the start of a line, or after a blank behind
    the split. An id may stand in double quotes, as spreadsheets write it.

    Args:
        folder: of the prepared corpus.
        path: of the file, UTF-8.

    Returns:
        Lines for the user.

    Raises:
        InputError: the file cannot be read, a line that says no split, or a clip that the corpus does not hold.
    """
    corpus, rows = PreparedCorpus.open_folder(folder), read_manifest(folder)
    splits = dict.fromkeys(rows, "train")
    for number, name, split in _read_list(path):
        where = f"{path}, line {number}"
        if split not in SPLITS:
            raise InputError(f"{where}: {split!r} is no split; write the id of a clip, then one of {', '.join(SPLITS)}")
        named = [one for one in rows if one.startswith(name)] if name.endswith("/") else [name] if name in rows else []
        if not named:
            refuse_unknown([name], rows, f"clip in {where}:")
        splits |= dict.fromkeys(named, split)
    return _write_split(folder, rows, splits, corpus.settings, {})


def ensure_validation(folder, clips, settings):
    """Give a corpus that has just been prepared clips to validate, where the hash of the ids gave it none.

    Args:
        folder: of the prepared corpus.
        clips: ClipSources of the corpus; those that the corpus itself placed stay where they are.
        settings: PrepareSettings.

    Returns:
        Lines for the user: which clips were moved, or how to get some; none where there are clips to validate.
    """
    rows = read_manifest(folder)
    good = {name: row for name, row in rows.items() if not row.error}
    if not good or any(row.split == "val" for row in good.values()):
        return []
    free = {clip.id for clip in clips if clip.split is None}
    moved = validation_from_training([name for name, row in good.items() if row.split == "train" and name in free],
                                     settings.val_share, settings.split_seed)  # fmt: skip
    if moved:
        _write_manifest(folder, _lines_of(replace(row, split="val") if name in moved else row for name, row in rows.items()))
        some = ", ".join(sorted(moved)[:3]) + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")
        return [f"the shares gave validation no clip, so it takes {some} from training; --split changes that"]
    if len(good) == 1:
        return ["one clip alone cannot be split: there is none to validate; add clips, or cut it into several files"]
    return [f"there are no clips to validate; to take some from training:  {command(folder)}"]


def command(folder, share=0.1):
    """The command that gives a prepared corpus clips to validate, for messages."""
    return f"python prepare.py --out {folder} --split {SHARES} --val_share {share:g}"


def settle_split(folder):
    """Bring a corpus in order whose new split was interrupted: the rule in corpus.json becomes that of its manifest.

    Whoever holds the corpus's lock calls it before anything is read or written there.

    Args:
        folder: of a prepared corpus, or one that is to be.
    """
    path = Path(folder) / "corpus.json"
    if not path.is_file():
        return
    settings = PreparedCorpus.open_folder(folder).settings
    begun = json.loads(path.read_text(encoding="utf-8")).get(_BEGUN)
    if not begun:
        return
    manifest = manifest_path(folder)
    if not manifest.is_file() or content_hash(manifest) != begun["manifest"]:  # the end came before it was in place
        settings = {key: value for key, value in settings.items() if key not in SPLITTING} | begun["before"]
    store_settings(folder, settings)


def _write_split(folder, rows, splits, settings, rule):
    """Write splits (a dict of id -> split) and a rule (settings of SPLITTING that change); lines that say what changed."""
    changed = Counter((row.split, splits[name]) for name, row in rows.items() if row.split != splits[name])
    manifest = _lines_of(replace(row, split=splits[name]) for name, row in rows.items())
    before = {key: settings[key] for key in SPLITTING if key in settings}
    begun = {"before": before, "manifest": hashlib.sha256(manifest).hexdigest()}
    store_settings(folder, settings | rule, **{_BEGUN: begun})
    _write_manifest(folder, manifest)
    store_settings(folder, settings | rule)
    moves = ", ".join(f"{count} from {old} to {new}" for (old, new), count in sorted(changed.items())) or "none"
    lines = [f"split: {sum(changed.values())} of {len(rows)} clips moved ({moves}); faces and side files are as they were"]
    used = {splits[name] for name, row in rows.items() if not row.error}
    empty = [what for what, name in (("training", "train"), ("validation", "val")) if name not in used]
    cure = f"; to get some:  {command(folder)}" if empty == ["validation"] else ""
    return lines + [f"no clip is for {what} now{cure}" for what in empty]


def _lines_of(rows):
    return b"".join(json.dumps(vars(row)).encode() + b"\n" for row in rows)


def _write_manifest(folder, lines):
    with atomic_output(manifest_path(folder)) as temporary:
        temporary.write_bytes(lines)


def _read_list(path):
    """(line number, id, split) of each line of a list."""
    data = require_file(Path(path), f"--split: {SHARES}, or a list of clips and splits").read_bytes()
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8; save it as UTF-8") from error
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        parts = _LINE.fullmatch(text)
        if not parts:
            raise InputError(f"{path}, line {number}: {text!r} names no split; write the id of a clip, then one of "
                             f"{', '.join(SPLITS)}")  # fmt: skip
        name, split = parts.groups()
        if len(name) > 2 and name[0] == name[-1] == '"':
            name = name[1:-1].replace('""', '"')
        if split.lower() != "split" or found:  # a heading "id split" is passed over
            found.append((number, name, split.lower()))
    if not found:
        raise InputError(f"{path}: names no clip; write the id of a clip and its split a line, such as  s1/bbaf2n val")
    return found
