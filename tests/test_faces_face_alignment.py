"""S3FD and FAN: the package's own networks with weights set by hand; our calls with a stand-in for the package."""

import sys
import types

import numpy as np
import pytest
import torch

from common.errors import InputError
from faces.detectors import Face, build_detector
from faces.detectors.s3fd_fan import FAN_FILE, S3FD_FILE

PLACES = (60, 66), (116, 66), (88, 126)  # of the spots: right eye, left eye, mouth and all else
CELL = 16  # pixels: stride of the S3FD layer that the weights below use; its anchors are 64 pixels wide


def picture(dx=0, dy=0, white=True, spots=True):
    """A grey frame with a white square in the face's middle, and a red, a green and a blue spot at PLACES."""
    frame = np.full((192, 192, 3), 60, np.uint8)
    if white:
        frame[5 * CELL + dy : 6 * CELL + dy, 5 * CELL + dx : 6 * CELL + dx] = 255
    for channel, (x, y) in enumerate(PLACES if spots else []):
        frame[y - 5 + dy : y + 6 + dy, x - 5 + dx : x + 6 + dx] = 0
        frame[y - 5 + dy : y + 6 + dy, x - 5 + dx : x + 6 + dx, channel] = 255
    return frame


def zeros_like(module):
    """A state dict of zeros that takes no room in a file."""
    return {name: torch.zeros((), dtype=value.dtype).expand(value.shape) for name, value in module.state_dict().items()}


def s3fd_weights():
    """S3FD that says "face, 128 pixels wide" around a cell that is white, and nothing else."""
    from face_alignment.detection.sfd.net_s3fd import s3fd

    with torch.device("meta"):
        network = s3fd()
    state = zeros_like(network)
    path = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1", "5_2", "5_3"]
    for name in path:
        weight = state[f"conv{name}.weight"].clone()
        weight[0, : 3 if name == "1_1" else 1, 1, 1] = 1
        state[f"conv{name}.weight"] = weight
    bias = state["conv1_1.bias"].clone()
    bias[0] = -(0.9 * 765 - (104 + 117 + 123))  # the package subtracts these means
    state["conv1_1.bias"] = bias
    state["conv5_3_norm.weight"] = torch.ones(512)
    for head in ("conv3_3_norm", "conv4_3_norm", "fc7", "conv6_2", "conv7_2"):
        bias = state[f"{head}_mbox_conf.bias"].clone()
        bias[:-1] = 12.0  # background
        state[f"{head}_mbox_conf.bias"] = bias
    weight = state["conv5_3_norm_mbox_conf.weight"].clone()
    weight[1, 0, 1, 1] = 12
    state["conv5_3_norm_mbox_conf.weight"] = weight
    state["conv5_3_norm_mbox_conf.bias"] = torch.tensor([6.0, 0.0])
    state["conv5_3_norm_mbox_loc.bias"] = torch.tensor([0, 0, np.log(2) / 0.2, np.log(2) / 0.2], dtype=torch.float32)
    return state


def fan_weights():
    """FAN whose heat maps are the red (right eye), green (left eye) or blue (the rest) of the crop."""
    from face_alignment.models import FAN

    with torch.device("meta"):
        network = FAN(4)
    state = zeros_like(network)
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            state[f"{name}.weight"], state[f"{name}.running_var"] = (torch.ones(module.num_features) for _ in range(2))
    first = state["conv1.weight"].clone()
    first[:3, :, 3, 3] = torch.eye(3) * 1.5 - 0.5  # a channel less half of the others
    state["conv1.weight"] = first
    for name in ("conv2.downsample.2", "conv4.downsample.2", "conv_last3"):
        weight = state[f"{name}.weight"].clone()
        weight[:3, :3, 0, 0] = torch.eye(3)
        state[f"{name}.weight"] = weight
    last = torch.zeros(68, 256, 1, 1)
    last[:, 2], last[36:42, 2], last[42:48, 2] = 0.4, 0, 0
    last[36:42, 0], last[42:48, 1] = 0.4, 0.4
    state["l3.weight"] = last
    return state


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    pytest.importorskip("face_alignment", reason="the extra face-alignment is not installed")
    folder = tmp_path_factory.mktemp("weights of face-alignment")
    torch.save(s3fd_weights(), folder / S3FD_FILE)
    torch.save(fan_weights(), folder / FAN_FILE)
    return folder


@pytest.fixture(scope="session")
def detector(weights):
    torch.set_num_threads(1)
    return build_detector("face-alignment", weights=weights)


def test_the_packages_networks_find_and_follow(detector):
    (face,) = detector.detect(picture())
    assert face.landmarks.shape == (68, 2) and face.landmarks.dtype == np.float32
    assert face.score > 0.99
    for points, place in zip((range(36, 42), range(42, 48), range(48, 68)), PLACES, strict=True):
        np.testing.assert_allclose(face.landmarks[points], np.broadcast_to(place, (len(points), 2)), atol=5)
    np.testing.assert_array_equal(face.box, [*face.landmarks.min(0), *face.landmarks.max(0)])
    moved = detector.follow(picture(7, -5, white=False), face)  # FAN alone: S3FD would see nothing without the white square
    np.testing.assert_allclose(moved.centre - face.centre, (7, -5), atol=4)
    assert 0 < moved.score <= 1
    assert detector.name == "face-alignment" and detector.version


def test_nothing_is_found_where_nothing_is(detector):
    assert detector.detect(picture(white=False)) == []
    assert detector.detect(picture(spots=False)) == []  # S3FD says face, FAN does not
    (face,) = detector.detect(picture())
    assert detector.follow(picture(spots=False), face) is None
    assert detector.follow(picture(60, 60), face) is None  # too far
    gone = Face.from_landmarks(face.landmarks + 400, 1)
    assert detector.follow(picture(), gone) is None  # outside the frame


@pytest.mark.parametrize("name", [S3FD_FILE, FAN_FILE])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "text", "other", "hostile"])
def test_wrong_weight_files_are_named(weights, tmp_path, name, damage):
    for file in weights.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        torch.save({"weight": torch.zeros(3)}, path)
    elif damage == "hostile":
        torch.save(Hostile(tmp_path / "ran"), path)
    else:
        path.write_bytes({"empty": b"", "text": b"<html>not found</html>", "truncated": path.read_bytes()[:5000]}[damage])
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        build_detector("face-alignment", weights=tmp_path)
    assert not (tmp_path / "ran").exists()


class Hostile:
    """Would make a file while it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


# ---- our side of the calls, without the package


class StandIn:
    """Plays `face_alignment.FaceAlignment`: notes how it is called, answers from `boxes`, `landmarks` and `peaks`."""

    made = {}
    boxes, landmarks, peaks = [], np.zeros((0, 68, 2)), np.zeros((0, 68))
    room = 1 << 30  # pixels that S3FD can take, and faces that FAN can take

    def __init__(self, landmarks_type, **options):
        self.made.update(options, landmarks_type=landmarks_type)
        self.max_batch_size = options["max_batch_size"]
        self.face_detector = types.SimpleNamespace(detect_from_image=self.find)
        self.asked, self.searched = [], []
        torch.load(options["face_detector_kwargs"]["path_to_detector"], weights_only=True)
        self.network = self._load_native("2DFAN-4", 4, options["device"], torch.float32)

    def find(self, view):
        self.searched.append(view.shape)
        if view.shape[0] * view.shape[1] > self.room:
            raise torch.OutOfMemoryError("no room")
        return self.boxes

    def get_landmarks_from_image(self, frame, boxes, return_landmark_score):
        assert return_landmark_score
        self.asked.append((len(boxes), self.max_batch_size))
        if min(len(boxes), self.max_batch_size) > self.room:
            raise torch.OutOfMemoryError("no room")
        return list(self.landmarks[: len(boxes)]), list(self.peaks[: len(boxes)]), None


class TinyFan(torch.nn.Linear):
    def __init__(self, stacks):
        assert stacks == 4
        super().__init__(2, 2)


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """A class that plays the package, put where Python looks for it; it holds its own `folder` of weights."""
    play = type("Play", (StandIn,), {"folder": tmp_path / "weights", "made": {}})
    modules = {
        "face_alignment": {"FaceAlignment": play, "LandmarksType": types.SimpleNamespace(TWO_D="2D"), "__version__": "1.5.0"},
        "face_alignment.models": {"FAN": TinyFan},
        "face_alignment.api": {"models_urls": {"2DFAN-4": "http://127.0.0.1:9/fan"}},
        "face_alignment.detection": {},
        "face_alignment.detection.sfd": {},
        "face_alignment.detection.sfd.sfd_detector": {"models_urls": {"s3fd": "http://127.0.0.1:9/s3fd"}},
    }
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__path__ = []
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    play.folder.mkdir()
    torch.save({"any": torch.zeros(1)}, play.folder / S3FD_FILE)
    torch.save({"weight": torch.full((2, 2), 3.0), "bias": torch.zeros(2)}, play.folder / FAN_FILE)
    return play


def points_in(x1, y1, x2, y2):
    """68 landmarks whose extent is the box."""
    return np.stack([np.linspace(x1, x2, 68), np.linspace(y1, y2, 68)], 1).astype(np.float32)


def test_the_package_is_asked_as_it_wants_to_be(stand_in):
    detector = build_detector("face-alignment", device="cpu", weights=stand_in.folder, batch_size=5)
    made = dict(stand_in.made)
    assert made.pop("face_detector_kwargs") == {"path_to_detector": str(stand_in.folder / S3FD_FILE)}
    assert made == {
        "landmarks_type": "2D", "device": "cpu", "flip_input": False, "face_detector": "sfd", "compile": False,
        "max_batch_size": 5,
    }  # fmt: skip
    assert (detector._aligner.network.weight == 3).all()  # FAN holds the weights of the folder
    assert detector.version == "1.5.0"


def test_boxes_and_landmarks_become_faces(stand_in):
    stand_in.boxes = [np.array([10, 10, 40, 40, 0.8]), np.array([100, 50, 180, 150, 0.95]), np.array([50, 5, 58, 13, 0.9])]
    stand_in.landmarks = np.stack([points_in(12, 14, 38, 40), points_in(105, 60, 175, 150)])
    stand_in.peaks = np.stack([np.full(68, 0.9), np.full(68, 0.7)])
    detector = build_detector("face-alignment", weights=stand_in.folder)
    large, small = detector.detect(np.zeros((240, 320, 3), np.uint8))
    np.testing.assert_array_equal(large.box, [105, 60, 175, 150])
    assert (large.score, small.score) == (pytest.approx(0.95), pytest.approx(0.8))
    assert detector._aligner.asked == [(2, 8)]  # the box of 8 pixels is not worth a look
    stand_in.peaks[0] = 0.1
    assert [face.score for face in detector.detect(np.zeros((240, 320, 3), np.uint8))] == [large.score]


def test_following_asks_fan_alone(stand_in):
    detector = build_detector("face-alignment", weights=stand_in.folder)
    frame, face = np.zeros((240, 320, 3), np.uint8), Face.from_landmarks(points_in(100, 50, 180, 150), 1)
    cases = [
        ((104, 52, 184, 152), 0.9, True),
        ((104, 52, 184, 152), 0.2, False),  # not sure
        ((190, 50, 270, 150), 0.9, False),  # jumped
        ((120, 80, 160, 120), 0.9, False),  # shrank
    ]
    for box, peak, kept in cases:
        stand_in.landmarks, stand_in.peaks = points_in(*box)[None], np.full((1, 68), peak)
        found = detector.follow(frame, face)
        assert (found is not None) == kept, (box, peak)
    assert detector._aligner.searched == []


def test_short_memory_shrinks_frame_and_batch(stand_in):
    stand_in.boxes, stand_in.room = [np.array([100, 50, 180, 150, 0.9])], 700 * 500
    stand_in.landmarks, stand_in.peaks = np.stack([points_in(200, 100, 360, 300)] * 8), np.ones((8, 68))
    detector = build_detector("face-alignment", weights=stand_in.folder)
    (face,) = detector.detect(np.zeros((720, 1280, 3), np.uint8))
    assert detector._aligner.searched == [(720, 1280, 3), (360, 640, 3)]
    assert face.size > 100
    stand_in.boxes, stand_in.room = [np.array([100 + i, 50, 180, 150, 0.9]) for i in range(8)], 2
    with pytest.raises(InputError, match="S3FD"):
        detector.detect(np.zeros((720, 1280, 3), np.uint8))
    detector._aligner.face_detector.detect_from_image = lambda view: stand_in.boxes
    assert len(detector.detect(np.zeros((720, 1280, 3), np.uint8))) == 8
    assert [batch for _, batch in detector._aligner.asked] == [8, 8, 4, 2]
    stand_in.room = 0
    with pytest.raises(InputError, match="FAN"):
        detector.detect(np.zeros((720, 1280, 3), np.uint8))


def test_no_room_for_the_networks_is_not_called_damage(stand_in, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(stand_in, "__init__", full)
    with pytest.raises(InputError, match="too little free memory"):
        build_detector("face-alignment", weights=stand_in.folder)


def test_the_cache_is_used_and_a_failed_download_explained(stand_in, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    cache = tmp_path / "home" / "hub" / "checkpoints"
    with pytest.raises(InputError) as caught:
        build_detector("face-alignment")
    assert all(part in str(caught.value) for part in (S3FD_FILE, FAN_FILE, str(cache), "docs/install.md"))
    assert list(cache.iterdir()) == []  # no half file that a second run would take for the weights
    for file in stand_in.folder.iterdir():
        (cache / file.name).write_bytes(file.read_bytes())
    assert build_detector("face-alignment").name == "face-alignment"


def test_a_folder_of_weights_is_never_completed_from_the_network(stand_in, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("went to the network"))
    (stand_in.folder / FAN_FILE).unlink()
    with pytest.raises(InputError, match=FAN_FILE):
        build_detector("face-alignment", weights=stand_in.folder)


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cpu:x"])
def test_an_unknown_device_is_refused(stand_in, device):
    with pytest.raises(InputError, match="--device"):
        build_detector("face-alignment", device=device, weights=stand_in.folder)


def test_a_missing_package_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(InputError, match=r"\.\[face-alignment\]"):
        build_detector("face-alignment", weights=tmp_path)
