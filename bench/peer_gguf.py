"""peer_gguf.py FILE [threads] -- llama.cpp on the file that bench_gguf runs: the same tasks, the same lines.

Lines: peer|task|-|llama.cpp|seconds, and the most memory it had: peer_memory|KiB."""
import resource
import sys
import time

try:
    from llama_cpp import Llama
except ImportError:
    print("llama.cpp not installed here (sh bench/peers.sh)", file=sys.stderr)
    sys.exit(0)

threads = int(sys.argv[2]) if len(sys.argv) > 2 else 2
model = Llama(sys.argv[1], n_ctx=900, n_batch=512, n_ubatch=512, n_threads=threads, n_threads_batch=threads, verbose=False)
ids = [(i * 104729 + 13) % model.n_vocab() for i in range(900)]


def timed(some):
    start = time.perf_counter()
    model.eval(some)
    return time.perf_counter() - start


def decoded(behind):
    model.reset()
    model.eval(ids[:behind])
    return min(timed(ids[behind + i:behind + i + 1]) for i in range(24))


def prefilled():
    model.reset()
    return timed(ids[:512])


model.eval(ids[:64])
print("peer_memory|%d" % resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
print("peer|decode one token|-|llama.cpp|%.5g" % min(decoded(64) for _ in range(3)), flush=True)
print("peer|decode one token behind 800|-|llama.cpp|%.5g" % decoded(800), flush=True)
prefilled()
print("peer|prefill 512, last logits|-|llama.cpp|%.5g" % min(prefilled() for _ in range(3)), flush=True)
# SPDX-License-Identifier: MIT
