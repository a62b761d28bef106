"""PC-AVS: what each stage has, reads and gives."""

STAGES = ("landmarks", "identity", "speech", "pose", "generate")
_LANDMARKS = ("conv1", "bn1", "conv2", "conv3", "conv4", "m0", "top_m_0", "conv_last0", "bn_end0", "l0")
_PARTS = {  # part -> names of its modules, those that a stage has
    "landmarks": tuple(f"non_identity_encoder.model.{name}" for name in _LANDMARKS),
    "trunk": tuple(f"non_identity_encoder.model.{name}" for name in (*_LANDMARKS, "bn5", "conv6", "fc")),
    "mouth": ("non_identity_encoder.to_mouth",),
    "mouth_code": ("non_identity_encoder.mouth_embed", "non_identity_encoder.mouth_norm",
                   "non_identity_encoder.sound_norm"),
    "pose": tuple(f"non_identity_encoder.{name}" for name in ("pose_reading", "to_headpose", "headpose_embed", "pose_norm")),
    "pose_reader": ("non_identity_encoder.headpose_fc",),
    "audio_encoder": ("audio_encoder",),
    "identity_encoder": ("identity_encoder.model", "identity_encoder.fc"),
    "identity_maps": ("identity_encoder.conv1x1",),
    "generator": ("generator",),
    "pose_action": ("pose_action",),
    "lip_reader": ("lip_reader",),
    "mover": ("mover",),
}
_NON_IDENTITY = ("trunk", "mouth", "mouth_code", "pose", "pose_reader")


def parts_of(network):
    """dict of part -> names of its modules, those that the network has; see models.network.Network.parts."""
    there = dict(network.named_modules())
    own = {name: tuple(one for one in modules if one in there) for name, modules in _PARTS.items()}
    parts = {name: modules for name, modules in own.items() if modules}
    if network.stage == "landmarks":
        del parts["trunk"]
    if network.non_identity_encoder is not None:
        parts["non_identity_encoder"] = tuple(one for name in _NON_IDENTITY for one in own[name])
    return parts


def reads_people(network):
    """Whether there is a reader of people in pose codes."""
    return network.stage == "generate" and network.non_identity_encoder.headpose_fc is not None


def draws_more(network):
    """Whether faces are also drawn from crossed or mixed codes."""
    return network.stage == "generate" and (network.crossed != "none" or network.mixed)


def fields_of(network):
    """Names of the fields that the stage reads."""
    if network.stage in ("landmarks", "identity"):
        return ("face",)
    more = ("identity_face",) if network.stage in ("pose", "generate") else ()
    return ("augmented", "log_mel", *more, *(("second_view", "view_change") if network.pose_action is not None else ()))


def outputs_of(network):
    """Names of what the stage gives."""
    if network.stage == "landmarks":
        return ("heatmaps", "heard")
    people = ("identity_people",) if network.people else ()
    if network.stage == "identity":
        return ("identity_codes", *people)
    given = ("video_mouth", "audio_mouth")
    given += ("video_lips", "audio_lips") if network.lip_reader is not None else ()
    given += ("mouth_codes", "pose_codes") if network.stage in ("pose", "generate") else ()
    given += ("audio_moves", "video_moves") if network.mover is not None else ()
    if network.stage == "generate":
        given += ("identity_codes", *people, "audio_face", "video_face", "drawn")
    given += ("pose_people", "pose_reader") if reads_people(network) else ()
    given += ("crossed_face", "crossed_mouth", "crossed_pose", "wanted_mouth", "wanted_pose") if draws_more(network) else ()
    return given + (("view_mouth", "view_pose", "expected_mouth", "expected_pose") if network.pose_action is not None else ())
