"""Steps of our cases in PyTorch, as fast as it does them, beside our records.

    gpu_torch.py --assay PROGRAM --records DIR --out FILE [--variant eager|compiled|max-autotune] [--seconds N]
    gpu_torch.py --ahead --records DIR --out FILE --variant compiled

Taken: Llama-shaped prefill and decode, and the blocks of Wan's video transformer, in bf16, with as many layers as the
record ran. A step is one CUDA graph with the fastest of the attention backends; a variant is how a layer runs in it.
Both sides are timed alike: as many launches as the record's, each after an idle time and as long a warm-up, over as
long a time; host time from the call to the end of the step, and device events around it; by one estimator over equally
many steps of each launch. A launch's second half, when a card at its power limit has slowed down, is told apart. A ratio is
PyTorch's mean step over ours, as throughput is: above 1, ours is faster. --ahead only compiles one layer, into a cache
beside FILE. Another call with the same FILE times what has no row yet.
"""

import argparse
import contextlib
import gc
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time
import warnings

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from gpu_torch_models import model_of, normal

BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION,
            "efficient": SDPBackend.EFFICIENT_ATTENTION}
VARIANTS = {"eager": None, "compiled": {}, "max-autotune": {"mode": "max-autotune-no-cudagraphs"}}
IDLE_S = 1.0  # before a launch: ours begins a process and loads weights meanwhile
MOST_WITHOUT_OURS = 8  # layers where our own case failed: it does not say how many fit the time
SIMULATED = getattr(torch, "SIMULATED", False)  # the rehearsal's
PACE = 0.02 if SIMULATED else 1


class OutOfTime(BaseException):
    """No Exception: what compiles must not take it for a failure of its own."""


@contextlib.contextmanager
def at_most(seconds):
    def stop(*_):
        raise OutOfTime

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.1))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def say(text):
    print(text, flush=True)


def times_ms(run, seconds, least=3):
    """(host, device) times of steps, each waited for, in ms."""
    begin_event, end_event = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    host, device, begin, seconds = [], [], time.perf_counter(), seconds * PACE
    gc.disable()
    try:
        while len(host) < least or time.perf_counter() - begin < seconds:
            start = time.perf_counter_ns()
            begin_event.record()
            run()
            end_event.record()
            end_event.synchronize()
            host.append((time.perf_counter_ns() - start) / 1e6)
            device.append(begin_event.elapsed_time(end_event))
    finally:
        gc.enable()
    return host, device


def p99(values):
    return sorted(values)[min(len(values) - 1, int(0.99 * len(values)))] if values else 0.0


def settled(steps):
    """The second half of a launch, by time."""
    half, passed = sum(steps) / 2, 0
    for i, step in enumerate(steps):
        if passed >= half:
            return steps[i:]
        passed += step
    return steps[-1:]


def spread(launches):
    """Of steps in ms, launch by launch. Jitter and sd, over the median, do not know what differs between launches."""
    every = [step for steps in launches for step in steps]
    middle = statistics.median(every)
    changes = [abs(b - a) for steps in launches for a, b in zip(steps, steps[1:])]
    variance = sum(statistics.pvariance(steps) * len(steps) for steps in launches) / len(every)
    return {"launches": len(launches), "steps": len(every), "mean_ms": statistics.mean(every), "p50_ms": middle,
            "sd": variance**0.5 / middle, "jitter": p99(changes) / middle, "p99_over_p50": p99(every) / middle - 1 if len(every) >= 100 else None,
            "settled_p50_ms": statistics.median([step for steps in launches for step in settled(steps)])}


def alike(ours, theirs):
    """Both, each launch cut to as many steps as the shorter side's has."""
    counts = [min(len(a), len(b)) for a, b in zip(ours, theirs)]
    return tuple([steps[:n] for steps, n in zip(side, counts)] for side in (ours, theirs))


def spread_text(s):
    return (f"{s['mean_ms']:.3f} ms (p50 {s['p50_ms']:.3f}, settled {s['settled_p50_ms']:.3f}, jitter {s['jitter']:.2%}, "
            f"sd {s['sd']:.2%}, n {s['steps']})")


def fastest_attention(shape):
    """(name, ms) of the backends that take the shape, the fastest first."""
    b, heads, kv, t, keys, dim, causal = shape
    q, k, v = normal(b, heads, t, dim), normal(b, kv, keys, dim), normal(b, kv, keys, dim)
    found = []
    warnings.simplefilter("ignore")  # a backend that does not take the shape says so at length
    for name, backend in BACKENDS.items():
        run = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=kv != heads)
        try:
            with sdpa_kernel([backend]):
                run()
                torch.cuda.synchronize()
                found.append((name, statistics.median(times_ms(run, 0.1)[1])))
        except RuntimeError:
            pass  # not for this shape
    return sorted(found, key=lambda f: f[1])


def attention_order(names):
    return sdpa_kernel([BACKENDS[n] for n in names] + [SDPBackend.MATH], set_priority=True)


def layer_of(model, variant):
    options = VARIANTS[variant]
    return model.layer if options is None else torch.compile(model.layer, dynamic=False, **options)


def graph_of(step):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    torch.cuda.synchronize()
    return graph


def warmed(step):
    """Run on a stream of its own, as a capture will, so that nothing is left to set up."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.synchronize()


def one_layer_ms(model, layer):
    warmed(lambda: model.step(layer, 1))
    return statistics.median(times_ms(graph_of(lambda: model.step(layer, 1)).replay, 0.3)[1])


def compile_ahead(record, variant):
    model = model_of(record["case"])(record["case"], 1)
    with torch.no_grad(), attention_order([n for n, _ in fastest_attention(model.shape)]):
        layer = layer_of(model, variant)
        warmed(lambda: model.step(layer, 1))
    say(f"compiled: a layer of {record['case_id']}")


def conditions(record, ours):
    """Of each launch: (launches, seconds of warm-up, seconds timed), as the record's."""
    stop = record["stop"]
    timed_s = statistics.mean(sum(steps) for steps in ours) / 1e3 if ours else 1
    return len(ours) if ours else 3, max(stop.get("warmup_s") or 0, 0.02), timed_s


def timed(record, ours, layers, variant):
    case = record["case"]
    model = model_of(case)(case, layers)
    attention = fastest_attention(model.shape)
    say("  attention: " + ", ".join(f"{n} {ms:.3f} ms" for n, ms in attention))
    with torch.no_grad(), attention_order([n for n, _ in attention]):
        layer = layer_of(model, variant)
        out = {"attention": attention[0][0] if attention else "math"}
        if variant != "eager":  # where it does not help it is not timed at length; the layers are alike
            one = {"eager": one_layer_ms(model, model.layer), variant: one_layer_ms(model, layer)}
            say("  one layer and the rest: " + ", ".join(f"{name} {ms:.3f} ms" for name, ms in one.items()))
            out["one_layer_ms"] = one
            if one[variant] >= one["eager"]:
                return out
        warmed(lambda: model.step(layer, 1))
        graph = graph_of(lambda: model.step(layer, layers))
    launches, warmup_s, timed_s = conditions(record, ours)
    host, device = [], []
    for _ in range(launches):
        time.sleep(IDLE_S * PACE)
        times_ms(graph.replay, warmup_s, least=2)
        steps = times_ms(graph.replay, timed_s, least=2)
        host.append(steps[0])
        device.append(steps[1])
    if ours:
        ours, host = alike(ours, host)
    return out | {"warmup_s": warmup_s, "timed_s": timed_s, "idle_s": IDLE_S, "torch": spread(host),
                  "torch_device": spread(device), "ours": spread(ours) if ours else None}


def launches_of(assay, record):
    """Our steps' host and device times in ms, launch by launch; None without."""
    if record["status"] != "ok":
        return None, None
    shown = subprocess.run([assay, "show", record["file"], "--samples"], capture_output=True, text=True).stdout
    samples = json.loads(shown or "{}")
    launches = record.get("run_launches") or {"each": [{"steps": len(samples.get("host_ns", []))}]}
    counts = [each["steps"] for each in launches["each"]]
    ends = [sum(counts[:i + 1]) for i in range(len(counts))]
    cut = lambda ns: [[step / 1e6 for step in ns[end - count:end]] for count, end in zip(counts, ends)] if ns else None
    return cut(samples.get("host_ns")), cut(samples.get("device_ns"))


def records(folder):
    """The last of each case; one that was cut off lies beside the one that went on."""
    found = [json.loads(f.read_text()) | {"file": str(f)} for f in pathlib.Path(folder).rglob("*.record.json")]
    found.sort(key=lambda r: (r["status"] != "interrupted", r["created"]))
    basis = "simulated" if SIMULATED else "measured"
    last = {r["case_id"]: r for r in found if r["basis"] == basis and model_of(r["case"])}
    return sorted(last.values(), key=lambda r: r["case_id"])


def layers_of(record):
    cut, case = record.get("extrapolation"), record["case"]
    if cut:
        return cut["layers_run"]
    layers = case["video_model"]["dit"]["blocks"] if case["kind"] == "dit" else case["model"]["layers"]
    return layers if record["status"] == "ok" else min(layers, MOST_WITHOUT_OURS)


def row_of(record, assay, variant):
    layers, (ours, ours_device) = layers_of(record), launches_of(assay, record)
    say(f"{record['case_id']}, {layers} layers, {variant}")
    row = {"case": record["case_id"], "record": record["id"], "variant": variant, "layers": layers}
    row |= timed(record, ours, layers, variant) | {"ours_device": spread(ours_device) if ours_device else None}
    if "torch" not in row:
        say(f"  {variant} does not help")
        return row
    theirs = f"PyTorch ({variant}, {row['attention']}) {spread_text(row['torch'])}"
    if ours:
        row["ratio"] = row["torch"]["mean_ms"] / row["ours"]["mean_ms"]
        say(f"  ours {spread_text(row['ours'])}; {theirs}; ratio {row['ratio']:.3f}")
    else:
        say(f"  ours: {record['status']}: {record['reason'][:100]}; {theirs}")
    return row


def caches(file):
    """Of compilations, beside the file; several processes compile at once."""
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "4")
    for name, folder in (("TORCHINDUCTOR_CACHE_DIR", "inductor"), ("TRITON_CACHE_DIR", "triton")):
        os.environ.setdefault(name, str(file.resolve().parent / "torch-cache" / folder))


def results(file):
    """What stands in FILE, or a fresh one where another PyTorch or card wrote it."""
    out = {"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "gpu": torch.cuda.get_device_name(),
           "basis": "simulated" if SIMULATED else "measured"}
    before = json.loads(file.read_text()) if file.exists() else {}
    same = all(before.get(key) == value for key, value in out.items())
    return out | ({k: before[k] for k in ("rows", "left_out")} if same else {"rows": [], "left_out": {}})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--assay")
    parser.add_argument("--records", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--variant", default="eager", choices=list(VARIANTS))
    parser.add_argument("--ahead", action="store_true", help="only compile")
    args = parser.parse_args()
    caches(args.out)
    found = records(args.records)
    if not found:
        say("no record has a shape that this script runs")
    if args.ahead:
        return [compile_ahead(record, args.variant) for record in found] and None
    end, out, failed = time.perf_counter() + args.seconds, results(args.out), 0
    for i, record in enumerate(found):
        key = f"{args.variant} {record['case_id']}"
        if any(r["record"] == record["id"] and r["variant"] == args.variant for r in out["rows"]):
            continue
        try:
            with at_most((end - time.perf_counter()) / (len(found) - i)):
                row = row_of(record, args.assay, args.variant)
            out["rows"] = [r for r in out["rows"] if (r["case"], r["variant"]) != (row["case"], row["variant"])] + [row]
            out["left_out"].pop(key, None)
        except OutOfTime:
            out["left_out"][key] = "did not end in its time"
            failed = failed or 124
        except Exception as e:  # whatever fails, the other shapes still run
            out["left_out"][key] = f"{type(e).__name__}: {str(e)[:200]}"
            print(f"{record['case_id']}: {type(e).__name__}: {str(e)[:1000]}", file=sys.stderr)
            failed = 1
        gc.collect()
        torch.cuda.empty_cache()
        fresh = args.out.with_suffix(".new")
        fresh.write_text(json.dumps(out, indent=1))
        fresh.replace(args.out)
        if key in out["left_out"]:
            say(f"left out: {key}: {out['left_out'][key]}")
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # the rows so far are in the file
        sys.exit(130)
