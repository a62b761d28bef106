"""What a weights file is, and whether a safetensors file is whole: told before torch is loaded."""

import json
import struct

import pytest

from common.errors import InputError
from training.weights.file_kinds import SAFETENSORS, kind_of


def packed(header, data=bytes(24)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


TENSORS = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
           "b": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]}}  # fmt: skip
WHOLE = packed({"__metadata__": {"format": "x"}, **TENSORS})


def test_a_whole_file_and_one_without_tensors(tmp_path):
    for content in (WHOLE, packed({"__metadata__": {}}, b"")):
        (tmp_path / "x").write_bytes(content)
        assert kind_of(tmp_path / "x") == SAFETENSORS


@pytest.mark.parametrize("content", [
    WHOLE[:-1], WHOLE[:40], WHOLE + b"x", struct.pack("<Q", 1 << 63) + WHOLE[8:], packed(b"{" * 60),
    packed(b'{"a": 1' + b" " * 9), packed({"a": 1}),
    packed({"a": {}}), packed({"a": {"data_offsets": ["0", "24"]}}), packed({"a": {"data_offsets": [0]}}),
])  # fmt: skip
def test_a_file_that_is_not_whole_is_damaged(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="x.safetensors: damaged: .*copy or download it again"):
        kind_of(tmp_path / "x.safetensors")
