"""The phone classes: 39 ARPAbet phones, their stress kept apart, and silence as a class of its own."""

SILENCE = "SIL"
VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    "B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH", "V", "W", "Y", "Z",
    "ZH",
)  # fmt: skip

# The number of a class is its place here; prepared clips and checkpoints store these numbers, so the order never changes.
PHONES = (SILENCE, *VOWELS, *CONSONANTS)
NUMBER = {phone: number for number, phone in enumerate(PHONES)}


def split_stress(label):
    """Phone and stress of a label as dictionaries write it: "AH0" -> ("AH", 0), "b" -> ("B", None).

    Returns:
        (phone, stress), stress 0, 1, 2 or None; the phone is upper case and may be unknown to PHONES.
    """
    label = label.strip().upper()
    if len(label) > 1 and label[-1] in "012" and label[:-1] in VOWELS:
        return label[:-1], int(label[-1])
    return label, None
