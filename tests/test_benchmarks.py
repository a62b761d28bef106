"""The benchmarks' own arithmetic: they must tell a leak from shared timing, a late mouth from one in time, and count memory."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.held_out import measure
from benchmarks.held_out.__main__ import by_speaker
from benchmarks.held_out.report import BARS, headline, holds, markdown
from benchmarks.material import face_frames, write_lossless_video, write_speech
from benchmarks.peers.wav2lip_checkout import PeerCheckout, find_ffmpeg
from benchmarks.process import measure_process, own_peak_mb
from benchmarks.speed.memory import peak_of
from common.errors import InputError

FRAMES = 75


def clips_with_shared_timing(count, rng):
    """Clips whose mouth openings have one common part, as sentences of one corpus do, and each a part of its own."""
    common = smooth(rng)
    return [made_clip(f"s1/{number}", common + 0.7 * smooth(rng)) for number in range(count)]


def smooth(rng):
    return np.convolve(rng.normal(size=FRAMES + 8), np.hanning(9), "valid")


def made_clip(name, opening, speaker="s1"):
    footage = SimpleNamespace(opening=opening)
    clip = SimpleNamespace(id=name, speaker=speaker, fps=25.0, real=footage, mel=np.zeros((80, 240), np.float32))
    return SizedClip(**vars(clip))


class SizedClip(SimpleNamespace):
    def __len__(self):
        return len(self.real.opening)


def swaps_of(clips, leak, rng):
    pairs = measure.choose_pairs(clips, 3, rng)
    return [
        measure.Swap(target, audio, audio.real.opening + leak * target.real.opening + 0.3 * rng.normal(size=FRAMES))
        for target, audio in pairs
    ]


def test_a_mouth_that_follows_the_sound_alone_passes_though_timing_is_shared():
    rng = np.random.default_rng(0)
    clips = clips_with_shared_timing(12, rng)
    drawn = {clip.id: clip.real.opening for clip in clips}
    figures = measure.summarise_swaps(swaps_of(clips, 0.0, rng), clips, drawn, rng)
    assert figures["follows"]["pooled"] > 0.8
    assert figures["plain"]["pooled"] > 0.3, "plain correlation does mislead here"
    assert abs(figures["partial"]["pooled"]) < 0.1
    assert abs(figures["partial_lags"]["pooled"]) < 0.1
    assert figures["null"]["pooled"]["p5"] - 0.1 < figures["partial"]["pooled"] < figures["null"]["pooled"]["p95"] + 0.1


def test_a_leak_from_the_picture_is_seen():
    rng = np.random.default_rng(1)
    clips = clips_with_shared_timing(12, rng)
    drawn = {clip.id: clip.real.opening for clip in clips}
    figures = measure.summarise_swaps(swaps_of(clips, 0.5, rng), clips, drawn, rng)
    assert figures["partial"]["pooled"] > 0.5 > figures["null"]["pooled"]["p95"]
    assert holds("partial correlation with the target (pooled)", figures["partial"]["pooled"]) is False


def test_swaps_stay_with_one_speaker_and_never_pair_a_clip_with_itself():
    rng = np.random.default_rng(2)
    clips = [made_clip(f"{speaker}/{number}", smooth(rng), speaker) for speaker in ("a", "b") for number in range(3)]
    clips.append(made_clip("c/0", smooth(rng), "c"))
    pairs = measure.choose_pairs(clips, 2, rng)
    assert len(pairs) == 14
    assert all(target.id != audio.id for target, audio in pairs)
    assert all(target.speaker == audio.speaker for target, audio in pairs if target.speaker != "c")


@pytest.mark.parametrize("late", [-3, 0, 2])
def test_lag_is_positive_for_a_late_mouth(late):
    truth = smooth(np.random.default_rng(3))
    made = np.roll(truth, late)
    made[5] = np.nan
    assert measure.best_lag(made, truth) == late
    assert measure.pooled_lag([(made, truth)] * 2) == pytest.approx(late, abs=0.3)


def test_half_a_frame_is_seen_over_many_clips():
    rng = np.random.default_rng(6)
    truths = [smooth(rng) for _ in range(20)]
    assert measure.pooled_lag([((one + np.roll(one, 1)) / 2, one) for one in truths]) == pytest.approx(0.5, abs=0.1)
    assert measure.pooled_lag([(np.ones(FRAMES), truths[0])]) is None


def test_lagged_columns_repeat_the_ends():
    assert measure.with_lags(np.array([1.0, 2.0, 3.0]), 1).tolist() == [[1, 1, 2], [1, 2, 3], [2, 3, 3]]


def test_lag_of_a_still_mouth_is_undefined():
    assert measure.best_lag(np.ones(FRAMES), smooth(np.random.default_rng(4))) is None


def test_rest_is_told_in_units_of_the_real_range():
    clip = made_clip("s1/a", np.linspace(0, 1, FRAMES))

    class Still:
        def drive(self, clip, mel):
            assert mel.shape[0] == 80 and mel.max() < 0, "silence and quiet noise are quiet"
            return SimpleNamespace(opening=np.full(FRAMES, 0.1))

    figures, _ = measure.measure_rest(Still(), clip, np.random.default_rng(5))
    assert figures["silence_level"] == pytest.approx(0, abs=0.01) and figures["silence_spread"] == pytest.approx(0, abs=1e-9)


def test_table_names_every_bar_and_what_misses_it():
    own = [{"correlation": 0.5, "lag": 0, "spread": 1.0, "unsteadiness": 1.0, "ssim_mouth": 0.9, "sharpness": 0.5}]
    own[0] |= {"flicker": 0.5} | {"lmd_raw": 1.0, "lmd_raw_copy": 2.0, "lmd_aligned": 3.0, "lmd_aligned_copy": 2.0}
    rest = [dict.fromkeys(("silence_level", "silence_spread", "noise_level", "noise_spread"), 0.1)]
    figures = headline(own, None, rest)
    protocol = {"split": "test", "clips": 1, "speakers": ["s1"], "checkpoint": "x", "sha256": "0" * 64, "detector": "d"}
    report = {"protocol": protocol, "headline": figures, "speakers": {}, "swaps": None, "detector_losses": {}}
    table = markdown(report)
    assert all(name in table for name in BARS)
    assert "| correlation, own sound (median) | 0.500 | >= 0.75 | no |" in table
    assert "| LMD raw / copy of the reference | 0.500 | < 1.0 | yes |" in table
    assert holds("LMD aligned / copy of the reference", figures["LMD aligned / copy of the reference"]) is False


def test_speakers_have_a_mean_with_its_interval():
    row = {"speaker": "s1", "lmd_raw": 1.0, "lmd_raw_copy": 2.0, "lag": 0}
    rows = [row | {"correlation": value} for value in (0.8, 0.9, None)]
    figures = by_speaker(rows)
    assert figures["s1"]["correlation"]["mean"] == pytest.approx(0.85)
    low, high = figures["s1"]["correlation"]["mean_interval"]
    assert low == pytest.approx(0.8) and high == pytest.approx(0.9), "of two clips it is the range of the two"
    protocol = {"split": "val", "clips": 3, "speakers": ["s1"], "checkpoint": "x", "sha256": "0" * 64, "detector": "d"}
    table = markdown({"protocol": protocol, "headline": {}, "speakers": figures, "swaps": None, "detector_losses": {}})
    assert "| s1 | 3 | 0.850 (0.825 to 0.875) | 0.850 [0.800, 0.900] | 1 (2) | 0 |" in table


def test_peak_memory_is_the_childs():
    wanted = own_peak_mb() + 300  # the child starts with the peak of this process
    peak, _ = peak_of([sys.executable, "-c", f"held = b'x' * {int(wanted * 1e6)}"], None)
    assert wanted < peak < wanted + 100
    with pytest.raises(InputError, match="exit code 3.*broken"):
        peak_of([sys.executable, "-c", "import sys; print('broken', file=sys.stderr); sys.exit(3)"], None)


def test_cpu_time_is_the_childs_and_not_the_wall_clocks():
    busy = measure_process([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass\ntime.sleep(0.5)"])
    assert 0.5 <= busy.cpu_seconds < busy.seconds


def test_a_process_smaller_than_its_parent_is_refused():
    with pytest.raises(InputError, match="larger than the one it measures"):
        peak_of([sys.executable, "-c", "pass"], None)


def test_made_material_is_what_it_says(tmp_path):
    from media import VideoReader
    from speech.waveform import load_waveform

    path = write_lossless_video(tmp_path / "a.mkv", 3)
    with VideoReader(path) as reader:
        assert np.array_equal(np.stack(list(reader)), np.stack(list(face_frames(3))))
    assert len(load_waveform(write_speech(tmp_path / "a.wav", 7.5))) == 120000


def test_what_is_no_wav2lip_checkout_is_refused(tmp_path):
    with pytest.raises(InputError, match="inference.py.*Rudrabha"):
        PeerCheckout(tmp_path, tmp_path / "copy")
    with pytest.raises(InputError, match="cannot be run"):
        find_ffmpeg(tmp_path / "ffmpeg")
