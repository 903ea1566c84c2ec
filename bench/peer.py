"""peer.py MODEL [threads] -- what the tools of today take for what bench_forward and bench_sweep measure.

Hugging Face transformers on the same file; TransformerLens on a model of that shape (the speed does not depend
on the weights), at its best setting: its unembedding stored by outputs, which halves its pass; and the "expert": what a careful PyTorch user writes, from the patched layer on, one batch a
layer, the last position unembedded.  Sweeps of TransformerLens are a sample of their cells, scaled, one for both p0, since it runs the whole model
whatever differs; 8 pairs are 8 times one.
Lines: peer|task|p0|tool|seconds."""
import sys
import time

try:
    import torch
    from transformers import GPT2LMHeadModel
except ImportError:
    print("no torch and transformers here: no peers (sh bench/peers.sh)", file=sys.stderr)
    sys.exit(0)

torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else 2)
torch.set_grad_enabled(False)
LEN, LAYERS, HEADS = 15, 12, 12


def best(run, times=5):
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def say(task, p0, tool, seconds):
    print("peer|%s|%s|%s|%.5g" % (task, p0, tool, seconds), flush=True)


def machine():
    a, b = torch.rand(1024, 768), torch.rand(768, 3072)
    best(lambda: a @ b, 20)  # the first calls after import are slow
    seconds = best(lambda: a @ b, 40)
    print("mkl|%.1f" % (2 * 1024 * 768 * 3072 / seconds * 1e-9), flush=True)
    for rows in (1, 4, 8, 15, 24, 48, 96, 360):
        weights = [torch.rand(768, 3072) for _ in range(12)]  # more than the caches hold
        x, i = torch.rand(rows, 768), iter(range(10**9))
        seconds = best(lambda: x @ weights[next(i) % 12], 60)
        print("mkl_linear|%d|%.2f" % (rows, 2 * rows * 768 * 3072 / seconds * 1e-9), flush=True)


def hugging_face(path):
    model = GPT2LMHeadModel.from_pretrained(path, attn_implementation="sdpa").eval()
    ids = torch.randint(0, 50257, (32, 512))
    for name, n, length in (("1 x 64", 1, 64), ("32 x 16", 32, 16), ("8 x 128", 8, 128)):
        say("forward %s, all logits" % name, "-", "transformers", best(lambda: model(ids[:n, :length], use_cache=False)))
    say("a 15-token pass", "-", "transformers", best(lambda: model(ids[:1, :15], use_cache=False), 10))
    say("prefill 512, last logits", "-", "transformers", best(lambda: model(ids[:1], use_cache=False, logits_to_keep=1), 3))
    past = model(ids[:1, :64], use_cache=True).past_key_values

    def one():
        nonlocal past
        past = model(ids[:1, 64:65], past_key_values=past, use_cache=True).past_key_values

    say("decode one token", "-", "transformers", best(one, 24))


def lens():
    try:
        from transformer_lens import HookedTransformer, HookedTransformerConfig
    except ImportError:
        print("no transformer-lens here", file=sys.stderr)
        return
    config = HookedTransformerConfig(n_layers=LAYERS, n_heads=HEADS, d_model=768, d_head=64, d_mlp=3072, n_ctx=1024,
                                     d_vocab=50257, act_fn="gelu_new", normalization_type="LN", device="cpu")
    model = HookedTransformer(config).eval()
    say("a 15-token pass", "-", "TransformerLens as it comes", best(lambda: model(torch.zeros(1, LEN, dtype=torch.long)), 10))
    model.unembed.W_U.data = model.unembed.W_U.data.t().contiguous().t()
    clean, corrupt = torch.randint(0, 50257, (1, LEN)), torch.randint(0, 50257, (1, LEN))
    _, kept = model.run_with_cache(clean)
    _, base = model.run_with_cache(corrupt)
    say("a 15-token pass", "-", "TransformerLens", best(lambda: model(corrupt), 10))
    long = torch.randint(0, 50257, (1, 64))
    plain, cached = best(lambda: model(long), 10), best(lambda: model.run_with_cache(long), 10)
    print("tl_every|%.3f" % (cached / plain), flush=True)

    def hooked(name, hook):
        return model.run_with_hooks(corrupt, fwd_hooks=[(name, hook)])

    def cells(n, of, one):  # n cells of so many, spread over the layers
        start = time.perf_counter()
        for i in range(n):
            one(i % LAYERS, i)
        return (time.perf_counter() - start) / n * of

    def resid(layer, i):
        def hook(x, hook):
            x[:, i % LEN] = kept[hook.name][:, i % LEN]
            return x
        hooked("blocks.%d.hook_resid_pre" % layer, hook)

    def head(layer, i, rows=slice(None)):
        def hook(x, hook):
            x[:, rows, i % HEADS] = kept[hook.name][:, rows, i % HEADS]
            return x
        hooked("blocks.%d.attn.hook_z" % layer, hook)

    cells(6, 6, resid)
    seconds = cells(48, 180, resid)
    for p0 in (0, 10):
        say("resid_pre, 180 cells", p0, "TransformerLens", seconds)
        say("8 pairs at once, resid_pre", p0, "TransformerLens", 8 * seconds)
    seconds = cells(48, 2160, lambda layer, i: head(layer, i, i % LEN))
    for p0 in (0, 10):
        say("head x position, 2,160 cells", p0, "TransformerLens", seconds)
    seconds = cells(48, 144, head)
    for p0 in (0, 10):
        say("heads, all positions, 144", p0, "TransformerLens", seconds)

    # An edge by hand: the reader's input is what it was, with the sender's difference, in a second run of its norm.
    model.set_use_split_qkv_input(True)
    difference = torch.rand(1, LEN, 768)

    def edge(layer, i):
        def hook(x, hook):
            x[:, :, i % HEADS] += difference
            return x
        hooked("blocks.%d.hook_q_input" % layer, hook)

    cells(3, 3, edge)
    seconds = cells(24, 1, edge)
    for p0 in (0, 10):
        say("one sender, all receivers, 288", p0, "TransformerLens", 288 * seconds)
        say("all edges, 32,491", p0, "TransformerLens", 32491 * seconds)
    model.set_use_split_qkv_input(False)

    def last(resid):
        return model.unembed(model.ln_final(resid[:, -1:]))

    for p0 in (0, 10):
        def by_position():
            for layer in range(LAYERS):
                name = "blocks.%d.hook_resid_pre" % layer
                x = base[name].repeat(LEN - p0, 1, 1)
                for k in range(LEN - p0):
                    x[k, p0 + k] = kept[name][0, p0 + k]
                last(model(x, start_at_layer=layer, stop_at_layer=LAYERS))

        def by_head():
            for layer in range(LAYERS):
                def hook(x, hook):
                    for h in range(HEADS):
                        x[h, :, h] = kept[hook.name][0, :, h]
                    return x
                x = base["blocks.%d.hook_resid_pre" % layer].repeat(HEADS, 1, 1)
                with model.hooks(fwd_hooks=[("blocks.%d.attn.hook_z" % layer, hook)]):
                    last(model(x, start_at_layer=layer, stop_at_layer=LAYERS))

        seconds = best(by_position, 2)
        say("resid_pre, 180 cells", p0, "expert", seconds)
        say("8 pairs at once, resid_pre", p0, "expert", 8 * seconds)
        say("heads, all positions, 144", p0, "expert", best(by_head, 2))


machine()
hugging_face(sys.argv[1])
lens()
