"""The decoder beside PyTorch: same weights, same machine, one run.

    pip install torch transformers accelerate gguf
    cargo build --release --bench decoder
    python benches/decoder.py MODEL.gguf [ROUNDS]

MODEL.gguf is any model that both read, for example SmolLM2-135M-Instruct. The best of all rounds is
shown: seconds by the clock, and in brackets those of all processors, which other work on the machine
disturbs less. Rounds of the two alternate.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

model, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
built = Path(__file__).parent.parent / "target/release/deps"
binary = max(
    (p for p in built.glob("decoder-*") if p.suffix == "" and b"forward_8x64" in p.read_bytes()),
    key=lambda p: p.stat().st_mtime,
)


def ours(*arguments, text=""):
    done = subprocess.run([binary, *arguments], input=text, capture_output=True, text=True, check=True)
    return done.stdout


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
        for name, batch in [("forward_8x64", ids(8, 64)), ("forward_1x40", ids(1, 40))]:
            found[name] = best(5, lambda: lm.model(batch).last_hidden_state[:, -1])

        def generate():
            cache = lm(ids(1, 16), use_cache=True).past_key_values
            for t in range(32):
                cache = lm(torch.tensor([[100 + t]]), past_key_values=cache, use_cache=True).past_key_values

        found["token_with_cache"] = [seconds / 32 for seconds in best(2, generate)]

    def backward():
        lm.model(ids(8, 64)).last_hidden_state[:, -1].square().mean().backward()

    optimizer = torch.optim.AdamW(lm.parameters(), lr=1e-30, fused=True)

    def step():
        backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    found["forward_backward_8x64"] = best(3, lambda: (backward(), optimizer.zero_grad(set_to_none=True)))
    found["step_8x64"] = best(3, step)
    return found


def main():
    torch.manual_seed(0)
    lm = AutoModelForCausalLM.from_pretrained(
        model.parent, gguf_file=model.name, dtype=torch.float32
    ).eval()
    sequences = [[1, 100, 200, 300, 4000], [2, 7, 8, 9, 1234], [i * 37 % 3000 + 10 for i in range(700)]]
    with torch.no_grad():
        expected = torch.stack([lm(torch.tensor([s])).logits[0, -1] for s in sequences])
    text = "\n".join(map(json.dumps, sequences))
    for how in [[], ["quantised"]]:
        found = torch.tensor(json.loads(ours("logits", str(model), *how, text=text)))
        print("logits", *how, "differ by", (found - expected).abs().max().item(), "of", expected.abs().max().item())

    tables = {"PyTorch": {}, "nashguard": {}, "nashguard quantised": {}}
    for _ in range(rounds):
        for name, run in [
            ("PyTorch", lambda: theirs(lm)),
            ("nashguard", lambda: json.loads(ours("speed", str(model)))),
            ("nashguard quantised", lambda: json.loads(ours("speed", str(model), "quantised"))),
        ]:
            for key, value in run().items():
                if isinstance(value, list):
                    value = [min(pair) for pair in zip(value, tables[name].get(key, value))]
                tables[name][key] = value
    tables["PyTorch"]["weights_bytes"] = 4 * sum(p.numel() for p in lm.parameters())
    keys = list(dict.fromkeys(key for table in tables.values() for key in table))
    print(f"{'':30}" + "".join(f"{name:>22}" for name in tables))
    for key in keys:
        print(f"{key:30}" + "".join(f"{shown(table.get(key)):>22}" for table in tables.values()))


def shown(value):
    if isinstance(value, list):
        return f"{value[0]:.3f} ({value[1]:.3f})"
    return "" if value is None else str(value)


main()
