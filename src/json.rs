//! JSON text into values, with errors that name the JSON path.

use crate::{Error, Result};
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
};
use serde::{Deserialize, Deserializer};
use std::{fmt, marker::PhantomData};

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

/// What the object `json` says beside its `kind`, so that a T may deny every name but its own.
pub(crate) fn body<T: DeserializeOwned>(json: &str) -> Result<T> {
    parse(json).map(|Body(value)| value)
}

struct Body<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Body<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(BodyVisitor(PhantomData))
    }
}

struct BodyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for BodyVisitor<T> {
    type Value = Body<T>;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(WithoutKind(map))).map(Body)
    }
}

struct WithoutKind<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutKind<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        mut seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.0.next_key_seed(UnlessKind(seed))? {
            match key {
                Ok(name) => return Ok(Some(name)),
                Err(unused) => seed = unused,
            }
            self.0.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// Reads a name, or gives the seed back where it is `kind`.
struct UnlessKind<K>(K);

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for UnlessKind<K> {
    type Value = Result<K::Value, K>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        let name = String::deserialize(from)?;
        if name == "kind" {
            return Ok(Err(self.0));
        }
        self.0.deserialize(name.into_deserializer()).map(Ok)
    }
}

fn malformed(place: String, e: &serde_json::Error) -> Error {
    let remedy = match e.classify() {
        serde_json::error::Category::Eof => "the text ends too early: write the whole file again",
        serde_json::error::Category::Syntax => "mend the JSON there",
        _ => "see the README for the format",
    };
    Error::invalid(place, e.to_string(), remedy)
}
