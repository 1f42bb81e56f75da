"""W += B·A by the system's BLAS (sgemm in place, beta = 1), or by numpy where no CBLAS is found.

Usage: python3 blas.py ROWS COLUMNS MODULES RANK...
Prints one JSON object: {"library", "gflops": {"RANK": best of several}, "meanGflops": {"RANK": of all but the first}}. Threads come from the environment; one thread
is timed by its processor time, which other programs on the machine do not stretch.
"""

import ctypes
import json
import os
import sys
import time

import numpy

rows, columns, modules, *ranks = map(int, sys.argv[1:])
clock = time.process_time if os.environ.get("OMP_NUM_THREADS") == "1" else time.perf_counter
FLOATS = ctypes.POINTER(ctypes.c_float)


def cblas():
    for name in ("libopenblas.so.0", "libblas.so.3", "libcblas.so.3"):
        try:
            return name, ctypes.CDLL(name).cblas_sgemm
        except (OSError, AttributeError):
            continue
    return "numpy", None


library, sgemm = cblas()


def merge(weight, b, a):
    if sgemm is None:
        numpy.add(weight, b @ a, out=weight)
        return
    one = ctypes.c_float(1)
    pointer = lambda array: array.ctypes.data_as(FLOATS)
    sgemm(101, 111, 111, rows, columns, b.shape[1], one, pointer(b), b.shape[1],
          pointer(a), columns, one, pointer(weight), columns)


random = numpy.random.default_rng(1)
gflops = {}
means = {}
for rank in ranks:
    weight = random.random((rows, columns), dtype=numpy.float32)
    pairs = [
        (random.random((rows, rank), dtype=numpy.float32), random.random((rank, columns), dtype=numpy.float32))
        for _ in range(modules)
    ]
    if sgemm is not None:
        expected = weight + pairs[0][0] @ pairs[0][1]
        merge(weight, *pairs[0])
        assert numpy.allclose(weight, expected, rtol=1e-4)
    seconds = []
    for _ in range(6 if modules == 1 else 4):
        begin = clock()
        for b, a in pairs:
            merge(weight, b, a)
        seconds.append(clock() - begin)
    operations = 2 * rows * columns * rank * modules / 1e9
    gflops[str(rank)] = operations / min(seconds)
    means[str(rank)] = operations * (len(seconds) - 1) / sum(seconds[1:])
print(json.dumps({"library": library, "gflops": gflops, "meanGflops": means}))
