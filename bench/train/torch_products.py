"""Times matrix products in PyTorch, in a process of its own: torch_products.py THREADS JSON

Prints the shortest of several runs of each, ms, as one line of JSON.
"""

import json
import sys
import time

import torch


def best_ms(product):
    m, k, n = product["m"], product["k"], product["n"]
    a = torch.rand(k, m).t() if product["transposeA"] else torch.rand(m, k)
    b = torch.rand(n, k).t() if product["transposeB"] else torch.rand(k, n)
    best = float("inf")
    for _ in range(max(4, min(24, round(5e10 / (2 * m * k * n))))):
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    return best * 1e3


torch.set_num_threads(int(sys.argv[1]))
print(json.dumps([best_ms(product) for product in json.loads(sys.argv[2])]))
