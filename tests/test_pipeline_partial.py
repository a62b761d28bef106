import pytest
import torch

from models import build_model, fuse_for_inference
from pipeline.drivers.partial import decode_from, rows_needed
from tests.inference_kit import enliven


@pytest.fixture(scope="module", params=[96, 128])
def network(request):
    torch.manual_seed(0)
    model = build_model({"name": "wav2lip", "face_size": request.param, "width": 0.25})
    enliven(model)
    model = fuse_for_inference(model)
    with torch.inference_mode():
        audio = model.encode_audio(torch.randn(3, 1, 80, 16))
        maps = model.encode_face(torch.rand(3, 6, request.param, request.param))
    return model, audio, maps


@pytest.mark.parametrize("share", [0, 0.01, 0.02, 0.1, 0.25, 0.4, 0.41, 0.42, 0.5, 0.7, 0.9, 0.99])
def test_rows_below_are_those_of_the_whole_face(network, share):
    model, audio, maps = network
    row = round(share * model.face_size)
    with torch.inference_mode():
        whole, part = model.decode(audio, maps), decode_from(model, audio, maps, row)
    assert whole.std() > 0.01
    assert part.shape == whole[:, :, row:].shape
    torch.testing.assert_close(part, whole[:, :, row:], rtol=0, atol=2e-6)


def test_one_face_serves_many_codes(network):
    model, audio, maps = network
    single = [level[:1] for level in maps]
    with torch.inference_mode():
        whole, part = model.decode(audio, single), decode_from(model, audio, single, 40)
    torch.testing.assert_close(part, whole[:, :, 40:], rtol=0, atol=2e-6)


def test_what_is_left_out_grows_with_the_row():
    blocks = build_model({"name": "wav2lip", "width": 0.25}).face_decoder_blocks
    assert rows_needed(blocks, 0) == [0] * 7
    assert rows_needed(blocks, 40) == [0, 0, 0, 2, 8, 18, 39]
