"""YAML as configs may use it: plain values alone, and nothing said twice."""

import yaml

from common.errors import InputError
from common.schema import is_clean, shown

_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
_DEEPEST, _MOST = 30, 100_000  # levels and values; more is a mistake, or a text made to fill the memory


class _Loader(yaml.SafeLoader):
    """The safe loader, to which a date is text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(path):
    """What a YAML file says; see `parse_yaml`.

    Raises:
        InputError: it cannot be read, is not UTF-8, or see `parse_yaml`.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        wrong = f"byte 0x{data[error.start]:02x} in line {line}"
        raise InputError(f"{path}: is not UTF-8 ({wrong}); save it as UTF-8") from error
    return parse_yaml(text, str(path))


def parse_yaml(text, where):
    """What a YAML text says: dicts with text as keys, lists, text, numbers (NaN and infinity, too), truth values and None.

    Args:
        text: str.
        where: for messages: the name of the file.

    Raises:
        InputError: not YAML; a key given twice at any depth (the line is told); a tag; a key that is not text; more than 30
            levels or 100,000 values, aliases counted each time.
    """
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {}, where)
        value = loader.construct_document(node)
    except RecursionError as error:
        raise InputError(f"{where}: is nested too deeply, or holds too much") from error
    except yaml.YAMLError as error:
        raise InputError(f"{where}: is not YAML ({_reason(error)})") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # of PyYAML's constructors: !!int "", 0b_
        raise InputError(f"{where}: is not YAML (a number that cannot be read)") from error
    finally:
        if loader is not None:
            loader.dispose()
    _require_text_as_keys(value, where)
    return value


def _measure(node, known, where):
    """(levels, values) of a node; what stands behind an alias counts each time that it is named, but is looked at once.

    Args:
        known: dict that takes id of a node -> its measure; None while the node is being measured.
    """
    if id(node) not in known:
        known[id(node)] = None
        _require_plain_node(node, where)
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [one for pair in parts for one in pair] if isinstance(node, yaml.MappingNode) else parts
        measures = [_measure(one, known, where) for one in parts]
        known[id(node)] = 1 + max((levels for levels, _ in measures), default=0), 1 + sum(values for _, values in measures)
    found = known[id(node)]
    if found is None or found[0] > _DEEPEST or found[1] > _MOST:
        raise InputError(f"{where}: is nested too deeply, or holds too much")
    return found


def _require_plain_node(node, where):
    """InputError for a tag, and for a mapping that gives a key twice."""
    if node.tag not in _PLAIN:
        raise InputError(f"{where}: line {_line(node)}: {shown(node.tag)}: tags are not known here; put text in quotes")
    if not isinstance(node, yaml.MappingNode):
        return
    seen = {}
    for key, _ in node.value:
        name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)
        if name in seen:
            first = f"first in line {seen[name]}"
            raise InputError(f"{where}: line {_line(key)}: the key {shown(key.value)} is given twice, {first}; keep one")
        seen[name] = _line(key)


def _require_text_as_keys(value, where):
    """InputError for keys that are not text."""
    if isinstance(value, dict):
        for name, one in value.items():
            if not isinstance(name, str) or not is_clean(name):
                raise InputError(f"{where}: the key {shown(name)} must be text; put it in quotes")
            _require_text_as_keys(one, where)
    elif isinstance(value, list):
        for one in value:
            _require_text_as_keys(one, where)


def _line(node):
    return node.start_mark.line + 1


def _reason(error):
    """The first line of what PyYAML says, and the line of the file."""
    mark = getattr(error, "problem_mark", None)
    text = (getattr(error, "problem", None) or str(error)).splitlines() or ["no reason is told"]
    return f"{text[0]}, line {mark.line + 1}" if mark else text[0]
