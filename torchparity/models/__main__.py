"""``python -m torchparity.models``: the article's Table 1, its sizes beside ours."""

import sys

from torchparity.models.table1 import table_1

sys.stdout.write(table_1())
