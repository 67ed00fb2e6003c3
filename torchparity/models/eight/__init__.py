"""The article's eight networks fed with white noise: Figs. 1 and 9 again, beside what theory expects of them.

``python -m torchparity.models eight -o FOLDER`` makes the page and its picture.
"""

from torchparity.models.eight.drawn import response, seen
from torchparity.models.eight.page import to_markdown, write
from torchparity.models.eight.spectra import Level, Seen
from torchparity.models.eight.subject import Subject, subject
from torchparity.models.eight.theory import expected_depth, expected_height, expected_level, foreseen

__all__ = [
    "Level",
    "Seen",
    "Subject",
    "expected_depth",
    "expected_height",
    "expected_level",
    "foreseen",
    "response",
    "seen",
    "subject",
    "to_markdown",
    "write",
]
