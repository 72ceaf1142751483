"""The layers and models that gpu_torch.py times: a record's case as PyTorch runs it, with random weights."""

import torch
import torch.nn.functional as F


def normal(*dims, sd=1.0):
    return torch.empty(*dims, dtype=torch.bfloat16, device="cuda").normal_(0, sd)


def turned(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def angles(positions, dim, theta):
    rate = torch.pow(torch.tensor(float(theta)), -torch.arange(0, dim, 2) / dim)
    angle = (positions[:, None] * rate).cuda()
    return angle.cos().bfloat16()[:, None], angle.sin().bfloat16()[:, None]


# One layer each: pure functions of tensors, so that one compilation serves all layers.
def llama_layer(x, w, keys, values, cos, sin, past, heads, kv, dim):
    b, t, h = x.shape
    q, k, v = F.linear(F.rms_norm(x, (h,), w["norm1"]), w["qkv"], w["qkv_bias"]).split(
        [heads * dim, kv * dim, kv * dim], dim=-1)
    keys[:, :, past:past + t] = turned(k.view(b, t, kv, dim), cos, sin).transpose(1, 2)
    values[:, :, past:past + t] = v.view(b, t, kv, dim).transpose(1, 2)
    q = turned(q.view(b, t, heads, dim), cos, sin).transpose(1, 2)
    y = F.scaled_dot_product_attention(q, keys, values, is_causal=t > 1, enable_gqa=kv != heads)
    x = x + F.linear(y.transpose(1, 2).reshape(b, t, -1), w["o"])
    gate, up = F.linear(F.rms_norm(x, (h,), w["norm2"]), w["up"]).chunk(2, dim=-1)
    return x + F.linear(F.silu(gate) * up, w["down"])


def wan_layer(x, w, modulation, text, cos, sin, heads):
    b, t, h = x.shape
    split = lambda y: y.view(b, -1, heads, h // heads)
    shift1, scale1, gate1, shift2, scale2, gate2 = (w["table"] + modulation).chunk(6, dim=-1)
    q, k, v = F.linear(F.layer_norm(x, (h,)) * (1 + scale1) + shift1, w["qkv"], w["qkv_bias"]).chunk(3, dim=-1)
    q, k = (turned(split(F.rms_norm(y, (h,), w[n])), cos, sin) for y, n in ((q, "q_norm"), (k, "k_norm")))
    y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), split(v).transpose(1, 2))
    x = x + gate1 * F.linear(y.transpose(1, 2).reshape(b, t, h), w["o"], w["o_bias"])
    q = F.linear(F.layer_norm(x, (h,), w["norm"], w["norm_bias"]), w["cross_q"], w["cross_q_bias"])
    k, v = F.linear(text, w["cross_kv"], w["cross_kv_bias"]).chunk(2, dim=-1)
    q, k = (split(F.rms_norm(y, (h,), w[n])) for y, n in ((q, "cross_q_norm"), (k, "cross_k_norm")))
    y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), split(v).transpose(1, 2))
    x = x + F.linear(y.transpose(1, 2).reshape(b, t, h), w["cross_o"], w["cross_o_bias"])
    y = F.linear(F.layer_norm(x, (h,)) * (1 + scale2) + shift2, w["fc1"], w["fc1_bias"])
    return x + gate2 * F.linear(F.gelu(y, approximate="tanh"), w["fc2"], w["fc2_bias"])


class Llama:
    def __init__(self, case, layers):
        m = case["model"]
        h, heads, kv, dim = m["hidden"], m["heads"], m["kv_heads"], m["head_dim"]
        b, t, past = case["batch"], case["tokens"], case["context"]
        self.shape = (b, heads, kv, t, past + t, dim, t > 1)
        self.layers = [{
            "norm1": torch.ones(h, dtype=torch.bfloat16, device="cuda"),
            "norm2": torch.ones(h, dtype=torch.bfloat16, device="cuda"),
            "qkv": normal((heads + 2 * kv) * dim, h, sd=h**-0.5),
            "qkv_bias": normal((heads + 2 * kv) * dim) if m.get("qkv_bias") else None,
            "o": normal(h, heads * dim, sd=h**-0.5), "up": normal(2 * m["ffn"], h, sd=h**-0.5),
            "down": normal(h, m["ffn"], sd=m["ffn"]**-0.5)} for _ in range(layers)]
        self.caches = [(normal(b, kv, past + t, dim), normal(b, kv, past + t, dim)) for _ in range(layers)]
        self.table, self.logits = normal(m["vocab"], h), normal(m["vocab"], h, sd=h**-0.5)
        self.ids = torch.randint(m["vocab"], (b, t), device="cuda")
        cos, sin = angles(torch.arange(past, past + t), dim, m.get("rope_theta", 1e4))
        self.args = (cos, sin, past, heads, kv, dim)
        self.layer = llama_layer

    def step(self, layer, n):
        x = self.table[self.ids]
        for w, (keys, values) in zip(self.layers[:n], self.caches):
            x = layer(x, w, keys, values, *self.args)
        return F.linear(F.rms_norm(x[:, -1], x.shape[-1:]), self.logits).argmax(-1)


class Wan:
    def __init__(self, case, layers):
        video = case["video_model"]
        d, strides = video["dit"], video["vae"]["strides"]
        grid = [((case["frames"] - 1) // strides[0] + 1) // d["patch"][0]]
        grid += [case[axis] // strides[i] // d["patch"][i] for i, axis in ((1, "height"), (2, "width"))]
        h, heads, ffn = d["hidden"], d["heads"], d["ffn"]
        b, t, inside = case["batch"], grid[0] * grid[1] * grid[2], d["channels"] * d["patch"][1] * d["patch"][2]
        self.shape = (b, heads, heads, t, t, h // heads, False)
        sizes = {"qkv": (3 * h, h), "o": (h, h), "cross_q": (h, h), "cross_kv": (2 * h, h), "cross_o": (h, h),
                 "fc1": (ffn, h), "fc2": (h, ffn)}
        self.layers = []
        for _ in range(layers):
            w = {name: normal(*size, sd=size[1]**-0.5) for name, size in sizes.items()}
            w |= {name + "_bias": normal(size[0], sd=0.1) for name, size in sizes.items()}
            w |= {name: 1 + normal(h, sd=0.1) for name in ("q_norm", "k_norm", "cross_q_norm", "cross_k_norm", "norm")}
            w |= {"norm_bias": normal(h, sd=0.1), "table": normal(1, 6 * h, sd=0.3)}
            self.layers.append(w)
        self.x = normal(b, t, inside)
        self.into, self.out = normal(h, inside, sd=inside**-0.5), normal(inside, h, sd=h**-0.5)
        self.modulation, self.text = normal(1, 6 * h, sd=0.3), normal(b, d["text_tokens"], h)
        at = torch.arange(t)
        place = (at // (grid[1] * grid[2]), at // grid[2] % grid[1], at % grid[2])
        parts = [angles(p, dim, d["rope_theta"]) for p, dim in zip(place, d["rope_dims"])]
        self.args = (self.modulation, self.text, torch.cat([p[0] for p in parts], -1),
                     torch.cat([p[1] for p in parts], -1), heads)
        self.layer = wan_layer

    def step(self, layer, n):
        x = F.linear(self.x, self.into)
        for w in self.layers[:n]:
            x = layer(x, w, *self.args)
        return F.linear(F.layer_norm(x, x.shape[-1:]), self.out)


def model_of(case):
    """The class that runs a record's case; None for what this script has no step for."""
    model, video = case.get("model") or {}, case.get("video_model") or {}
    odd = ("moe", "mla", "indexer", "window", "qk_norm")
    if case.get("dtype") != "bf16" or (case.get("kind") == "prefill" and case.get("context")):
        return None
    if case.get("kind") in ("prefill", "decode") and not any(model.get(key) for key in odd):
        return Llama
    dit = video.get("dit") or {}
    plain = dit.get("stream") == "cross" and dit.get("modulation") == "shared" and dit.get("qk_norm") == "rows"
    return Wan if case.get("kind") == "dit" and plain else None
