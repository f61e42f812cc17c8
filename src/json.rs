//! JSON text into values, with errors that name the JSON path.

use crate::{Error, Result};
use serde::{Deserialize, de::DeserializeOwned};

/// What every file of this crate says first.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Kind {
    kind: String,
}

/// The `kind` of the object `json`, which is called a `what` in errors.
pub(crate) fn kind(what: &str, json: &str) -> Result<String> {
    // serde would also read a struct from an array, and name its places by number.
    if json.trim_start().starts_with('[') {
        return Err(Error::invalid(
            "JSON",
            format!("a {what} is an object, this is an array"),
            "see the README for the format",
        ));
    }
    parse(json).map(|Kind { kind }| kind)
}

/// The value written in `json`, nothing after it.
pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        let place = if path == "." || path == "?" { "JSON".to_owned() } else { path };
        malformed(place, e.inner())
    })?;
    reader.end().map_err(|e| malformed("JSON".to_owned(), &e))?;
    Ok(value)
}

fn malformed(place: String, e: &serde_json::Error) -> Error {
    let remedy = match e.classify() {
        serde_json::error::Category::Eof => "the text ends too early: write the whole file again",
        serde_json::error::Category::Syntax => "mend the JSON there",
        _ => "see the README for the format",
    };
    Error::invalid(place, e.to_string(), remedy)
}
