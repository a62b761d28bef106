"""evaluate.py and what it cannot use: exit code 2, one line that names the flag or file, and nothing written."""

import sys

import pytest
import torch
from PIL import Image

from models import build_model
from tests.evaluate_kit import GAPS, draw, run, save_expert, talking, use_drawn_faces, write
from tests.inference_kit import save_tiny


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Videos, folders, and files that are not what they should be."""
    folder = tmp_path_factory.mktemp("bad_input")
    write(folder / "real.mp4", talking(GAPS[:8]))
    write(folder / "blank.mp4", talking(GAPS[:8], hidden=range(8)))
    write(folder / "long.mp4", talking(GAPS))
    write(folder / "wide.mp4", [frame[:96] for frame in talking(GAPS[:8])])
    for name in ("real", "made", "more"):
        (folder / name).mkdir()
        (folder / name / "clip.mp4").symlink_to(folder / "real.mp4")
    (folder / "stranger").mkdir()
    (folder / "stranger" / "other.mp4").symlink_to(folder / "real.mp4")
    (folder / "twice").mkdir()
    for suffix in ("mp4", "mkv"):
        (folder / "twice" / f"clip.{suffix}").symlink_to(folder / "real.mp4")
    (folder / "empty").mkdir()
    Image.fromarray(draw(80, 60, 8)).save(folder / "picture.png")
    for name in ("text.mp4", "text.pth", "text.txt", "text.json"):
        (folder / name).write_text("no video, no weights and no table")
    (folder / "nothing.mp4").touch()
    save_tiny(folder / "generator.safetensors")
    save_expert(folder / "expert.safetensors")
    torch.save(build_model({"name": "syncnet_v2"}).state_dict(), folder / "syncnet.pth")
    content = (folder / "syncnet.pth").read_bytes()
    (folder / "damaged.pth").write_bytes(content[: len(content) // 2])
    (folder / "pairs.txt").write_text("clip clip\n")
    (folder / "stranger.txt").write_text("who what\n")
    return folder


FOLDERS = "--generated made --real real"
CHECKPOINT = "--checkpoint generator.safetensors"
CASES = {
    # what goes together
    "": "give --generated and --real",
    "--real real": "give --generated and --real",
    f"{FOLDERS} {CHECKPOINT}": "give --generated and --real",
    "--generated made": "give the real videos with --real, too",
    CHECKPOINT: "give the list with --pairs and the folder of its clips with --data_root, too",
    f"{CHECKPOINT} --pairs pairs.txt": "--data_root, too",
    f"{CHECKPOINT} --data_root real": "give the list with --pairs",
    f"{CHECKPOINT} --pairs pairs.txt --data_root real --real real": "--real does not go with --checkpoint",
    f"{FOLDERS} --pairs pairs.txt": "--pairs does not go with --generated",
    f"{FOLDERS} --limit 3": "--limit does not go with --generated",
    f"{FOLDERS} --unpaired made more": "--unpaired: give one folder for each of --generated",
    "--generated made stranger --real real --unpaired more": "--unpaired: give one folder for each of --generated",
    f"{FOLDERS} --syncnet_weights syncnet.pth --expert expert.safetensors": "--syncnet_weights and --expert exclude each other",
    f"{FOLDERS} --fid_reference reference.npz": "give --inception_weights, too",
    f"{FOLDERS} --protocol both": "--protocol both: only paired videos are there",
    f"{FOLDERS} --unpaired more --protocol unpaired": "is the unpaired video of this name already",
    # values
    f"{FOLDERS} --protocol sideways": "argument --protocol: invalid choice",
    f"{FOLDERS} --frames 0": "--frames 0: must be at least 1",
    f"{FOLDERS} --frames some": "argument --frames: invalid int value",
    f"{FOLDERS} --face_size 8": "--face_size 8: must be between 32 and 1024",
    f"{FOLDERS} --face_index -1": "--face_index -1: must be at least 0",
    f"{FOLDERS} --min_face nan": "--min_face nan: must be at least 0",
    f"{FOLDERS} --detector magic": "--detector magic: unknown",
    f"{FOLDERS} --device abacus": "--device abacus: unknown",
    f"{FOLDERS} --lpips alex": "LPIPS needs ",
    f"{FOLDERS} --lpips none": "argument --lpips: invalid choice",
    f"{FOLDERS} --with_published imagenet": "imagenet",
    f"{FOLDERS} --colour blue": "unrecognized arguments: --colour blue",
    f"{FOLDERS} --out empty": "empty: is a folder",
    f"{FOLDERS} --out text.txt/table": "is a file, not a folder",
    f"{FOLDERS} --names a b": "--names: 2 name(s) for 1 system(s)",
    "--generated made more --real real --names a a": "--names a: is given twice",
    f"{CHECKPOINT} --pairs pairs.txt --data_root real --names a b": "--names: 2 name(s) for 1 system(s)",
    f"{FOLDERS} --columns ssim": "--columns ssim: no measure of this evaluation",
    f"{FOLDERS} --columns lmd_raw lmd_raw": "--columns lmd_raw: is given twice",
    f"{FOLDERS} --label x{{": "--label x{: may hold letters",
    f"{FOLDERS} --caption }}": "--caption: its braces are not balanced",
    f"{FOLDERS} --figures gif": "argument --figures: invalid choice",
    # weights
    f"{FOLDERS} --syncnet_weights text.pth": "text.pth: is not a checkpoint",
    f"{FOLDERS} --syncnet_weights generator.safetensors": "generator.safetensors: holds wav2lip, not a sync expert",
    f"{FOLDERS} --syncnet_weights damaged.pth": "damaged.pth: damaged or not whole",
    f"{FOLDERS} --syncnet_weights absent.pth": "absent.pth: no such file",
    f"{FOLDERS} --expert text.pth": "text.pth: is not a checkpoint",
    f"{FOLDERS} --expert generator.safetensors": "generator.safetensors: holds wav2lip, not a sync expert",
    f"{FOLDERS} --expert damaged.pth": "damaged.pth: damaged or not whole",
    f"{FOLDERS} --expert absent.pth": "absent.pth: no such file",
    f"{FOLDERS} --inception_weights text.pth": "text.pth: is not a checkpoint",
    f"{FOLDERS} --inception_weights expert.safetensors": "expert.safetensors: holds a lip-sync expert",
    f"{FOLDERS} --inception_weights damaged.pth": "damaged.pth: damaged or not whole",
    f"{FOLDERS} --inception_weights absent.pth": "absent.pth: no such file",
    "--checkpoint expert.safetensors --pairs pairs.txt --data_root real": "expert.safetensors: holds a lip-sync expert",
    # videos
    f"{FOLDERS} --expert expert.safetensors": "made, paired: none of its 1 video(s) has a sound track",
    "--generated picture.png --real real.mp4": "picture.png: is a picture",
    "--generated real.mp4 --real picture.png": "the real video: picture.png: is a picture",
    "--generated absent.mp4 --real real.mp4": "absent.mp4: no such file",
    "--generated text.mp4 --real real.mp4": "text.mp4",
    "--generated nothing.mp4 --real real.mp4": "nothing.mp4: the file is empty",
    "--generated blank.mp4 --real real.mp4": "blank.mp4: no face was found",
    "--generated real.mp4 --real blank.mp4": "the real video: blank.mp4: no face was found",
    "--generated long.mp4 --real real.mp4": "has 30 frames",
    "--generated wide.mp4 --real real.mp4": "is 160x96, but real.mp4 is 160x176",
    "--generated real.mp4 --real real.mp4 --face_index 4": "--face_index 4: at most 1 face",
    "--generated made --real real.mp4": "real.mp4: is a file, but the other one is a folder",
    "--generated real.mp4 --real real": "real.mp4: is a file, but the other one is a folder",
    "--generated empty --real real": "empty: holds no video",
    "--generated made --real empty": "empty: holds no video",
    "--generated absent --real real": "absent: no such folder",
    "--generated stranger --real real": "no generated video has the name of a real one",
    "--generated twice --real real": "has the same name as",
    "--generated made made --real real": "made: is given twice",
    # lists and tables
    f"{CHECKPOINT} --pairs absent.txt --data_root real": "absent.txt: no such file (list of pairs, or one of grid",
    f"{CHECKPOINT} --pairs stranger.txt --data_root real": "stranger.txt: none of its 1 pairs is there",
    f"{CHECKPOINT} --pairs pairs.txt --data_root absent": "absent: no such folder",
    f"{CHECKPOINT} --pairs folder --data_root real": "a list needs two clips for unpaired sound",
    f"{CHECKPOINT} --pairs folder --data_root real --protocol paired --limit 0": "--limit 0: must be at least 1",
    "--compare text.json absent.json": "text.json: is not JSON",
    "--compare absent.json text.json": "absent.json: cannot be read",
    "--compare text.json": "argument --compare: expected 2 arguments",
    "--compare text.json text.json --figures pdf": "--compare takes two tables and --out alone",
    "--compare text.json text.json --names a b": "--compare takes two tables and --out alone",
    f"{FOLDERS} --compare text.json text.json": "--compare takes two tables and --out alone",
}


@pytest.mark.parametrize("line", CASES, ids=lambda line: line or "nothing")
def test_bad_input_is_one_line_and_exit_code_2(material, tmp_path, monkeypatch, capsys, line):
    if "--detector" not in line:
        use_drawn_faces(monkeypatch)
    monkeypatch.setitem(sys.modules, "lpips", None)  # as where the package is missing
    monkeypatch.chdir(material)
    before = sorted(material.iterdir())
    words = line.split()
    words += [] if {"--expert", "--syncnet_weights", "--compare"} & set(words) else ["--expert", "none"]
    words += [] if "--out" in words else ["--out", tmp_path / "table"]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and "Traceback" not in error
    assert CASES[line] in error
    assert not list(tmp_path.iterdir()) and sorted(material.iterdir()) == before
