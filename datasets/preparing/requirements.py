"""What a clip must have to be kept. A reason is worded alike for all clips, but for its numbers, so that it can be counted."""

import numpy as np

from common.errors import InputError

MIN_FACE_SHARE = 0.9  # of the frames
MIN_FACE = 40  # pixels of the source, from the brows to the chin; at half of that a crop of 96 pixels is mostly made up
MIN_SECONDS = 0.5
SILENT_LEVEL = 1e-3  # of full scale, -60 dB: a sound track that never rises above it holds no speech


def check_faces(track, min_face, path):
    """InputError when a FaceTrack shows no face, a face too seldom, or one that is mostly lower than `min_face`."""
    share = float(track.present.mean())
    if share == 0:
        raise InputError(f"{path}: no face in any frame")
    if share < MIN_FACE_SHARE:
        raise InputError(f"{path}: a face in {share:.0%} of the frames only, {MIN_FACE_SHARE:.0%} are needed")
    height = face_height(track.landmarks[track.present])
    if height < min_face:
        raise InputError(f"{path}: the face is {height:.0f} pixels high, {min_face} are needed (--min_face)")


def check_uncovered(run, whole, covered, fps, path):
    """InputError when a run of frames is too short because of `covered` ones, and not because of gaps or cuts.

    Args:
        run: (start, end) of the longest run that shows the mouth; whole: of the longest one where covered frames count, too.
        covered: number of covered frames in the clip; fps, path: of the clip.
    """
    least = int(fps * MIN_SECONDS)
    if run[1] - run[0] < least <= whole[1] - whole[0]:
        raise InputError(f"{path}: the mouth is covered in {covered} frames, and fewer than {least} in a row show it")


def face_height(landmarks):
    """Median height of a face, brows to chin, in pixels of landmarks (N, 68, 2); of a face that lies on its side, its width."""
    return float(np.median(np.ptp(landmarks[:, :, 1], axis=1)))


def check_length(frames, fps, path):
    """InputError when fewer than half a second of frames have both face and sound."""
    least = int(fps * MIN_SECONDS)
    if frames < least:
        raise InputError(f"{path}: fewer than {least} frames with both face and sound")


def check_sound(waveform, path):
    """InputError when a waveform, (n,) float32 in [-1, 1], is silent."""
    if np.abs(waveform).max(initial=0.0) < SILENT_LEVEL:
        raise InputError(f"{path}: the sound is silent")
