"""The steps of a Llama-shaped model in PyTorch: SDPA, bf16, one CUDA graph per step; and how they compare with records.

    gpu_torch.py --assay PROGRAM --records DIR --out FILE

Each ratio is PyTorch's median step over ours on the same shape: above 1, ours is faster.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import torch
import torch.nn.functional as F


def shape_of(case):
    """The model's numbers in a record's case, None for what this script has no step for."""
    model = case.get("model") or {}
    plain = not model.get("moe") and not model.get("mla") and not model.get("indexer") and not model.get("window")
    return model if plain and case.get("kind") in ("prefill", "decode") and case.get("dtype") == "bf16" else None


class Layer(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        self.heads, self.kv, self.dim = m["heads"], m["kv_heads"], m["head_dim"]
        hidden, ffn = m["hidden"], m["ffn"]
        linear = lambda a, b: torch.nn.Linear(a, b, bias=False)
        self.qkv = linear(hidden, (self.heads + 2 * self.kv) * self.dim)
        self.out = linear(self.heads * self.dim, hidden)
        self.up = linear(hidden, 2 * ffn)
        self.down = linear(ffn, hidden)
        self.norm1 = torch.nn.RMSNorm(hidden)
        self.norm2 = torch.nn.RMSNorm(hidden)

    def forward(self, x, k, v, cos, sin, past):
        b, t, _ = x.shape
        q, key, value = self.qkv(self.norm1(x)).split(
            [self.heads * self.dim, self.kv * self.dim, self.kv * self.dim], dim=-1)
        q = self.turn(q.view(b, t, self.heads, self.dim), cos, sin).transpose(1, 2)
        k[:, :, past:past + t] = self.turn(key.view(b, t, self.kv, self.dim), cos, sin).transpose(1, 2)
        v[:, :, past:past + t] = value.view(b, t, self.kv, self.dim).transpose(1, 2)
        seen = past + t
        y = F.scaled_dot_product_attention(q, k[:, :, :seen], v[:, :, :seen], is_causal=t > 1, enable_gqa=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, -1))
        gate, up = self.up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)

    @staticmethod
    def turn(x, cos, sin):
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def step_ms(case, m):
    """Medians of graph-replayed steps by CUDA events."""
    torch.manual_seed(1)
    batch, tokens, past = case["batch"], case["tokens"], case["context"]
    with torch.device("cuda"):
        layers = torch.nn.ModuleList([Layer(m) for _ in range(m["layers"])]).bfloat16()
        table = torch.randn(m["vocab"], m["hidden"], dtype=torch.bfloat16)
        ids = torch.randint(m["vocab"], (batch, tokens))
        caches = [torch.randn(2, batch, m["kv_heads"], past + tokens, m["head_dim"], dtype=torch.bfloat16)
                  for _ in range(m["layers"])]
        angle = torch.arange(past, past + tokens)[:, None] * torch.pow(
            torch.tensor(m.get("rope_theta", 1e4)), -torch.arange(0, m["head_dim"], 2) / m["head_dim"])
        cos, sin = angle.cos().bfloat16()[:, None], angle.sin().bfloat16()[:, None]
        norm = torch.nn.RMSNorm(m["hidden"]).bfloat16()

    def step():
        x = table[ids]
        for layer, cache in zip(layers, caches):
            x = layer(x, cache[0], cache[1], cos, sin, past)
        return (norm(x[:, -1]) @ table.T).argmax(-1)

    with torch.no_grad():
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
    times = []
    for _ in range(30):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times[5:])


def measured(assay, folder):
    """(case, p50 in ms) of every whole, measured record below the folder."""
    cases = {}
    for file in pathlib.Path(folder).rglob("*.record.json"):
        record = json.loads(file.read_text())
        if record["status"] == "ok" and record["basis"] == "measured" and record["extrapolation"] is None:
            cases[record["id"]] = record["case"]
    for part in sorted({f.parent for f in pathlib.Path(folder).rglob("*.record.json")}):
        shown = subprocess.run([assay, "show", str(part), "--format", "json"], capture_output=True, text=True)
        for row in json.loads(shown.stdout or "[]"):
            if row["record"] in cases and row["step_p50_ns"]:
                yield row["case"], cases[row["record"]], row["step_p50_ns"] / 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--assay", required=True)
    parser.add_argument("--records", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    rows = []
    for name, case, ours_ms in measured(args.assay, args.records):
        m = shape_of(case)
        if m is None:
            continue
        try:
            torch_ms = step_ms(case, m)
        except torch.OutOfMemoryError:
            print(f"{name}: PyTorch is out of memory", file=sys.stderr)
            continue
        finally:
            torch.cuda.empty_cache()
        rows.append({"case": name, "ours_ms": ours_ms, "torch_ms": torch_ms, "ratio": torch_ms / ours_ms})
        print(f"{name}: ours {ours_ms:.3f} ms, PyTorch {torch_ms:.3f} ms, ratio {torch_ms / ours_ms:.2f}", flush=True)
        pathlib.Path(args.out).write_text(json.dumps({"torch": torch.__version__, "rows": rows}, indent=1))
    if not rows:
        print("no record has a shape that this script runs", file=sys.stderr)


if __name__ == "__main__":
    main()
