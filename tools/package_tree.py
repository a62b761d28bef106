"""The tree of the installable package: the rooms of the checkout as subpackages of `talking_faces`.

The rooms have short names (`models`, `datasets`, ...) that other distributions use, too, so they must not lie at the top of
site-packages. Every room, script and data file is copied below `talking_faces/`, and absolute imports of rooms and scripts get
that name in front: `from models.x import y` becomes `from talking_faces.models.x import y`. Commands in messages are written as
an installed package knows them: `python train.py` becomes `python -m talking_faces.train`.

Only the standard library is used, since this runs in pip's build environment.
"""

import ast
import re
import shutil
from pathlib import Path

NAME = "talking_faces"
ROOMS = ("common", "datasets", "faces", "losses", "media", "metrics", "models", "pipeline", "samples", "speech", "training")
SCRIPTS = ("evaluate", "inference", "prepare", "spatial_processing", "temporal_processing", "train")
DATA = ("checkpoints", "configs")
LEFT_OUT = ("benchmarks", "docs", "tests", "tools")  # for work on the checkout
OURS = {*ROOMS, *SCRIPTS}
SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


class UnclearImport(ValueError):
    """An import, or the name of a module in a string, that cannot be rewritten; the message says where it stands."""


def write_tree(checkout, folder):
    """Copy the package into `folder`, which is made; it then holds `talking_faces/` alone.

    Args:
        checkout, folder: pathlib.Path.

    Returns:
        pathlib.Path of `talking_faces` in `folder`.

    Raises:
        UnclearImport: a source cannot be rewritten.
    """
    package = folder / NAME
    shutil.copytree(checkout / NAME, package, ignore=SKIPPED)
    for room in (*ROOMS, *DATA):
        shutil.copytree(checkout / room, package / room, ignore=SKIPPED)
    for script in SCRIPTS:
        shutil.copyfile(checkout / f"{script}.py", package / f"{script}.py")
    for path in sorted(package.rglob("*.py")):
        where = path.relative_to(package)
        path.write_text(rewritten(path.read_text(encoding="utf-8"), str(where), checkout), encoding="utf-8")
    return package


def rewritten(source, where, checkout):
    """Source of a module with its imports of rooms and scripts below `talking_faces`.

    Args:
        source: text of the module.
        where: its name, for messages.
        checkout: pathlib.Path, in which names of modules are looked up.

    Raises:
        UnclearImport: `import room.module` without `as`, which binds the room's own name, or a string that is a module's name.
    """
    tree = ast.parse(source)
    lines = source.split("\n")  # as ast counts them
    edits = []  # (line, column in bytes, length in bytes, new text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _ours(node.module):
            start, length = _module_of(lines, node, where)
            edits.append((node.lineno, start, length, f"{NAME}.{node.module}"))
        elif isinstance(node, ast.Import):
            for alias in filter(lambda alias: _ours(alias.name), node.names):
                if alias.asname is None and "." in alias.name:
                    raise UnclearImport(f"{where}:{node.lineno}: write `import {alias.name} as ...`, or `from ... import ...`")
                binding = f" as {alias.name}" if alias.asname is None else ""
                edits.append((alias.lineno, alias.col_offset, len(alias.name.encode()), f"{NAME}.{alias.name}{binding}"))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_module(node.value, checkout):
            raise UnclearImport(f"{where}:{node.lineno}: names the module {node.value} in a string; make it from __name__")
    for line, start, length, text in sorted(edits, reverse=True):
        raw = lines[line - 1].encode()
        lines[line - 1] = (raw[:start] + text.encode() + raw[start + length :]).decode()
    return _commands("\n".join(lines))


def _ours(name):
    return name.partition(".")[0] in OURS


def _module_of(lines, node, where):
    """(column, length) in bytes of the module's name in a `from` statement, which stands on the statement's first line."""
    raw = lines[node.lineno - 1].encode()
    found = re.compile(rb"from\s+([\w.]+)").match(raw, node.col_offset)
    if found is None or found[1].decode() != node.module:
        raise UnclearImport(f"{where}:{node.lineno}: write `from {node.module} import ...` on one line")
    return found.start(1), len(found[1])


def _is_module(text, checkout):
    """True for a dotted name of a module or package of ours."""
    if not re.fullmatch(r"\w+(\.\w+)+", text) or not _ours(text):
        return False
    place = checkout.joinpath(*text.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _commands(source):
    """Commands in docstrings and messages, as they are typed where the package is installed."""
    source = re.sub(rf"\bpython -m ({'|'.join(ROOMS)})\b", rf"python -m {NAME}.\1", source)
    return re.sub(rf"\bpython ({'|'.join(SCRIPTS)})\.py\b", rf"python -m {NAME}.\1", source)


if __name__ == "__main__":
    import sys

    print(write_tree(Path(__file__).resolve().parents[1], Path(sys.argv[1])))
