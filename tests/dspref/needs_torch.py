"""What a package of figures looks like to an installation without Torch."""

import torch

from dspref.figures.picture import Picture, Wanted


def figure(wanted: Wanted) -> Picture:
    return Picture("fig1", torch.__name__, "", (), ())
