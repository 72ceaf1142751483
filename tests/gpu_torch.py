"""Steps of our cases in PyTorch, as fast as it does them, beside our records.

    gpu_torch.py --assay PROGRAM --records DIR --out FILE [--seconds N] [--compile off|default|max]

Taken: Llama-shaped prefill and decode, and the blocks of Wan's video transformer, in bf16, with as many layers as the
record ran. For each shape the fastest of the attention backends and, while time is left, the faster of eager and
torch.compile runs as one CUDA graph. A compilation first runs in a process of its own, which is ended when its time
is over and leaves its kernels in a cache beside FILE; one that did not end is named as left out, and another call
with the same FILE tries that shape again, from where the cache is. Both sides are timed alike: host time from the
call to the end of the step, after as long a warm-up and over as long a time as the record's. A ratio is PyTorch's
median over ours: above 1, ours is faster. Last the sustained rates of a product and of the copy: a card at its power
limit is faster in the first tenths of a second.
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
SUSTAINED_S, CASE_S, COMPILE_S, RATES_S = 3, 15, 12, 9  # CASE_S: what a case takes without compiling
MOST_WITHOUT_OURS = 8  # layers where our own case failed: it does not say how many fit the time


class OutOfTime(BaseException):
    """No Exception: what compiles must not take it for a failure of its own."""


@contextlib.contextmanager
def at_most(seconds):
    def stop(*_):
        raise OutOfTime

    signal.signal(signal.SIGALRM, stop)
    begin = time.perf_counter()
    outer, _ = signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.1))
    try:
        yield
    finally:
        rest = outer - (time.perf_counter() - begin)
        signal.setitimer(signal.ITIMER_REAL, max(rest, 0.1) if outer else 0)


def say(text):
    print(text, flush=True)


def times_ms(run, seconds, least=3):
    """Host times of steps, each waited for."""
    times, begin = [], time.perf_counter()
    gc.disable()
    try:
        while len(times) < least or time.perf_counter() - begin < seconds:
            start = time.perf_counter_ns()
            run()
            torch.cuda.synchronize()
            times.append((time.perf_counter_ns() - start) / 1e6)
    finally:
        gc.enable()
    return times


def spread(times):
    """Relative to the median: standard deviation, and p99 where 100 steps tell it."""
    middle = statistics.median(times)
    p99 = sorted(times)[int(0.99 * len(times))] if len(times) >= 100 else None
    return {"steps": len(times), "p50_ms": middle, "cov": statistics.pstdev(times) / middle,
            "p99_over_p50": None if p99 is None else p99 / middle - 1}


def spread_text(s):
    tail = "p99 untold" if s["p99_over_p50"] is None else f"p99 +{s['p99_over_p50']:.2%}"
    return f"{s['p50_ms']:.3f} ms (sd {s['cov']:.2%}, {tail}, n {s['steps']})"


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
                found.append((name, statistics.median(times_ms(run, 0.1))))
        except RuntimeError:
            pass  # not for this shape
    return sorted(found, key=lambda f: f[1])


def graph_of(step):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph


def attention_order(names):
    return sdpa_kernel([BACKENDS[n] for n in names] + [SDPBackend.MATH], set_priority=True)


def ended_in_time(command, seconds):
    """None, or why it did not: the process and all that it started are gone then."""
    child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             text=True)
    try:
        said = child.communicate(timeout=seconds)[1].strip().splitlines()
        return None if child.returncode == 0 else f"failed: {said[-1][:150] if said else child.returncode}"
    except subprocess.TimeoutExpired:
        return f"did not end in {seconds:.0f} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def compile_ahead(file, variant, attention):
    """The other process: one layer of a record's case, compiled and run once."""
    case = json.loads(pathlib.Path(file).read_text())["case"]
    model = model_of(case)(case, 1)
    with torch.no_grad(), attention_order(attention):
        model.step(torch.compile(model.layer, dynamic=False, **dict(compilations("max"))[variant]), 1)
    torch.cuda.synchronize()


def compilations(level):
    """(name, arguments of torch.compile), the cheapest first, as time may end; the last tries many kernels."""
    if level != "off":
        yield "compiled", {}
        yield "compiled, tuned", {"options": {"coordinate_descent_tuning": True}}
    if level == "max":
        yield "max-autotune", {"mode": "max-autotune-no-cudagraphs"}


def fastest_layer(model, file, attention, level, seconds):
    """(name, layer) of eager or compiled, and of each compilation that was left out why. One layer alone tells; the
    rest of the step is equal."""
    tried, left_out, end = [], {}, time.perf_counter() + seconds
    for name, options in [("eager", None), *compilations(level)]:
        rest = end - time.perf_counter()
        if options is not None:
            command = [sys.executable, __file__, "--ahead", name, "--records", file, "--attention", *attention]
            # A quarter is kept for the same from the cache, in this process.
            why = f"{rest:.0f} s were left" if rest < COMPILE_S else ended_in_time(command, 0.75 * rest)
            if why:
                left_out[name] = why
                continue
        try:
            with at_most(max(end - time.perf_counter(), COMPILE_S / 4)):
                layer = model.layer if options is None else torch.compile(model.layer, dynamic=False, **options)
                graph = graph_of(lambda: model.step(layer, 1))
                tried.append((name, layer, statistics.median(times_ms(graph.replay, 0.2))))
                del graph
        except OutOfTime:
            left_out[name] = "out of time with its kernels in the cache"
        except Exception as e:  # a compiler may fail in any way; eager stays
            left_out[name] = f"{type(e).__name__}: {str(e).splitlines()[0][:150] if str(e) else ''}"
    say("  a layer and the rest: " + ", ".join([f"{n} {ms:.3f} ms" for n, _, ms in tried] +
                                               [f"{n}: {why}" for n, why in left_out.items()]))
    return *min(tried, key=lambda t: t[2])[:2], left_out


def timed(record, layers, level, seconds):
    case, stop = record["case"], record["stop"]
    model = model_of(case)(case, layers)
    attention = fastest_attention(model.shape)
    say("  attention: " + ", ".join(f"{n} {ms:.3f} ms" for n, ms in attention))
    names = [n for n, _ in attention]
    with torch.no_grad(), attention_order(names):
        name, layer, left_out = fastest_layer(model, record["file"], names, level, seconds)
        graph = torch.cuda.CUDAGraph()  # the shapes have run: nothing is left to set up
        with torch.cuda.graph(graph):
            model.step(layer, layers)
    torch.cuda.synchronize()
    times_ms(graph.replay, max(stop.get("warmup_s") or 0, 0.02), least=1)
    like = times_ms(graph.replay, stop.get("timed_s") or 1)
    rest = SUSTAINED_S - sum(like) / 1e3
    long = times_ms(graph.replay, rest, least=1) if rest > 0 else like
    return {"variant": name, "attention": attention[0][0] if attention else "math", "torch": spread(like),
            "torch_sustained_p50_ms": statistics.median(long[len(long) // 2:]), "compile_left_out": left_out}


def sustained(name, run, amount, unit):
    """Rates in the first 0.1 s and after 2 s."""
    def rate(seconds):
        done, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            for _ in range(10):
                run()
            done += 10
            torch.cuda.synchronize()
        return amount * done / (time.perf_counter() - begin)

    for _ in range(3):
        run()
    torch.cuda.synchronize()
    time.sleep(0.5)
    burst = rate(0.1)
    rate(2)
    steady = rate(1)
    say(f"PyTorch {name}: {steady / 1e12:.4g} T{unit}/s sustained, {burst / 1e12:.4g} in the first 0.1 s")
    return {"burst_per_s": burst, "sustained_per_s": steady}


def rates():
    a, b, c = (normal(8192, 8192) for _ in range(3))
    out = {"gemm": sustained("product of 8192, bf16", lambda: torch.mm(a, b.t(), out=c), 2 * 8192**3, "FLOP")}
    x, y, z = (torch.randn(2**28, device="cuda") for _ in range(3))
    out["copy"] = sustained("copy (2 read, 1 written)", lambda: torch.add(x, y, out=z), 3 * 4 * 2**28, "B")
    return out


def records(assay, folder):
    """(file's record, our step times in ms or None) of every measured record, what the chip is judged by first."""
    order = {"prefill": 0, "decode": 1, "dit": 2}
    found = [json.loads(f.read_text()) | {"file": str(f)} for f in pathlib.Path(folder).rglob("*.record.json")]
    found = [r for r in found if r["basis"] == "measured" and model_of(r["case"])]
    for r in sorted(found, key=lambda r: (r["status"] != "ok", order[r["case"]["kind"]], r["case_id"])):
        ours = None
        if r["status"] == "ok":
            shown = subprocess.run([assay, "show", r["file"], "--samples"], capture_output=True, text=True)
            ours = [ns / 1e6 for ns in json.loads(shown.stdout or "{}").get("host_ns", [])] or None
        yield r, ours


def layers_of(record):
    cut, case = record.get("extrapolation"), record["case"]
    if cut:
        return cut["layers_run"]
    layers = case["video_model"]["dit"]["blocks"] if case["kind"] == "dit" else case["model"]["layers"]
    return layers if record["status"] == "ok" else min(layers, MOST_WITHOUT_OURS)


def row_of(record, ours, level, seconds):
    layers = layers_of(record)
    say(f"{record['case_id']}, {layers} layers")
    row = {"case": record["case_id"], "record": record["id"], "layers": layers, "ours": spread(ours) if ours else None}
    row |= timed(record, layers, level, seconds)
    theirs = f"PyTorch ({row['variant']}, {row['attention']}) {spread_text(row['torch'])}"
    theirs += f", sustained {row['torch_sustained_p50_ms']:.3f} ms"
    if ours:
        row["ratio"] = row["torch"]["p50_ms"] / row["ours"]["p50_ms"]
        say(f"  ours {spread_text(row['ours'])}; {theirs}; ratio {row['ratio']:.3f}")
    else:
        say(f"  ours: {record['status']}: {record['reason'][:100]}; {theirs}")
    return row


def caches(file):
    """Of compilations, beside the file, also for the processes that are started from here."""
    for name, folder in (("TORCHINDUCTOR_CACHE_DIR", "inductor"), ("TRITON_CACHE_DIR", "triton")):
        os.environ.setdefault(name, str(file.resolve().parent / "torch-cache" / folder))


def todo_of(found, rows):
    """What has no row yet, then what has one without a compilation that was left out."""
    left = {row["record"]: bool(row.get("compile_left_out")) for row in rows}
    return [r for r in found if r[0]["id"] not in left] + [r for r in found if left.get(r[0]["id"])]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--assay")
    parser.add_argument("--records", required=True)
    parser.add_argument("--out")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--compile", default="default", choices=["off", "default", "max"])
    parser.add_argument("--ahead", help="only compile this variant of the one record")
    parser.add_argument("--attention", nargs="*", default=[])
    args = parser.parse_args()
    if args.ahead:
        return compile_ahead(args.records, args.ahead, args.attention)
    end = time.perf_counter() + args.seconds
    out = {"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "gpu": torch.cuda.get_device_name(),
           "rows": [], "left_out": []}
    file = pathlib.Path(args.out)
    caches(file)
    before = json.loads(file.read_text()) if file.exists() else {}
    if all(before.get(key) == out[key] for key in ("torch", "cudnn", "gpu")):
        out["rows"] = before["rows"]  # of an earlier call
    keep = lambda: file.write_text(json.dumps(out, indent=1))
    todo = todo_of(list(records(args.assay, args.records)), out["rows"])
    for i, (record, ours) in enumerate(todo):
        left = end - RATES_S - time.perf_counter()
        if left < CASE_S:
            timed_before = {row["record"] for row in out["rows"]}
            out["left_out"] += [r["case_id"] for r, _ in todo[i:] if r["id"] not in timed_before]
            break
        try:
            with at_most(left):
                spare = left - CASE_S * (len(todo) - i)
                row = row_of(record, ours, args.compile, spare / 2 if i + 1 < len(todo) else spare)
                out["rows"] = [r for r in out["rows"] if r["record"] != record["id"]] + [row]
        except (OutOfTime, Exception) as e:  # whatever fails, the other shapes still run
            print(f"{record['case_id']}: {type(e).__name__}: {str(e)[:300]}", file=sys.stderr)
            out["left_out"].append(record["case_id"])
        gc.collect()
        torch.cuda.empty_cache()
        keep()
    try:
        with at_most(end - time.perf_counter()):
            out |= rates()
    except (OutOfTime, RuntimeError) as e:
        print(f"rates: {type(e).__name__} {e}", file=sys.stderr)
    out["left_out"] += [f"torch.compile ({name}) of {row['case']}: {why}" for row in out["rows"]
                        for name, why in row.get("compile_left_out", {}).items()]
    keep()
    for what in out["left_out"]:
        say(f"left out: {what}")
    if not out["rows"] and not todo:
        print("no record has a shape that this script runs", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # the rows so far are in the file
        sys.exit(130)
