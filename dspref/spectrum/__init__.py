"""Spectra: measured from signals, and predicted from taps.

`measure`, `shorttime`: lines, their level, floor and accuracy; spectrograms.
`filtering`, `zeros`: gain, droop, nulls and edge of a layer or chain.
`replica`: where a component goes, at which level, and whose doing it is.
`noise`: spectra, cyclic variances and coherence of what comes out for noise.
`lptv`: the bifrequency map of a chain that raises and lowers the rate.
"""

from dspref.spectrum.filtering import droop_db, edge_db, response
from dspref.spectrum.lptv import Bifrequency, bifrequency
from dspref.spectrum.measure import (
    LOBE,
    SEGMENTS,
    SEVEN_TERMS,
    AverageSpectrum,
    LineMeasurement,
    Peak,
    average_spectrum,
    finest,
    largest_error_db,
    measure_lines,
)
from dspref.spectrum.noise import coherence, cyclic_autocorrelation, cyclic_variance, output_psd
from dspref.spectrum.replica import Replica, image_rejection, replicas
from dspref.spectrum.shorttime import spectrogram
from dspref.spectrum.zeros import Null, nulls

__all__ = [
    "LOBE",
    "SEGMENTS",
    "SEVEN_TERMS",
    "AverageSpectrum",
    "Bifrequency",
    "LineMeasurement",
    "Null",
    "Peak",
    "Replica",
    "average_spectrum",
    "bifrequency",
    "coherence",
    "cyclic_autocorrelation",
    "cyclic_variance",
    "droop_db",
    "edge_db",
    "finest",
    "image_rejection",
    "largest_error_db",
    "measure_lines",
    "nulls",
    "output_psd",
    "replicas",
    "response",
    "spectrogram",
]
