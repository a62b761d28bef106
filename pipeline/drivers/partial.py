"""Draw only the rows of a face that are pasted: the decoder's large maps are cut above what the mouth depends on.

The rows that are drawn are those of the whole network, up to rounding; at 96 pixels this leaves out about a third of the work.
"""

import torch


def rows_needed(blocks, row):
    """First row that each decoder block must give for the face to be right from `row` on.

    Going back from the face: the 3x3 output layer looks one row up, each residual 3x3 block one more, and a transposed 3x3
    convolution of stride 2 makes row o from rows o // 2 and up.

    Args:
        blocks: `Wav2Lip.face_decoder_blocks`.
        row: first row wanted of the face.

    Returns:
        list of int, one for each block, in units of its own output rows; 0 means all of it.
    """
    first = [0] * len(blocks)
    needed = row - 1
    for at in reversed(range(2, len(blocks))):  # the first two blocks make the smallest map
        first[at] = max(0, needed)
        needed = (first[at] - (len(blocks[at]) - 1)) // 2
        needed -= needed % 2  # maps then keep a height that is a multiple of 4, as models.winograd likes it
    first[1] = max(0, needed)
    return first


def decode_from(model, audio, maps, row):
    """`Wav2Lip.decode` for the rows from `row` on.

    Args:
        model: Wav2Lip, fused or not.
        audio: (N, C, 1, 1) from `encode_audio`.
        maps: from `encode_face`, of N faces or of one.
        row: first row wanted, 0 for all.

    Returns:
        (N, 3, S - row, S) float in [0, 1].
    """
    if row <= 1:
        return model.decode(audio, maps)[:, :, row:]
    blocks = model.face_decoder_blocks
    first = rows_needed(blocks, row)
    x, above = audio, 0  # `above`: rows that are missing at the top of x
    for block, start, skip in zip(blocks, first, reversed(maps), strict=True):
        x = block(x)
        above *= 2
        x = torch.cat((x[:, :, start - above :], skip[:, :, start:].expand(x.shape[0], -1, -1, -1)), dim=1)
        above = start
    return model.output_block(x)[:, :, row - above :]
