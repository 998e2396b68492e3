import os

# As the service and training do, before the library is loaded: beside other work several threads
# would wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"
