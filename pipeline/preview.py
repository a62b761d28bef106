"""One picture that shows, before minutes are spent, where the face is cut out and which part is drawn anew."""

import numpy as np

from common.errors import InputError
from common.files import atomic_output
from faces.detectors import build_detector
from faces.paste import effective
from media.notes import say_notes
from pipeline.plan import make_scene
from pipeline.playback.source import FaceSource
from pipeline.references.choice import choose_reference
from pipeline.tracking import prepare

LOOK_AT = (50, 500, None)  # frames that are searched for the face, first few, then more
CROP_LINE, OTHER_LINE, POINTS = (0, 255, 0), (255, 190, 0), (0, 220, 255)
TINT, TINT_SHARE = (255, 0, 160), 0.45
PANEL_MIN = 160


def write_preview(face, outfile, driver, face_options, options, *, store):
    """Draw crop, mask, landmarks and all faces with their numbers into a frame of `face`, and write it as PNG.

    The frame is the best reference among the first ones with a face. Beside it: the crop, what the model sees of it, and the
    weights with which the drawn face is laid over the frame.

    Args:
        face, outfile: absolute paths.
        driver: pipeline.drivers.Driver.
        face_options, options: FaceOptions, DriveOptions.
        store: TrackStore.

    Returns:
        str, one line on what is to be seen.

    Raises:
        InputError: the face cannot be read, or has no face.
    """
    source = FaceSource(face, face_options)
    say_notes(source.info)
    index, scene = _place(source, driver, face_options, options, store)
    crop, landmarks = scene.crops[index], None if scene.track is None else scene.track.landmarks[index]
    frame = next(source.frames(index, index + 1))
    weights = np.ones((scene.size,) * 2, np.float32)
    if driver.pastes is not None:
        weights = effective(driver.shown_mask(scene, index, crop.extract(frame)), options.paste or "feather")
    drawn = _draw_frame(
        frame, crop, weights, landmarks, [] if options.box else _faces(frame, face_options, str(driver.device))
    )
    picture = np.concatenate([drawn, _panel(crop.extract(frame), driver, weights, len(drawn))], axis=1)
    _write_png(picture, outfile)
    corners = crop.corners()
    size = np.linalg.norm(corners[1] - corners[0])
    scale = f"{size:.0f} pixels wide, {scene.size} for the model"
    return f"{outfile}: frame {index} with the crop (green; {scale}) and the part that is drawn anew (pink)"


def _place(source, driver, face_options, options, store):
    """(number of the frame, Scene)."""
    if options.box:
        return 0, make_scene(source, None, 1, driver, options)
    for frames in LOOK_AT:
        try:
            track = prepare(source, face_options, store=store, frames=frames, device=str(driver.device))
            scene = make_scene(source, track, len(track), driver, options)
            return choose_reference(scene.track), scene
        except InputError:
            if frames is None:
                raise
    raise AssertionError("the last try ends the search")


def _faces(frame, options, device):
    detector = build_detector(options.detector, device=device, weights=options.detector_weights)
    try:
        return sorted(detector.detect(frame), key=lambda face: float(face.centre[0]))
    finally:
        detector.close()


def _draw_frame(frame, crop, weights, landmarks, faces):
    """Copy of the frame with everything drawn in."""
    import cv2

    tint = np.broadcast_to(np.array(TINT, np.uint8), (*weights.shape, 3)).copy()
    out = crop.paste(frame, tint, weights * TINT_SHARE)
    line = max(1, round(min(frame.shape[:2]) / 300))
    for number, face in enumerate(faces):
        left, top, right, bottom = (int(value) for value in face.box)
        cv2.rectangle(out, (left, top), (right, bottom), OTHER_LINE, line)
        cv2.putText(
            out, str(number), (left, max(12, top - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.5 * line, OTHER_LINE, line, cv2.LINE_AA
        )
    corners = np.rint(crop.corners()).astype(np.int32)
    cv2.polylines(out, [corners], True, CROP_LINE, line, cv2.LINE_AA)
    for x, y in [] if landmarks is None else landmarks:
        cv2.circle(out, (int(round(x)), int(round(y))), line, POINTS, -1, cv2.LINE_AA)
    return out


def _panel(crop, driver, weights, height):
    """(height, W, 3) uint8: crop, what the network sees of it, weights, below each other."""
    import cv2

    grey = np.repeat(np.rint(weights * 255).astype(np.uint8)[..., None], 3, axis=2)
    side = max(PANEL_MIN // 3, height // 3)
    column = np.concatenate([cv2.resize(part, (side, side)) for part in (crop, driver.sees(crop), grey)])
    panel = np.zeros((height, side, 3), np.uint8)
    rows = min(height, len(column))
    panel[:rows] = column[:rows]
    return panel


def _write_png(picture, outfile):
    import cv2

    whole, data = cv2.imencode(".png", picture[..., ::-1])
    if not whole:
        raise InputError(f"{outfile}: the picture could not be encoded")
    with atomic_output(outfile) as temporary:
        temporary.write_bytes(data.tobytes())
