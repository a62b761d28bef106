"""Wav2Lip's way to load a training item, for loader_speed; written anew from a description of it.

A clip is a folder of one JPEG for each face crop and a wav. For each item the whole wav is read and its whole mel spectrogram
computed; ten JPEGs, of the window and of a window from elsewhere in the clip, are read and resized to 96 pixels; they are
divided by 255 in float64, the lower half of the first five set to 0; and the mel windows are cut out. What the published loader
does besides - listing the folder, trying again where a window does not fit - is left out.
"""

from pathlib import Path

import numpy as np

from datasets.clip_files import clip_path, open_clip

FRAMES, SIDE = 5, 96
FPS, MEL_RATE, MEL_STEPS, RATE = 25, 80, 16, 16000


def export_clips(corpus, folder, side):
    """Write the prepared clips as the recipe wants them.

    Args:
        corpus: datasets.prepared.PreparedCorpus; folder: where to; side: pixels of the JPEGs, to which the crops are enlarged.

    Returns:
        list of (folder of the clip, its number of frames).
    """
    import cv2
    import soundfile

    made = []
    for row in corpus.rows:
        arrays, place = open_clip(clip_path(corpus.folder, row.id)), Path(folder) / row.id
        place.mkdir(parents=True)
        for number, face in enumerate(arrays["face"]):
            crop = cv2.resize(np.asarray(face)[..., ::-1], (side, side), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(place / f"{number}.jpg"), crop)
        soundfile.write(place / "audio.wav", np.asarray(arrays["waveform"]), RATE, subtype="PCM_16")
        made.append((place, row.frames))
    return made


class Recipe:
    """Map-style dataset; an item is a function of its index.

    Args:
        clips: from `export_clips`.
        our_mel: the mel spectrogram by `speech.mel` in place of librosa.
    """

    def __init__(self, clips, our_mel=False):
        self.clips, self._bank = clips, None
        self._mel = self._mel_ours if our_mel else self._mel_librosa

    def __getitem__(self, index):
        """(x (6, 5, 96, 96), mel windows (5, 1, 80, 16), expert's mel (1, 80, 16), y (3, 5, 96, 96)), float32 tensors."""
        clip, start, wrong = self._draw(index)
        mel = self._mel(self._wav(clip))
        return self._arrays(self._pictures(clip, start), self._pictures(clip, wrong), mel, start)

    def parts(self):
        """dict of name -> loader of one part of `count` items, to be timed by itself."""
        import torch

        blank, silence = [np.zeros((SIDE, SIDE, 3), np.uint8)] * FRAMES, np.zeros((80, 241), np.float32)

        def each(work):
            return lambda first, count: [work(*self._draw(index)) for index in range(first, first + count)]

        return {
            "... of it: reading the wav": each(lambda clip, _start, _wrong: self._wav(clip)),
            "... its mel by librosa, wav included": each(lambda clip, _start, _wrong: self._mel_librosa(self._wav(clip))),
            "... ten JPEGs, read and resized": each(lambda clip, *starts: [self._pictures(clip, start) for start in starts]),
            "... arrays and collating": lambda first, count: torch.utils.data.default_collate(
                [self._arrays(blank, blank, silence, 3) for _ in range(count)]
            ),
        }

    def _draw(self, index):
        """(clip's folder, first frame of the window, first frame of the wrong window); room for the mel of the first frames."""
        rng = np.random.default_rng(index)
        clip, frames = self.clips[int(rng.integers(len(self.clips)))]
        start, wrong = rng.choice(np.arange(2, frames - 2 * FRAMES), 2, replace=False)
        return clip, int(start), int(wrong)

    def _wav(self, clip):
        import librosa

        return librosa.load(clip / "audio.wav", sr=RATE)[0]

    def _mel_librosa(self, wav):
        """(80, m): pre-emphasis, magnitudes, mel bank, decibels, [-4, 4]; the bank is made once."""
        import librosa
        from scipy.signal import lfilter

        if self._bank is None:
            self._bank = librosa.filters.mel(sr=RATE, n_fft=800, n_mels=80, fmin=55, fmax=7600)
        magnitude = np.abs(librosa.stft(lfilter([1, -0.97], [1], wav), n_fft=800, hop_length=200, win_length=800))
        decibels = 20 * np.log10(np.maximum(1e-5, self._bank @ magnitude)) - 20
        return np.clip(8 * (decibels + 100) / 100 - 4, -4, 4)

    def _mel_ours(self, wav):
        from speech.mel import mel_spectrogram

        return mel_spectrogram(wav)

    def _pictures(self, clip, start):
        """Five crops (96, 96, 3) uint8."""
        import cv2

        return [cv2.resize(cv2.imread(str(clip / f"{start + at}.jpg")), (SIDE, SIDE)) for at in range(FRAMES)]

    def _arrays(self, window, wrong, mel, start):
        import torch

        y, other = (np.transpose(np.asarray(faces) / 255.0, (3, 0, 1, 2)) for faces in (window, wrong))
        masked = y.copy()
        masked[:, :, SIDE // 2 :] = 0
        x = np.concatenate([masked, other], axis=0)
        columns = mel.T
        windows = [self._cut(columns, start + at - 1).T for at in range(FRAMES)]  # one frame early, as published
        heard = self._cut(columns, start).T
        return (torch.FloatTensor(x), torch.FloatTensor(np.asarray(windows)).unsqueeze(1),
                torch.FloatTensor(heard).unsqueeze(0), torch.FloatTensor(y))  # fmt: skip

    def _cut(self, columns, frame):
        first = int(MEL_RATE * frame / FPS)
        return columns[first : first + MEL_STEPS]
