"""The spectrum to expect of a network before training, without weights and without drawing any."""

from dspref.expected.bands import Comb
from dspref.expected.dense import Dense, dense_moments
from dspref.expected.explain import Explanation, explain
from dspref.expected.filters import Fixed, average_pool, fixed
from dspref.expected.forecast import Forecast, NotPredicted, forecast
from dspref.expected.graph import Network, Node, network
from dspref.expected.kernelmaps import kernel_map, mean_map
from dspref.expected.known import known_spectrum
from dspref.expected.laws import initialised, rescaled
from dspref.expected.network import Concat, Drawn, Gate, Source, Step, Sum, Unknown
from dspref.expected.rare import rarity
from dspref.expected.remaining import Remaining, phase_variances, remaining_lines
from dspref.expected.spectrum import Expected, expected_spectrum, width_terms
from dspref.expected.tonefree import tone_free_basis, tone_free_network
from dspref.expected.width import glu_offset, narrow_db, narrow_warning, relu_line

__all__ = [
    "Comb",
    "Concat",
    "Dense",
    "Drawn",
    "Expected",
    "Explanation",
    "Fixed",
    "Forecast",
    "Gate",
    "Network",
    "Node",
    "NotPredicted",
    "Remaining",
    "Source",
    "Step",
    "Sum",
    "Unknown",
    "average_pool",
    "dense_moments",
    "expected_spectrum",
    "explain",
    "fixed",
    "forecast",
    "glu_offset",
    "initialised",
    "kernel_map",
    "known_spectrum",
    "mean_map",
    "narrow_db",
    "narrow_warning",
    "network",
    "phase_variances",
    "rarity",
    "relu_line",
    "remaining_lines",
    "rescaled",
    "tone_free_basis",
    "tone_free_network",
    "width_terms",
]
