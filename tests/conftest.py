"""Fixtures that every test may use: where the real clips lie, and a quiet torch."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def shared_media():
    """Path of the folder of real clips; skips the test, and says why, where it is absent."""
    folder = Path(os.environ.get("TALKINGFACE_MEDIA", ROOT.parent / "shared" / "media"))
    if not (folder / "MANIFEST.md").is_file():
        pytest.skip(f"real clips are absent: no {folder / 'MANIFEST.md'} (set TALKINGFACE_MEDIA to their folder)")
    return folder
