"""What a call of gpu.sh came to: targets met or missed, suites as far as they are measured, what failed and what is left.

    gpu_summary.py FOLDER --assay PROGRAM [--publish FOLDER]

Writes summary.json beside the records and prints it as a table. Rates and ratios are of the mean step, as throughput is.
Products are held against the GEMM measured beside the case by the same worker (MFU); decoding against the copy of the same
call, the bytes of weights and KV cache that a step must read over its time. PyTorch counts by the fastest of its variants.
Jitter is the p99 of the
change from one step to the next, over the median step: both sides over equally many steps, launch by launch.
--publish copies one measured record of each case, the targets' first. Exit code 1: something failed.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

GOALS = {"prefill": 0.80, "decode-b1": 0.88, "decode-b64": 0.88, "block": 0.70}  # of the GEMM; decoding: of the copy
SUITES = ("prefill", "decode", "long-context", "moe-routing", "video-diffusion")


NO_CHECKS = {"passed": 0, "failed": {}}


def records(folder):
    """The last of each case; one that was cut off lies beside the one that went on."""
    found = [json.loads(f.read_text()) | {"file": str(f)} for f in folder.rglob("*.record.json")]
    found.sort(key=lambda r: (r["status"] != "interrupted", r["created"]))
    return list({r["case_id"]: r for r in found}.values())


def shown(assay, record):
    said = subprocess.run([assay, "show", record["file"], "--json"], capture_output=True, text=True).stdout
    return (json.loads(said or "[]") or [{}])[0]


def lines(file):
    return [line for line in file.read_text().splitlines() if line] if file.exists() else []


def goal(name, value, needed, basis, note):
    ratio = value / needed if value is not None else None
    verdict = "not measured" if value is None else basis if basis != "measured" else "pass" if ratio >= 1 else "miss"
    return {"target": name, "value": value, "needed": needed, "of_target": ratio, "verdict": verdict, "note": note}


def best_row(rows):
    rows = [r for r in rows if r.get("torch")]
    return min(rows, key=lambda r: r["torch"]["mean_ms"]) if rows else None


def targets(folder, assay, torch):
    ceilings = {name: [r for r in records(folder / "ceilings" / name) if r["status"] == "ok"] for name in ("gemm", "copy")}
    rate = {name: shown(assay, found[-1]).get("rate_per_s") if found else None for name, found in ceilings.items()}
    out, against = [], []
    for name, needed in GOALS.items():
        record = (records(folder / "targets" / name) or [{}])[-1]
        mine = [r for r in torch.get("rows", []) if r["record"] == record.get("id")]
        row, basis = best_row(mine), record.get("basis", "measured")
        value, note = None, record.get("reason") or "no record"
        if record.get("status") == "ok":
            told = shown(assay, record)  # its peaks are those that its shares are of, over all launches
            step = f"p50 {told['step_p50_ns'] / 1e6:.3f} ms, " if told.get("step_p50_ns") else "too few steps for a p50, "
            if name.startswith("decode"):
                share, read = told["mbu_attainable"], told["ceiling_read_bytes_per_s"]
                moved = share * read if share else None
                value = moved / rate["copy"] if moved and rate["copy"] else None
                note = step + (f"{moved / 1e12:.3f} TB/s, {share:.1%} of the read beside it" if moved else "no read beside it")
                note += f"; copy {rate['copy'] / 1e12:.3f} TB/s" if rate["copy"] else "; copy not measured"
            else:
                value, gemm = told["mfu_attainable"], told["ceiling_flops_per_s"]
                note = step + (f"{value * gemm / 1e12:.1f} of {gemm / 1e12:.1f} TFLOP/s" if value else "no GEMM beside it") + (
                    f"; {value * gemm / rate['gemm']:.1%} of the GEMM held for 3 s" if value and rate["gemm"] else "")
            note += "".join(f"; {w}" for w in record.get("warnings", []) if "clocks" in w)
        out.append(goal(f"{name}, of the {'copy' if name.startswith('decode') else 'GEMM'}", value, needed, basis, note))
        if torch.get("basis", basis) != "measured":
            basis = "simulated"
        spread = lambda s: f"{s['mean_ms']:.3f} ms (p50 {s['p50_ms']:.3f}, settled {s['settled_p50_ms']:.3f})"
        tried = ", ".join(f"{r['variant']} " + (spread(r["torch"]) if r.get("torch") else "does not help") for r in mine)
        ours = row and row.get("ours")
        tried = (tried or "no step of PyTorch's") + (f"; ours {spread(ours)}" if ours else "")
        ahead = row["torch"]["mean_ms"] / ours["mean_ms"] if ours else None
        against.append(goal(f"{name}, ahead of PyTorch", ahead, 1, basis, tried))
        pair = ours and (ours["jitter"], row["torch"]["jitter"])
        against.append(goal(f"{name}, jitter: PyTorch's over ours", pair[1] / pair[0] if pair and pair[0] else None, 1, basis,
                            f"{pair[0]:.3%} and {pair[1]:.3%}, sd {ours['sd']:.3%} and {row['torch']['sd']:.3%}, "
                            f"of {ours['steps']} steps" if pair else tried))
    return out + against


def suites(folder):
    out = {}
    for suite in SUITES:
        found = {r["case_id"]: r for r in records(folder / "suites" / suite)}
        planned = lines(folder / f"{suite}.cases")
        for campaign in (folder / "suites" / suite).rglob("campaign.json") if not planned else ():
            planned += [c["id"] for c in json.loads(campaign.read_text())["cases"]]
        by = lambda status: [r for r in found.values() if r["status"] == status]
        out[suite] = {"cases": len(planned), "measured": len(by("ok")), "unsupported": len(by("unsupported")),
                      "failed": {r["case_id"]: r["reason"] for r in by("failed")},
                      "left": len(planned) - sum(len(by(s)) for s in ("ok", "unsupported", "failed"))}
    return out


def checks(folder):
    passed, failed = 0, {}
    for file in sorted(folder.glob("conformance-*.json")):
        for check in json.loads(file.read_text() or "{}").get("checks", []):
            passed += check["verdict"] == "pass"
            if check["verdict"] == "fail":
                failed[check["id"]] = [f"{f['name']}: {f['detail']}" for f in check["findings"] if f["outcome"] == "fail"][:3]
    return {"passed": passed, "failed": failed}


def every_dtype(folder):
    found = records(folder / "dtypes")
    return {"ok": [r["case_id"] for r in found if r["status"] == "ok"],
            "not_ok": {r["case_id"]: f"{r['status']}: {r['reason']}" for r in found if r["status"] != "ok"}}


def publish(folder, to):
    kept = {}
    for part in ("targets", "ceilings", "suites"):  # not those at every dtype, which ran beside a compiler
        for r in records(folder / part):
            if r["basis"] == "measured" and r["status"] == "ok":
                kept.setdefault(r["case_id"], r["file"])
    to.mkdir(parents=True, exist_ok=True)
    for file in kept.values():
        shutil.copy(file, to)
    torch = folder / "torch.json"
    if torch.exists() and json.loads(torch.read_text()).get("basis") == "measured":
        shutil.copy(torch, to / "pytorch.json")
    print(f"published: {len(kept)} records in {to}")


def text(out):
    say = [f"{'target':44} {'value':>8} {'needed':>7} {'of it':>7}  verdict"]
    for t in out["targets"]:
        value, ratio = (f"{t[k]:.3f}" if t[k] is not None else "–" for k in ("value", "of_target"))
        say.append(f"{t['target']:44} {value:>8} {t['needed']:7.2f} {ratio:>7}  {t['verdict']}: {t['note'][:150]}")
    say.append(f"\n{'suite':16} {'cases':>6} {'measured':>9} {'unsupported':>12} {'failed':>7} {'left':>6}")
    for name, s in out["suites"].items():
        say.append(f"{name:16} {s['cases']:6} {s['measured']:9} {s['unsupported']:12} {len(s['failed']):7} {s['left']:6}")
    say += [f"  failed: {case}: {why[:160]}" for s in out["suites"].values() for case, why in s["failed"].items()]
    kit, dtypes = out["conformance"], out["dtypes"]
    say.append(f"conformance: {kit['passed']} checks passed, {len(kit['failed'])} failed; dtypes: {len(dtypes['ok'])} cases ok")
    say += [f"  {where}: {'; '.join(why) if isinstance(why, list) else why}"[:200]
            for where, why in (kit["failed"] | dtypes["not_ok"]).items()]
    for title, key in (("Failed", "failures"), ("Left out", "left_out")):
        say += [f"{title}:"] + [f"  - {line}" for line in out[key]] if out[key] else []
    return "\n".join(say)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--assay", required=True)
    parser.add_argument("--publish", type=pathlib.Path)
    args = parser.parse_args()
    file = args.folder / "torch.json"
    torch = json.loads(file.read_text()) if file.exists() else {}
    out = {"devices": json.loads((args.folder / "devices.json").read_text()), "failures": lines(args.folder / "failures.txt"),
           "left_out": lines(args.folder / "omitted.txt") + [f"PyTorch, {k}: {v}" for k, v in torch.get("left_out", {}).items()]}
    for key, make, empty in (("targets", lambda: targets(args.folder, args.assay, torch), []),
                             ("suites", lambda: suites(args.folder), {}), ("conformance", lambda: checks(args.folder), NO_CHECKS),
                             ("dtypes", lambda: every_dtype(args.folder), {"ok": [], "not_ok": {}})):
        try:
            out[key] = make()
        except Exception as e:  # the rest of the table still tells
            out[key] = empty
            out["failures"].append(f"the table's {key}: {type(e).__name__}: {e}")
    (args.folder / "summary.json").write_text(json.dumps(out, indent=1))
    print(text(out))
    if args.publish:
        publish(args.folder, args.publish)
    return bool(out["failures"] or out["conformance"]["failed"] or any(s["failed"] for s in out["suites"].values()) or
                any(why.startswith("failed") for why in out["dtypes"]["not_ok"].values()))


if __name__ == "__main__":
    sys.exit(main())
