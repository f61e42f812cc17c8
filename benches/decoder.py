"""The decoder beside PyTorch: same weights, same machine, one run of a few minutes.

    pip install torch transformers accelerate gguf
    cargo build --release --bench decoder
    python benches/decoder.py MODEL.gguf [--texts FILE] [--large MODEL.gguf] [--rounds 2]

MODEL.gguf is any model that both read, for example SmolLM2-135M-Instruct. Rounds of the two alternate, and
the least of all rounds counts. FILE holds a JSON string a line: text whose surprise is measured with weights
in f32 and in bytes. The memory that the fine-tuning of a large model takes is measured where one is given.
Writes bench-decoder.json and .md into $NASHGUARD_BENCH_DIR (default experiments/results).
"""

import argparse
import json
import os
import resource
import subprocess
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).parent.parent
BINARY = max(
    (p for p in (ROOT / "target/release/deps").glob("decoder-*") if p.suffix == "" and b"forward_1x64" in p.read_bytes()),
    key=lambda p: p.stat().st_mtime,
)


def ours(*arguments, text=""):
    command = [str(a) for a in [BINARY, *arguments]]
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout


def best(times, run):
    seconds = []
    for _ in range(times):
        start, used = time.perf_counter(), time.process_time()
        run()
        seconds.append((time.perf_counter() - start, time.process_time() - used))
    return [min(each) for each in zip(*seconds)]


def ids(rows, length):
    return torch.tensor([[(i * 1009 + t * 31) % 4000 + 100 for t in range(length)] for i in range(rows)])


def theirs(lm):
    """The same measurements as `speed` in benches/decoder.rs."""
    found = {}
    with torch.no_grad():
        for name, times, batch in [("forward_8x64", 3, ids(8, 64)), ("forward_1x64", 6, ids(1, 64))]:
            found[name] = best(times, lambda: lm.model(batch).last_hidden_state[:, -1])

        def generate():
            cache = lm(ids(1, 16), use_cache=True).past_key_values
            for t in range(32):
                cache = lm(torch.tensor([[100 + t]]), past_key_values=cache, use_cache=True).past_key_values

        found["token_with_cache"] = [seconds / 32 for seconds in best(3, generate)]
        how = {"do_sample": True, "min_new_tokens": 32, "max_new_tokens": 32, "pad_token_id": 0}
        mask = torch.ones(8, 16, dtype=torch.long)
        drawn = best(3, lambda: lm.generate(ids(8, 16), attention_mask=mask, **how))
        found["sampled_token_of_8"] = [seconds / (8 * 32) for seconds in drawn]
    optimizer = torch.optim.AdamW(lm.parameters(), lr=1e-30, fused=True)

    def step():
        lm.model(ids(8, 64)).last_hidden_state[:, -1].square().mean().backward()
        torch.nn.utils.clip_grad_norm_(lm.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    found["step_8x64"] = best(3, step)
    return found


def accuracy(lm, model, texts):
    sequences = [[1, 100, 200, 300, 4000], [2, 7, 8, 9, 1234], [i * 37 % 3000 + 10 for i in range(700)]]
    with torch.no_grad():
        expected = torch.stack([lm(torch.tensor([s])).logits[0, -1] for s in sequences])
    found = {}
    for name, how in [("f32", []), ("quantised", ["quantised"])]:
        logits = torch.tensor(json.loads(ours("logits", model, *how, text="\n".join(map(json.dumps, sequences)))))
        found[name] = {"error": (logits - expected).abs().max().item(), "largest": expected.abs().max().item()}
        if texts:
            found[name] |= json.loads(ours("surprise", model, *how, text=texts))
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("model", type=Path)
    arguments.add_argument("--texts", type=Path)
    arguments.add_argument("--large", type=Path)
    arguments.add_argument("--rounds", type=int, default=2)
    options = arguments.parse_args()
    model = options.model.resolve()
    started, load = time.time(), os.getloadavg()[0]
    torch.manual_seed(0)
    lm = AutoModelForCausalLM.from_pretrained(model.parent, gguf_file=model.name, dtype=torch.float32).eval()
    measured = {"accuracy": accuracy(lm, model, options.texts.read_text() if options.texts else "")}
    for _ in range(options.rounds):
        for name, run in [
            ("torch", lambda: theirs(lm)),
            ("f32", lambda: json.loads(ours("speed", model))),
            ("quantised", lambda: json.loads(ours("speed", model, "quantised"))),
        ]:
            old = measured.setdefault(name, {})
            for key, value in run().items():
                if isinstance(value, list):
                    value = [min(pair) for pair in zip(value, old.get(key, value))]
                old[key] = value
    measured["torch"]["weights_bytes"] = 4 * sum(p.numel() for p in lm.parameters())
    measured["torch"]["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if options.large:
        for name, how in [("large", []), ("large_trimmed", ["trimmed"])]:
            measured[name] = json.loads(ours("memory", options.large.resolve(), *how))
    versions = f"PyTorch {torch.__version__}, transformers {transformers.__version__}, {torch.get_num_threads()} threads"
    measured["about"] = f"{model.name}; {versions}; the machine's load at the start was {load:.1f}"
    if options.large:
        measured["about"] += f"; the second model is {options.large.name}"
    measured["command"] = "python benches/decoder.py MODEL.gguf --texts FILE --large MODEL.gguf"
    measured["minutes"] = (time.time() - started) / 60
    print(ours("report", text=json.dumps(measured)))


main()
