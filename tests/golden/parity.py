"""nashguard's decoders beside `transformers`, on the same files; writes parity.json beside this script.

    pip install torch transformers gguf accelerate
    cargo build --release --bench decoder
    python tests/golden/parity.py --data DIR MODEL.gguf ...

- The tiny models of tests/golden, saved by nashguard, are opened by `transformers`: largest difference of their
  logits to those in logits.json.
- Each MODEL.gguf, its weights in f32: largest difference of the logits after the last token of TEXTS benchmark
  texts, and how often the same token is likeliest; and of all texts of the 24 benchmark files in DIR (`--data`
  as for `experiment`), how many the two cut into the same tokens. Where `transformers` leaves out of a GGUF what the
  model's own tokenizer.json does (SmolLM2 sets digits apart, Qwen2 composes letters by NFC), it is counted both without
  and with that; and once more with the tokenizer that `transformers` opens in the folder that nashguard saves.
"""

import argparse
import csv
import functools
import hashlib
import io
import json
import os
import subprocess
import tempfile
from pathlib import Path

import gguf
import tokenizers
import torch
import transformers
from decoder import MODELS, logits  # beside this script
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
TEXTS = 48
LONGEST = 256


@functools.cache
def binary():
    found = (TARGET / "release/deps").glob("decoder-*")
    found = [p for p in found if p.suffix == "" and b"forward_1x64" in p.read_bytes()]
    if not found:
        raise SystemExit(f"no program in {TARGET}/release: cargo build --release --bench decoder")
    return max(found, key=lambda p: p.stat().st_mtime)


def ours(*arguments, lines=()):
    text = "\n".join(map(json.dumps, lines))
    command = [str(a) for a in [binary(), *arguments]]
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout


def saved(name):
    golden = json.loads((HERE / name / "logits.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        ours("save", HERE / name, folder)
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    pairs = zip(logits(model, golden["sequences"]), golden["logits"])
    return max((a - torch.tensor(b)).abs().max().item() for a, b in pairs)


def texts(data):
    """Of each benchmark file, as the classifier reads them."""
    for path in sorted((data / "benchmarks").glob("eval_data_*/*")):
        whole = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            rows = csv.DictReader(io.StringIO(whole, newline=""))
        elif path.suffix == ".jsonl":
            rows = map(json.loads, whole.strip().split("\n"))
        else:
            rows = json.loads(whole)
        answer = "beavertail" in path.name
        yield [row["prompt"] + (f" {row['response']}" if answer else "") for row in rows]


def real(path, files):
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    everything = [text for rows in files for text in rows]
    cut = [json.loads(line) for line in ours("tokens", path, lines=everything).splitlines()]

    def same(tokenizer):
        return sum(a == b for a, b in zip(cut, tokenizer(everything)["input_ids"], strict=True))

    with tempfile.TemporaryDirectory() as folder:
        ours("save", path, folder)
        as_saved = same(AutoTokenizer.from_pretrained(folder))
    as_read, backend, about = same(tokenizer), tokenizer.backend_tokenizer, gguf.GGUFReader(path)
    name, pre = (f and f.contents() for f in map(about.get_field, ["general.name", "tokenizer.ggml.pre"]))
    match pre:
        case "smollm":
            digits = tokenizers.pre_tokenizers.Digits(individual_digits=True)
            letters = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
            backend.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([digits, letters])
        case "qwen2":
            backend.normalizer = tokenizers.normalizers.NFC()
    chosen = [ids[:LONGEST] for ids in cut[:: len(cut) // TEXTS][:TEXTS]]
    found = torch.tensor(json.loads(ours("logits", path, lines=chosen)))
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    expected = torch.stack([one[-1] for one in logits(model, chosen)])
    return {
        "name": name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "benchmark_files": len(files),
        "benchmark_texts": len(everything),
        "texts_of_the_same_tokens": as_read,
        "with_what_the_gguf_reader_leaves_out": same(tokenizer),
        "by_the_tokenizer_that_nashguard_saves": as_saved,
        "sequences": len(chosen),
        "largest_logit": expected.abs().max().item(),
        "largest_logit_difference": (found - expected).abs().max().item(),
        "same_likeliest_token": (found.argmax(1) == expected.argmax(1)).sum().item(),
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("models", nargs="+", type=Path)
    arguments.add_argument("--data", type=Path, required=True)
    options = arguments.parse_args()
    files = list(texts(options.data))
    result = {
        "made_by": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}",
        "saved_by_nashguard_largest_difference": {name: saved(name) for name in MODELS},
        "models": {path.name: real(path.resolve(), files) for path in options.models},
    }
    text = json.dumps(result, indent=2)
    (HERE / "parity.json").write_text(text + "\n")
    print(text)


main()
