"""Labels from a fine-tuned SmolLM2 for the English rows of the shipped guardrail.

    nashguard train --config experiments/guardrail/teacher.toml --data DIR --models MODELS --out runs/teacher
    python distil.py rows DIR > rows.jsonl
    nashguard classify --model runs/teacher/model rows.jsonl > verdicts.jsonl
    python distil.py labels DIR verdicts.jsonl > DIR/distilled.jsonl

`rows` writes the rows that the teacher read: English, of the licences named in experiments/guardrail.toml, without the two
sources that its configuration holds out. `labels` writes them a second time, each unsafe with the probability that the
teacher gives it: the expected loss over such draws is the cross-entropy with the teacher's probabilities.
"""

import gzip
import json
import pathlib
import random
import sys
import tomllib

HERE = pathlib.Path(__file__).parent


def rows(folder):
    licences = set(tomllib.loads((HERE.parent / "guardrail.toml").read_text())["licences"])
    held_out = set(tomllib.loads((HERE / "teacher.toml").read_text())["selection"]["held_out"])
    with gzip.open(pathlib.Path(folder) / "seed/train.jsonl.gz", "rt") as file:
        for row in map(json.loads, file):
            if row["lang"] == "en" and row["license"] in licences and row["source"].split("#")[1] not in held_out:
                yield row


def labels(folder, verdicts):
    with open(verdicts) as file:
        scores = {v["line"]: v["score"] for v in map(json.loads, file)}
    draw = random.Random(0)
    for line, row in enumerate(rows(folder), 1):
        unsafe = draw.random() < scores[line]
        categories = row["categories"] if unsafe else []
        yield {**row, "id": row["id"] + "-teacher", "unsafe": unsafe, "categories": categories}


match sys.argv[1:]:
    case ["rows", folder]:
        found = rows(folder)
    case ["labels", folder, verdicts]:
        found = labels(folder, verdicts)
    case _:
        sys.exit(__doc__)
for row in found:
    print(json.dumps(row, ensure_ascii=False))
