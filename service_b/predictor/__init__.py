"""Service B: the models, behind HTTP."""

import os

# A prediction is done before a second thread has woken up: one row took 4 ms of CPU with one
# OpenMP thread and 109 ms with two. It must stand before the library is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
