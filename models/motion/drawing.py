"""PC-AVS in training: faces of some frames of a window, and those that CRA draws from other codes (inferred)."""

import torch

from models.davs.frames import each_frame
from models.motion.action import mixed_in_time, partners
from models.motion.stages import draws_more
from models.motion.use import as_in_use


def drawn_faces(network, portraits, given):
    """Faces of K frames of the window, by sound and by video, and those from crossed or mixed codes.

    All codes pass through the generator at once.

    Args:
        network: PcAvs at the stage "generate".
        portraits: (B, 3, S, S) float in [0, 1] RGB.
        given: outputs of the window's frames, see PcAvs.forward.

    Returns:
        dict of outputs, see PcAvs.forward.

    Raises:
        ValueError: a window with too few frames.
    """
    frames, wanted, device = given["pose_codes"].shape[1], network.drawn_frames, portraits.device
    if frames < wanted:
        raise ValueError(f"a window of {frames} frames is too short for {wanted} drawn frames")
    spare = frames - wanted
    start = torch.randint(spare + 1, (), device=device) if network.training else torch.full((), spare // 2, device=device)
    rows = start + torch.arange(wanted, device=device)
    identity = network.identify(portraits)
    audio = network.mouth_code(given["audio_mouth"].index_select(1, rows))
    video, pose = (given[name].index_select(1, rows) for name in ("mouth_codes", "pose_codes"))
    mouths, poses, more = [audio, video], [pose, pose], {}
    if draws_more(network):
        more = _wanted(network, given, rows)
        mouths, poses = [*mouths, more["wanted_mouth"]], [*poses, more["wanted_pose"]]
    mouths, poses = torch.stack([one.float() for one in mouths]), torch.stack([one.float() for one in poses])
    every = identity.each(lambda one: one[None, :, None].expand(*poses.shape[:3], *one.shape[1:]).flatten(0, 2))
    faces = network.draw(every, mouths.flatten(0, 2), poses.flatten(0, 2)).unflatten(0, poses.shape[:3])
    codes = identity.code[:, None]
    made = {"identity_codes": codes, **network.tell_people(codes), "audio_face": faces[0], "video_face": faces[1]}
    made["drawn"] = rows
    if network.mover is not None:
        made |= moves_of(network, identity.codes, given)
    if more:
        with as_in_use(network.non_identity_encoder):
            features = each_frame(network.watch, faces[2])
            again = {"crossed_mouth": network.mouth_code(network.mouth(features)), "crossed_pose": network.pose(features)}
        made |= {"crossed_face": faces[2], **again, **more}
    return made


def moves_of(network, own, given):
    """How the portraits' landmarks move for the codes of all frames of the windows, by sound and by video.

    Args:
        network: PcAvs with `moves_portrait`; own: (B, M) float codes of the portraits; given: outputs of the frames.
    """
    pose = given["pose_codes"]
    own, found = own[:, None].expand(-1, pose.shape[1], -1), {}
    for name, mouth in (("audio_moves", network.mouth_code(given["audio_mouth"])), ("video_moves", given["mouth_codes"])):
        found[name] = network.mover(own, torch.cat([mouth.float(), pose.float()], 2))
    return found


def _wanted(network, given, rows):
    """The codes of K frames from which more faces are drawn, without gradient."""
    wanted = {}
    for name, source in (("wanted_mouth", "mouth_codes"), ("wanted_pose", "pose_codes")):
        codes = given[source].detach()
        if network.mixed:
            wanted[name] = mixed_in_time(codes, rows, network.training, pose=name == "wanted_pose")
        else:
            wanted[name] = codes.index_select(1, rows)
    if network.crossed != "none":
        mouth = wanted["wanted_mouth"]
        clips = partners(len(mouth), len(rows), network.crossed, network.training, rows.device)
        wanted["wanted_mouth"] = mouth[clips, torch.arange(len(rows), device=rows.device)]
    return wanted
