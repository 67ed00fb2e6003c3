"""Figures that need networks, for ``dspref figure`` (entry points ``dspref.figures``)."""
