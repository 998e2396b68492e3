"""What a loaded model is: from checked inputs to predictions."""

import os

# A prediction is done before a second OpenMP thread has woken up. This must be set before the
# library is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
