"""Learn the letter-to-sound model of speech/text/letters.py from the pronouncing dictionary in PocketSphinx's wheel.

    python tools/learn_letters.py                 # writes speech/text/letters.npz; the same bytes each time
    python tools/learn_letters.py --measure       # learns from 95 % of the words and measures on the others

Letters and phones are aligned by expectation maximisation: each letter stands for no, one or two phones. An n-gram with
interpolated modified Kneser-Ney discounts is counted over letters with their phones, and n-grams that say little more than
shorter ones are pruned.
"""

import argparse
import random
import re
import sys
from collections import Counter, defaultdict
from math import log
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.files import atomic_output  # noqa: E402
from speech.text.g2p import Pronouncer  # noqa: E402
from speech.text.letters import END, MODEL, START, STEP, LetterModel  # noqa: E402

ORDER = 7
PRUNE = 4.0  # nats: what an n-gram must gain over the whole dictionary to stay
ROUNDS = 10
HELD_OUT = 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--measure", action="store_true", help="learn from 95 %% of the words, measure on 5 %%, write to --out")
    parser.add_argument("--order", type=int, default=ORDER)
    parser.add_argument("--prune", type=float, default=PRUNE)
    options = parser.parse_args()
    dictionary = read_dictionary()
    held_out = {}
    if options.measure:
        words = sorted(dictionary)
        random.Random(0).shuffle(words)
        held_out = {word: dictionary.pop(word) for word in words[: round(HELD_OUT * len(words))]}
    aligned = align_letters([(word, phones) for word in sorted(dictionary) for phones in dictionary[word]])
    table = prune(*smooth(count(aligned, options.order)), options.prune)
    save(options.out, *table)
    print(f"{options.out}: {sum(map(len, table[0]))} n-grams, {options.out.stat().st_size} bytes")
    if options.measure:
        model = LetterModel(options.out)
        pronouncer = Pronouncer(lambda word: dictionary.get(word, [None])[0], options.out)
        report("letter-to-sound model alone", lambda word: [model.phones(word)], held_out)
        report("first guess", lambda word: [pronouncer.guess(word)], held_out)
        report("nearest of all guesses", pronouncer.guesses, held_out)


def read_dictionary():
    """{word: list of tuples of phones} of the wheel's dictionary; words of a-z and apostrophes only."""
    from pocketsphinx import get_model_path

    dictionary = defaultdict(list)
    for line in Path(get_model_path(), "en-us", "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        word = re.sub(r"\(\d+\)$", "", word)
        if re.fullmatch(r"[a-z']*[a-z][a-z']*", word) and len(phones) <= 2 * len(word):
            dictionary[word].append(tuple(phones))
    return dict(dictionary)


def align_letters(pairs):
    """Most probable split of each word's phones among its letters.

    Args:
        pairs: list of (word, tuple of phones).

    Returns:
        list of lists of (letter, tuple of none, one or two phones).
    """
    names = [""] + sorted({phone for _, phones in pairs for phone in phones})
    number = {name: at for at, name in enumerate(names)}
    groups = defaultdict(list)
    for word, phones in pairs:
        groups[len(word), len(phones)].append(([ord(letter) - 96 if letter != "'" else 0 for letter in word],
                                               [number[phone] for phone in phones]))  # fmt: skip
    groups = [tuple(map(np.array, zip(*groups[shape], strict=True))) for shape in sorted(groups)]
    table = np.full((27, len(names) ** 2), 1e-3)
    for _ in range(ROUNDS):
        counts = np.zeros_like(table)
        for letters, phones in groups:
            _expect(letters, _codes(phones, len(names)), table, counts)
        counts[counts < 1e-2] = 0
        table = counts / np.maximum(counts.sum(1, keepdims=True), 1e-9)
    return [path for letters, phones in groups for path in _best(letters, phones, names, table)]


def _codes(phones, size):
    """Codes of the none, one or two phones from each place on: three arrays (words, places + 1)."""
    none = np.zeros((len(phones), phones.shape[1] + 1), int)
    one, two = none.copy(), none.copy()
    one[:, :-1] = phones
    two[:, :-2] = phones[:, :-1] * size + phones[:, 1:]
    return none, one, two


def _expect(letters, codes, table, counts):
    """Add the expected counts of one group of words of the same lengths (forward-backward)."""
    words, length = letters.shape
    places = codes[0].shape[1]
    emit = [[table[letters[:, at, None], code] for code in codes] for at in range(length)]
    ahead, behind = np.zeros((2, length + 1, words, places))
    ahead[0, :, 0] = behind[length, :, -1] = 1
    for at in range(length):
        for took in range(min(3, places)):
            ahead[at + 1, :, took:] += ahead[at, :, : places - took] * emit[at][took][:, : places - took]
    for at in reversed(range(length)):
        for took in range(min(3, places)):
            behind[at, :, : places - took] += behind[at + 1, :, took:] * emit[at][took][:, : places - took]
    whole = ahead[length, :, -1]
    share = np.divide(1, whole, out=np.zeros(words), where=whole > 0)[:, None]
    for at in range(length):
        for took in range(min(3, places)):
            upto = places - took
            part = ahead[at, :, :upto] * emit[at][took][:, :upto] * behind[at + 1, :, took:] * share
            np.add.at(counts, (np.broadcast_to(letters[:, at, None], part.shape), codes[took][:, :upto]), part)


def _best(letters, phones, names, table):
    """Viterbi over one group: yields lists of (letter, phones); words that the table leaves no way for are passed over."""
    words, length = letters.shape
    codes, places = _codes(phones, len(names)), phones.shape[1] + 1
    with np.errstate(divide="ignore"):
        logs = np.log(table)
    score = np.full((words, places), -np.inf)
    score[:, 0] = 0
    took_at = np.zeros((length, words, places), int)
    for at in range(length):
        after = np.full_like(score, -np.inf)
        for took in range(min(3, places)):
            value = score[:, : places - took] + logs[letters[:, at, None], codes[took][:, : places - took]]
            better = value > after[:, took:]
            after[:, took:][better] = value[better]
            took_at[at, :, took:][better] = took
        score = after
    for word in np.flatnonzero(score[:, -1] > -np.inf):
        place, path = places - 1, []
        for at in reversed(range(length)):
            took = took_at[at, word, place]
            letter = chr(letters[word, at] + 96) if letters[word, at] else "'"
            path.append((letter, tuple(names[phone] for phone in phones[word, place - took : place])))
            place -= took
        yield path[::-1]


def count(aligned, order):
    """Times that each n-gram occurs: list of Counter, from unigrams on; n-grams are tuples of units as text."""
    counts = [Counter() for _ in range(order)]
    for path in aligned:
        units = [f"{START}}}", *(f"{letter}}}{' '.join(phones)}" for letter, phones in path), f"{END}}}"]
        for end in range(1, len(units)):
            for size in range(1, min(order, end + 1) + 1):
                counts[size - 1][tuple(units[end - size + 1 : end + 1])] += 1
    return counts


def smooth(counts):
    """Interpolated modified Kneser-Ney.

    Returns:
        (counts, probability of each n-gram (list of dict), weight of the shorter history for each history (list of dict)).
    """
    kinds = [Counter() for _ in counts[:-1]] + [counts[-1]]
    for size, table in enumerate(counts[:-1]):
        for gram in counts[size + 1]:
            kinds[size][gram[1:]] += 1
        for gram, times in table.items():
            if gram[0] == f"{START}}}":  # nothing stands before the start
                kinds[size][gram] = times
    total = sum(kinds[0].values())
    chances, weights = [{gram: times / total for gram, times in kinds[0].items()}], [{}]
    for table, shorter in zip(kinds[1:], range(len(kinds)), strict=False):
        discount = _discounts(table)
        whole, freed = Counter(), Counter()
        for gram, times in table.items():
            whole[gram[:-1]] += times
            freed[gram[:-1]] += discount[min(times, 3)]
        weight = {history: freed[history] / whole[history] for history in whole}
        below = chances[shorter]
        chances.append({
            gram: (times - discount[min(times, 3)]) / whole[gram[:-1]] + weight[gram[:-1]] * below[gram[1:]]
            for gram, times in table.items()
        })  # fmt: skip
        weights.append(weight)
    return counts, chances, weights


def _discounts(table):
    ones, twos, threes, fours = (sum(times == rare for times in table.values()) or 1 for rare in (1, 2, 3, 4))
    y = ones / (ones + 2 * twos)
    return 0, 1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes


def prune(counts, chances, weights, least):
    """Drop n-grams that gain less than `least` nats over the dictionary, and make the back-off weights fit what is left.

    Returns:
        (list of {n-gram: probability}, {history: back-off weight}).
    """
    kept, needed = [], set()
    for size in range(len(chances) - 1, 0, -1):
        stay = {}
        for gram, chance in chances[size].items():
            gain = counts[size][gram] * log(chance / (weights[size][gram[:-1]] * chances[size - 1][gram[1:]]))
            if gain > least or gram in needed:
                stay[gram] = chance
        needed = {gram[:-1] for gram in stay}
        kept.insert(0, stay)
    kept.insert(0, chances[0] | {(f"{START}}}",): 1e-6})
    backoff = {}

    def chance_of(gram):
        found = kept[len(gram) - 1].get(gram)
        return backoff.get(gram[:-1], 1.0) * chance_of(gram[1:]) if found is None else found

    for table in kept[1:]:
        used, below = Counter(), Counter()
        for gram, chance in table.items():
            used[gram[:-1]] += chance
            below[gram[:-1]] += chance_of(gram[1:])
        backoff |= {history: max(1 - used[history], 1e-4) / max(1 - below[history], 1e-4) for history in used}
    return kept, backoff


def save(path, kept, backoff):
    """Write the trie breadth first, see `speech.text.letters.LetterModel`."""
    units = sorted(gram[0] for gram in kept[0])
    place = {unit: at for at, unit in enumerate(units)}
    unit, children, cost, weight = [], [], [], []
    for size, table in enumerate(kept):
        following = Counter(gram[:-1] for gram in kept[size + 1]) if size + 1 < len(kept) else {}
        for gram in sorted(table, key=lambda gram: [place[one] for one in gram]):
            unit.append(place[gram[-1]])
            children.append(following.get(gram, 0))
            cost.append(min(255, round(-log(table[gram]) / STEP)))
            weight.append(max(-128, min(127, round(log(backoff.get(gram, 1.0)) / STEP))))
    with atomic_output(path) as temporary:
        np.savez_compressed(temporary, units=np.array(units), unit=np.array(unit, np.uint16), cost=np.array(cost, np.uint8),
                            children=np.array(children, np.uint16), backoff=np.array(weight, np.int8))  # fmt: skip


def report(name, guesses, held_out):
    """Print phone error rate and the share of words that are right, of the guess nearest to a word's nearest pronunciation."""
    wrong = whole = right = 0
    for word, pronunciations in held_out.items():
        near = [(_distance(guess, phones), len(phones)) for guess in guesses(word) for phones in pronunciations]
        distance, length = min(near)
        wrong, whole, right = wrong + distance, whole + length, right + (distance == 0)
    print(f"{name}: phone error rate {wrong / whole:.4f}, words right {right / len(held_out):.4f} of {len(held_out)}")


def _distance(one, other):
    row = list(range(len(other) + 1))
    for at, first in enumerate(one, 1):
        before, row[0] = row[0], at
        for column, second in enumerate(other, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (first != second))
    return row[-1]


if __name__ == "__main__":
    main()
