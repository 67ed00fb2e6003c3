"""Last layers of networks: squeezed groups, inverse short-time spectra, filter banks and wavelets; all make lines.

Each runs its own definition, and has a normal form where there is one: with it lines, images and levels follow.
"""

from dspref.heads.istft import ISTFT
from dspref.heads.lifting import LiftingSynthesis
from dspref.heads.pqmf import PQMFSynthesis, kaiser_prototype
from dspref.heads.squeeze import Squeeze, Unsqueeze
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis

__all__ = [
    "ISTFT",
    "HaarSynthesis",
    "LazySynthesis",
    "LiftingSynthesis",
    "PQMFSynthesis",
    "Squeeze",
    "Unsqueeze",
    "kaiser_prototype",
]
