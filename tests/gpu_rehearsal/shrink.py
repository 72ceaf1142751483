"""Shrunk copies of the shipped suites, of the same names, for a rehearsal that a CPU can run.

    shrink.py DATA TO BLOCK

DATA is a build's share/assay/suites, BLOCK the suite of one video block. Models keep their names and kinds of layers, axes keep
their number of values: a case's id differs in its sizes alone.
"""

import json
import pathlib
import shutil
import sys

MODELS = ("smollm2-135m", "qwen2.5-0.5b", "llama-3.1-8b", "qwen3-30b-a3b", "deepseek-v2-lite")
VIDEOS = ("wan2.1-14b", "cogvideox-2b")
TEXT = {"layers": 2, "hidden": 64, "ffn": 96, "heads": 4, "head_dim": 16, "vocab": 200}
MOE = {"dense_layers": 1, "experts": 8, "top_k": 3, "shared_experts": 1, "ffn": 32}
MLA = {"q_rank": 48, "kv_rank": 32, "nope_dim": 16, "rope_dim": 8, "v_dim": 16}
DIT = {"blocks": 2, "hidden": 64, "ffn": 96, "heads": 4, "rope_dims": [8, 4, 4], "time_frequencies": 32, "time_width": 64,
       "text_tokens": 8, "text_width": 32}
ENCODER = {"layers": 2, "hidden": 32, "ffn": 64, "heads": 2, "head_dim": 16, "vocab": 200, "tokens": 8}


def put(values, into):
    """Only what is there: what a model lacks it must not get."""
    into |= {key: value for key, value in values.items() if key in into}


def model(m):
    m["source"] = "shrunk for a rehearsal: " + m["source"]
    m.pop("published_params", None)
    put(TEXT | {"kv_heads": 2, "max_context": m["max_context"] // 32}, m)
    put(MOE, m.get("moe", {}))
    put(MLA, m.get("mla", {}))
    return m


def width(n):
    return 32 if n >= 256 else 16


def video(v):
    v["source"] = "shrunk for a rehearsal: " + v["source"]
    v.pop("published_params", None)
    put(DIT, v["dit"])
    put(ENCODER, v["text_encoder"])
    put({"frames": 5, "height": 32, "width": 64}, v["clip"])
    put({"groups": 4, "widths": [width(n) for n in v["vae"]["widths"]]}, v["vae"])
    for up in v["vae"]["up"]:
        up["width"] = width(up["width"])
    return v


SHRUNK = {"tokens": lambda n: max(n // 32, 1), "context": lambda n: n // 32, "buffer_bytes": lambda n: n // 1024,
          "shapes": lambda shape: [n // 32 for n in shape], "tiles": lambda _: [5, 16, 16],
          "clips": lambda clip: clip if clip == "reference" else [5, 32, 64]}


def suite(s):
    for form in ("quick", "full"):
        if form not in s:
            continue
        kept = []
        for case in s[form]["cases"]:
            for key, known in (("models", MODELS), ("video_models", VIDEOS)):
                case[key] = [name for name in case.get(key, []) if name in known]
            if not case["models"] and not case["video_models"] and case["kind"] not in ("gemm", "read", "copy"):
                continue
            if "routing" in case:  # traces are of the published number of experts
                case["routing"] = [name for name in case["routing"] if not name.startswith("trace")]
            kept.append({key: [SHRUNK[key](n) for n in value] if key in SHRUNK else value
                         for key, value in case.items() if value != []})
        s[form]["cases"] = kept
    return s


def main(data, to, block):
    shutil.rmtree(to, ignore_errors=True)
    for folder, names, change in (("models", MODELS, model), ("models/video", VIDEOS, video), ("defs", None, suite)):
        (to / folder).mkdir(parents=True)
        for file in (data / folder).glob("*.json"):
            if names is None or file.stem in names:
                (to / folder / file.name).write_text(json.dumps(change(json.loads(file.read_text()))))
    (to / block.name).write_text(json.dumps(suite(json.loads(block.read_text()))))


if __name__ == "__main__":
    main(*(pathlib.Path(word) for word in sys.argv[1:]))
