"""Translates permissively licensed seed rows for the n-grams of the shipped guardrail.

    apt-get install apertium apertium-eng-spa apertium-fr-es dict-freedict-eng-deu
    python translate.py DIR            (reads DIR/seed/train.jsonl.gz, writes DIR/translated.jsonl.gz)

English to Spanish by Apertium; French to Spanish by Apertium, for the sources named below; English to French through that
Spanish; English to German word by word, by a dictionary. The translations are rough: they carry words and word pairs into
languages in which no source holds unsafe requests. They are used in training only; keep them out of the repository.
Translators and dictionary are under the GPL, which covers the programs and not what they translate.
"""

import collections
import gzip
import json
import pathlib
import random
import re
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
FRENCH = {
    "ailuminate-demo", "moonshot-ailuminate", "piaf", "vigogne-fr", "frenchmedmcqa", "cyberseceval-injection", "toxifrench", "mlma",
    "ftr",
}  # fmt: skip


def apertium(pair, lines):
    done = subprocess.run(["apertium", "-u", "-f", "txt", pair], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[: len(lines)]


def clean(text):
    """Without the marks that Apertium puts before words it does not know."""
    return " ".join(re.sub(r"[*#@](?=\w)", "", text).split())


def words(file):
    """German frequencies, in lower case."""
    count = collections.Counter()
    for row in file:
        if row["lang"] == "de":
            count.update(w.lower() for w in re.findall(r"\w+", row["text"]))
    return count


class German:
    """Word by word, the longest phrase first; among the dictionary's answers one is drawn by its frequency in German texts."""

    def __init__(self, frequency):
        self.random = random.Random(0)
        self.table = {}
        candidates = collections.defaultdict(collections.Counter)
        with gzip.open("/usr/share/dictd/freedict-eng-deu.dict.dz", "rt", errors="replace") as file:
            blocks = re.split(r"\n\s*\n", file.read())
        for block in blocks:
            lines = [line for line in block.split("\n") if line.strip()]
            if len(lines) < 2:
                continue
            head = self.plain(re.sub(r"/[^/]*/\s*$", "", lines[0]).strip()).lower().removeprefix("to ")
            if not head or head.count(" ") > 3:
                continue
            for line in lines[1:]:
                if re.match(r"\s+(Note|Synonym|see|Cf|\")", line) or "Synonym" in line or line.strip().startswith('"') or "see:" in line:
                    continue
                for i, answer in enumerate(re.split(r"[,;]", line)):
                    answer = self.plain(answer)
                    if answer and answer.count(" ") <= 2 and re.match(r"^[\w\-äöüß' ]+$", answer):
                        candidates[head][answer] += 1 / (1 + 0.3 * i)
        for head, answers in candidates.items():
            weighed = [(self.weight(a, n, frequency), a) for a, n in answers.items()]
            best = sorted(weighed, reverse=True)[:4]
            self.table[head] = [a for _, a in best], [w for w, _ in best]
        self.common = set()
        for line in (HERE / "german.txt").read_text().splitlines():
            head, answers = line.split("\t")
            answers = answers.split("|")
            self.table[head] = answers, [2.0] + [1.0] * (len(answers) - 1)
            self.common.add(head)

    @staticmethod
    def plain(text):
        text = re.sub(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}", "", text)
        text = re.sub(r"\b(etw\.?|jdn\.?|jdm\.?|jds\.?|jd\.?|sich)(/(etw\.?|jdn\.?|jdm\.?))?(?=\s|$|;|,)", "", text)
        return " ".join(text.split()).strip(" .;:/|…")

    @staticmethod
    def weight(answer, count, frequency):
        parts = answer.split()
        return count * (0.3 + min(frequency[p.lower()] for p in parts)) ** 0.7 / 1.5 ** (len(parts) - 1)

    def find(self, phrase):
        if phrase in self.table:
            return self.table[phrase]
        if " " in phrase:
            return None
        endings = [("'s", ""), ("s", ""), ("es", ""), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"), ("ies", "y"), ("ied", "y")]
        for ending, instead in endings + [("ly", ""), ("er", ""), ("d", "")]:
            stem = phrase[: len(phrase) - len(ending)] + instead
            if phrase.endswith(ending) and stem in self.table:
                return self.table[stem]
        doubled = re.match(r"^(.*?)(.)\2(ed|ing)$", phrase)
        return self.table.get(doubled.group(1) + doubled.group(2)) if doubled else None

    def translate(self, text):
        tokens = re.findall(r"[A-Za-z]+(?:['’][A-Za-z]+)?|\s+|[^A-Za-z\s]+", text)
        out, i = [], 0
        while i < len(tokens):
            answer = None
            for n in (4, 3, 2, 1) if tokens[i][0].isalpha() else ():
                end = i + 2 * n - 1
                part = tokens[i:end]
                if end > len(tokens) or not all(t[0].isalpha() if k % 2 == 0 else not t.strip() for k, t in enumerate(part)):
                    continue
                phrase = " ".join(t.lower().replace("’", "'") for t in part[::2])
                found = self.find(phrase) if n == 1 or phrase in self.table else None
                function_words = n > 1 and phrase not in self.common and all(t.lower() in self.common for t in part[::2])
                if found and not function_words:
                    answer = self.random.choices(*found)[0]
                    break
            if answer is None:
                out.append(tokens[i])
                i += 1
                continue
            out.append(answer[0].upper() + answer[1:] if i == 0 and tokens[i][0].isupper() else answer)
            i = end
        return "".join(out)


def main():
    folder = pathlib.Path(sys.argv[1])
    licences = set(tomllib.loads((HERE.parent / "guardrail.toml").read_text())["licences"])
    with gzip.open(folder / "seed" / "train.jsonl.gz", "rt") as file:
        rows = [row for row in map(json.loads, file) if row["license"] in licences]
    texts = lambda chosen: [" ".join(row["text"].split()) for row in chosen]
    english = [row for row in rows if row["lang"] == "en"]
    french = [row for row in rows if row["lang"] == "fr" and row["source"].split("#")[1] in FRENCH]
    spanish = apertium("eng-spa", texts(english))
    german = German(words(rows))
    results = [
        ("es", english, spanish),
        ("es", french, apertium("fr-es", texts(french))),
        ("fr", english, apertium("es-fr", spanish)),
        ("de", english, [german.translate(text) for text in texts(english)]),
    ]
    with gzip.open(folder / "translated.jsonl.gz", "wt", compresslevel=6) as file:
        for language, originals, translations in results:
            for row, text in zip(originals, translations, strict=True):
                text = clean(text)
                if len(text) >= 3:
                    file.write(json.dumps(row | {"text": text, "lang": language, "id": f"{row['id']}-{language}"}, ensure_ascii=False) + "\n")


main()
