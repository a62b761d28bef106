"""Any audio or video file to the one waveform that the rest of the code speaks: 16 kHz, mono, float32."""

import numpy as np

from common.errors import InputError

SAMPLE_RATE = 16000


def load_waveform(path, rate=SAMPLE_RATE, *, what="audio"):
    """Decode the sound of a file, mix it down and resample it.

    Channels are averaged before resampling (soxr, high quality), as librosa.load does, so that features equal those of code
    that loads with librosa. Samples beyond full scale (floating-point files, overshoot of the resampler) are clipped.

    Args:
        path: an audio file, or a video with a sound track; anything that media.audio.decode_audio reads.
        rate: samples a second of the result.
        what: what the file was given for, for messages.

    Returns:
        (n,) float32 in [-1, 1], n >= 1.

    Raises:
        InputError: the file cannot be decoded, has no sound track, no sample in it, or samples that are not finite.
    """
    from media.audio import decode_audio

    samples, source_rate = decode_audio(path, what)
    try:
        return to_waveform(samples, source_rate, rate)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def to_waveform(samples, source_rate, rate=SAMPLE_RATE):
    """Mix down and resample decoded samples; the part of `load_waveform` after decoding.

    Args:
        samples: (channels, n) float32, full scale 1.
        source_rate: samples a second of `samples`.
        rate: samples a second of the result.

    Returns:
        (ceil(n * rate / source_rate),) float32 in [-1, 1].

    Raises:
        InputError: there is no sample, or one is NaN or infinite.
    """
    samples = _usable(samples)
    mono = samples[0] if len(samples) == 1 else samples.mean(axis=0, dtype=np.float64).astype(np.float32)
    if source_rate != rate:
        import soxr

        length = -(-mono.size * rate // source_rate)
        mono = soxr.resample(mono, source_rate, rate, quality="HQ")[:length]
        mono = np.pad(mono, (0, length - mono.size))
    return np.clip(mono, -1.0, 1.0).astype(np.float32, copy=False)


def to_pcm16(samples, source_rate, rate=SAMPLE_RATE):
    """Mix down and resample as `ffmpeg -ac 1 -ar 16000 -acodec pcm_s16le` does: what SyncNet's published code hears.

    The filter of ffmpeg's libswresample is less steep than soxr's: it falls from 7 kHz on, and half of 7.8 kHz passes, where
    soxr's has ended. SyncNet's MFCC notice: on GRID's 44.1 kHz sound the two differ by 0.36 in the mean, this one from the
    ffmpeg program by less than 0.06.

    Args:
        samples: (channels, n) float32, full scale 1.
        source_rate: samples a second of `samples`.
        rate: samples a second of the result.

    Returns:
        (m,) int16, m at most ceil(n * rate / source_rate).

    Raises:
        InputError: there is no sample, or one is NaN or infinite.
    """
    import av

    from media.mixing import downmix

    samples = np.ascontiguousarray(downmix(_usable(samples)))
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    parts = [np.zeros(0, np.int16)]
    for start in range(0, samples.shape[1], source_rate):
        block = np.ascontiguousarray(samples[:, start : start + source_rate])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono" if len(samples) == 1 else "stereo")
        frame.sample_rate = source_rate
        parts += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    parts += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    return np.concatenate(parts)[: -(-samples.shape[1] * rate // source_rate)]


def _usable(samples):
    """(channels, n) float32 of decoded samples; raises as `to_waveform` says."""
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 2:
        raise ValueError(f"samples must be (channels, n), not {samples.shape}")
    if samples.size == 0:
        raise InputError("holds no sound at all (zero length); give an audio file with something in it")
    if not np.isfinite(samples).all():
        raise InputError("holds samples that are NaN or infinite; export the audio again")
    return samples
