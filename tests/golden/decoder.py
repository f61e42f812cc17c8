"""The numbers that tests/decoder.rs compares with.

    pip install torch transformers
    python tests/golden/decoder.py    # writes tests/golden/{llama,llama3,qwen2,gemma3}/

Each folder holds a tiny random model as `transformers` saves it, and logits.json: token sequences and
the logits of every token, computed by `transformers` one sequence at a time in f32.
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig, Qwen2Config

SIZES = dict(
    vocab_size=40,
    hidden_size=16,
    intermediate_size=20,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
ROPE3 = dict(
    rope_type="llama3",
    rope_theta=500.0,
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)
# Gemma's third layer sees everything, the others four tokens.
KINDS = ["sliding_attention", "sliding_attention", "full_attention"]
GEMMA_ROPE = {
    "full_attention": dict(rope_type="linear", rope_theta=5000.0, factor=8.0),
    "sliding_attention": dict(rope_type="default", rope_theta=100.0),
}
MODELS = {
    "llama": LlamaConfig(**SIZES, tie_word_embeddings=False, attention_bias=True),
    "llama3": LlamaConfig(**SIZES, tie_word_embeddings=True, rope_parameters=ROPE3),
    "qwen2": Qwen2Config(**SIZES, tie_word_embeddings=True, rms_norm_eps=1e-5),
    "gemma3": Gemma3TextConfig(
        **SIZES,
        head_dim=6,
        query_pre_attn_scalar=9,
        sliding_window=4,
        layer_types=KINDS,
        rope_parameters=GEMMA_ROPE,
    ),
}
LENGTHS = [13, 7, 1, 10]


def logits(model, sequences):
    with torch.no_grad():
        return [model(torch.tensor([ids])).logits[0] for ids in sequences]


def make(name, config):
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for key, weight in model.named_parameters():
        # Norms and biases too, so that an error in any of them shows.
        start = 1.0 if key.endswith("norm.weight") and name != "gemma3" else 0.0
        torch.nn.init.normal_(weight, start, 0.3)
    folder = Path(__file__).parent / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    sequences = [torch.randint(SIZES["vocab_size"], (n,)).tolist() for n in LENGTHS]
    found = [[[round(x, 6) for x in row] for row in one.tolist()] for one in logits(model, sequences)]
    made_by = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
    text = json.dumps(dict(made_by=made_by, sequences=sequences, logits=found))
    (folder / "logits.json").write_text(text.replace("]], [[", "]],\n[[") + "\n")


if __name__ == "__main__":
    for name, config in MODELS.items():
        make(name, config)
