"""Every second row, the 1st, 3rd, ..., of the benchmarks: those that the numbers of the README are on.

    python experiments/halve.py DuoGuard/evaluation half
    cargo run --release --bin experiment -- --data half
"""

import csv
import json
import sys
from pathlib import Path


def halved(path):
    """The text of the file with half of its rows: CSV, a JSON array, or an object a line."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        return [rows[0], *rows[1::2]]
    text = path.read_text(encoding="utf-8")
    try:
        return json.dumps(json.loads(text)[::2], ensure_ascii=False, indent=1)
    except json.JSONDecodeError:
        return "\n".join([line for line in text.split("\n") if line.strip()][::2]) + "\n"


def main(source, target):
    files = [path for path in sorted(source.glob("eval_data_*/*")) if path.suffix in {".csv", ".json", ".jsonl"}]
    if not files:
        sys.exit(f"{source}: no eval_data_*/ files are there; give the evaluation folder of a clone of DuoGuard")
    for path in files:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        half = halved(path)
        with copy.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(half) if path.suffix == ".csv" else file.write(half)
    print(f"{len(files)} files are in {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
