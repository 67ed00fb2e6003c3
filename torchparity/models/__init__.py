"""The article's networks at any size, random networks of any chain, and the sizes of Table 1 beside ours.

``python -m torchparity.models`` prints the table.
"""

from torchparity.known import EIGHT, NETWORKS
from torchparity.models.article import LENGTHS, demucs, demucs_like, modified, openunmix, wave_unet
from torchparity.models.chains import random_network
from torchparity.models.generators import melgan
from torchparity.models.table1 import TABLE_1, Row, parameters, table_1

__all__ = [
    "EIGHT",
    "LENGTHS",
    "NETWORKS",
    "TABLE_1",
    "Row",
    "demucs",
    "demucs_like",
    "melgan",
    "modified",
    "openunmix",
    "parameters",
    "random_network",
    "table_1",
    "wave_unet",
]
