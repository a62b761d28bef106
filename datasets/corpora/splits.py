"""Which clips are for training, and which speakers are held out whole."""

import sys

from common.errors import InputError
from common.files import text_share

# GRID is s1 to s34 without s21. Chen et al. (arXiv 2110.09951) train on 27 speakers, test on 6, and name none. The test list of
# their later code has one clip of a folder "28": s28 by name, s5 by that code's script, which counts folders. OURS: the even
# numbers from 22 to 32, women s22 and s24, men s26, s28, s30 and s32. They hold s28 and the three speakers that this project's
# training commands leave out (s22, s26, s32).
GRID_TEST_SPEAKERS = ("s22", "s24", "s26", "s28", "s30", "s32")
# TCD-TIMIT's 59 volunteers are 01M to 59F, numbers without gap, M or F for the sex. Chen et al. split them 49 to 10 without
# naming them. OURS: the ten highest numbers. The corpus comes with other splits; name their speakers to use them.
TCD_TIMIT_TEST_NUMBERS = tuple(f"{i}" for i in range(50, 60))
# Each number is one person, so of its two names only one is there; both stand here, lest the split depend on who is unpacked.
UNSEEN = {
    "grid": GRID_TEST_SPEAKERS,
    "tcd_timit": tuple(f"{number}{sex}" for number in TCD_TIMIT_TEST_NUMBERS for sex in "FM"),
}
PUBLISHED = ("published", "default")


SPLITS = ("train", "val", "test", "unseen")


def assign_split(clip_id, speaker, *, unseen_speakers=(), val_speakers=(), val_share=0.05, test_share=0.05, seed=0):
    """Split of a clip by a hash of its id: the same on every machine and for every subset of the corpus.

    Args:
        seed: another one places other clips in validation and testing.

    Returns:
        "unseen" for speakers held out whole, "val" for speakers to choose on, else "test", "val" or "train".
    """
    if speaker in unseen_speakers:
        return "unseen"
    if speaker in val_speakers:
        return "val"
    place = _place(clip_id, seed)
    if place < test_share:
        return "test"
    return "val" if place < test_share + val_share else "train"


def validation_from_training(clip_ids, share, seed=0):
    """Clips that go from training to validation where the hash of `assign_split` gave validation none, as in small corpora.

    Args:
        clip_ids: of the training clips.
        share: of them for validation; seed: see `assign_split`.

    Returns:
        Set of ids: that share of them, at least one, never all. Empty where the share is 0, or there are fewer than two clips.
    """
    if share <= 0 or len(clip_ids) < 2:
        return set()
    count = min(max(1, round(share * len(clip_ids))), len(clip_ids) - 1)
    return set(sorted(clip_ids, key=lambda clip_id: (_place(clip_id, seed), clip_id))[:count])


def _place(clip_id, seed):
    return text_share(f"{seed}/{clip_id}" if seed else clip_id)


def unseen_speakers(corpus, given, clips):
    """Speakers to hold out whole, for `assign_split`, from what the user says.

    Args:
        corpus: one of CORPORA.
        given: "published" (or "default") for the speakers of UNSEEN, which are six of GRID's 33 and ten of TCD-TIMIT's 59
            volunteers; or names, as a str with commas or as a list; "" or an empty list for none.
        clips: all ClipSources of the corpus, before a limit cuts them.

    Returns:
        Sorted tuple of str. For "published" it is the same whichever of the speakers are there, so that a corpus may grow.

    Raises:
        InputError: no split is published for this corpus, or none of its speakers is there; no name is a speaker of the clips,
            or one is whose clips the corpus itself puts into a split. Some names that are no speakers are told as a warning: a
            prepared folder may hold two corpora.
    """
    names, present = _names(given), {clip.speaker for clip in clips}
    if len(names) == 1 and names[0] in PUBLISHED and names[0] not in present:
        return _published(corpus, names[0], present)
    return held_out_names(names, clips, "--unseen_speakers", corpus)


def held_out_names(given, clips, flag, corpus):
    """Speakers that the user names, made sure of.

    Args:
        given: names, as a str with commas or as a list; "" or an empty list for none.
        clips: all ClipSources of the corpus, before a limit cuts them.
        flag: of the command line; corpus: one of CORPORA; both for messages.

    Returns:
        Sorted tuple of str.

    Raises:
        InputError: see `unseen_speakers`.
    """
    names, present = _names(given), {clip.speaker for clip in clips}
    if not names:
        return ()
    placed = sorted({clip.speaker for clip in clips if clip.split is not None and clip.speaker in names})
    if placed or all(clip.split is not None for clip in clips):
        raise InputError(f"{flag}: {corpus} itself says which clips are for training and which for testing, those of "
                         f"{_shown(placed or names)} too; leave {flag} out")  # fmt: skip
    absent = [name for name in names if name not in present]
    if absent:
        told = f"{flag}: no clip of {', '.join(absent)} in this {corpus} corpus; its speakers are " \
               f"{_shown(present)}{_hint(corpus)}"
        if len(absent) == len(names):
            raise InputError(told)
        print(f"warning: {told}", file=sys.stderr)
    return tuple(sorted(set(names)))


def _names(given):
    names = [name.strip() for name in (given.split(",") if isinstance(given, str) else given or ())]
    return [name for name in names if name]


def _published(corpus, word, present):
    if corpus not in UNSEEN:
        raise InputError(f"--unseen_speakers {word}: no speakers are published for {corpus}, only for {', '.join(UNSEEN)}; "
                         "name the speakers to hold out")  # fmt: skip
    if not present & set(UNSEEN[corpus]):
        raise InputError(f"--unseen_speakers {word}: this {corpus} corpus holds none of {', '.join(UNSEEN[corpus])}; its "
                         f"speakers are {_shown(present)}; name the speakers to hold out")  # fmt: skip
    return tuple(sorted(UNSEEN[corpus]))


def _shown(speakers, limit=40):
    names = sorted(speakers)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _hint(corpus):
    return f"; {PUBLISHED[0]} stands for {', '.join(UNSEEN[corpus])}" if corpus in UNSEEN else ""
