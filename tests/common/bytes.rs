//! A tokenizer for models that are made up.

use nashguard::neural::decoder::Tokenizer;
use serde_json::json;

/// A tokenizer of single bytes.
pub fn tokenizer() -> Tokenizer {
    let plain = |b: &u32| matches!(b, 33..=126 | 161..=172 | 174..=255);
    let mut vocabulary = serde_json::Map::new();
    let mut odd = 256;
    for b in 0..256_u32 {
        let code = if plain(&b) { b } else { odd };
        odd += u32::from(!plain(&b));
        vocabulary.insert(char::from_u32(code).unwrap().to_string(), json!(b));
    }
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
        "model": { "type": "BPE", "vocab": vocabulary, "merges": [] },
    });
    Tokenizer::from_json(&json.to_string()).unwrap()
}
