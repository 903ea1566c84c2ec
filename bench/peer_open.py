"""peer_open.py MODEL IDS -- the same prompt in Hugging Face transformers, from import to the top five tokens."""
import resource
import sys
import time

start = time.time()
try:
    import torch
    from transformers import GPT2LMHeadModel
except ImportError:
    print("transformers  not installed here (pip install torch transformers)")
    sys.exit(0)
model = GPT2LMHeadModel.from_pretrained(sys.argv[1])
ids = torch.tensor([[int(i) for i in sys.argv[2].split(",")]])
with torch.no_grad():
    top = model(ids).logits[0, -1].topk(5)
print("transformers  %.2f s, %d KiB" % (time.time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
print(" ".join("#%d %.3f" % (i, v) for i, v in zip(top.indices.tolist(), top.values.tolist())))
