#!/usr/bin/env python3
"""torch_cases.py -- writes torch_zip.pt, torch_stream.pt and torch_want.safetensors: the same tensors as torch.save
writes them in its two forms, and as they must be read.  Needs torch and safetensors; t_pytorch.c needs only the files.
"""
import collections
import os

import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))


def tensors():
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) - 7.5
    torch.manual_seed(1)
    return collections.OrderedDict([
        ("plain", base), ("tied", base), ("turned", base.t()), ("part", base[1:3, ::2]),
        ("row", base[2]), ("column", base[:, 4]), ("front", base.reshape(2, 2, 6).permute(2, 0, 1)),
        ("scalar", torch.tensor(2.5, dtype=torch.float64)), ("empty", torch.zeros(0, 3)),
        ("one", base[:, 3:4].expand(4, 1)), ("parameter", torch.nn.Parameter(base[3, 1:4].clone())),
        ("half", base.half()), ("brain", base.bfloat16()), ("double", base.double()), ("long", base.long() * 10**12),
        ("int", base.int()), ("short", base.short()), ("char", base.to(torch.int8)),
        ("byte", base.abs().to(torch.uint8)), ("bool", base > 0),
    ])


def main():
    flat = tensors()
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3))
    flat.update(model.state_dict(prefix="net."))
    inner = collections.OrderedDict(flat)
    inner._metadata = collections.OrderedDict(version=1)
    inner["deep"] = {"a": torch.tensor([1, 2]), 7: [torch.tensor([3.0]), None, torch.tensor([4.0])]}
    saved = {"epoch": 3, "lr": 1e-3, "big": 1 << 80, "note": "text", "losses": [0.5, 0.25], "shape": base_size(flat),
             "dtype": torch.float16, "optimizer": {"step": torch.tensor(5)}, "model": {"module." + k: v for k, v in inner.items()}}
    torch.save(saved, os.path.join(HERE, "torch_zip.pt"))
    torch.save(saved, os.path.join(HERE, "torch_stream.pt"), _use_new_zipfile_serialization=False)
    flat.update({"deep.a": inner["deep"]["a"], "deep.7.0": inner["deep"][7][0], "deep.7.2": inner["deep"][7][2]})
    save_file({k: v.detach().clone().contiguous() for k, v in flat.items()}, os.path.join(HERE, "torch_want.safetensors"))


def base_size(flat):
    return flat["plain"].size()


main()
# SPDX-License-Identifier: MIT
