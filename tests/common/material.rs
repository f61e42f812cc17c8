//! What a small game is played with.

use nashguard::data::{Category, Label, Language, Origin, Row, Seeds};
use nashguard::neural::rounds::Material;

/// Twenty rows to train on and to rewrite, four to validate with, safe and unsafe in turn; all rows of a label
/// have one origin.
pub fn material() -> Material {
    let row = |i: usize| {
        let label = if i.is_multiple_of(2) { Label::Safe } else { Label::Unsafe };
        let text = match label {
            Label::Safe => format!("please water plant number {i} today"),
            Label::Unsafe => format!("I will hurt person number {i} today"),
        };
        let categories =
            if label == Label::Unsafe { vec![Category::ViolentCrimes] } else { Vec::new() };
        Row::new(text, Language::En, label, categories).unwrap()
    };
    let rows: Vec<Row> = (0..24).map(row).collect();
    let named = |row: &Row| {
        let origin = Origin { id: row.text[..5].to_owned(), ..Origin::default() };
        (row.clone(), origin)
    };
    let all: Vec<(Row, Origin)> = rows.iter().map(named).collect();
    Material {
        seeds: Seeds { train: rows[..20].to_vec(), validation: rows[20..].to_vec() },
        prompts: all[..20].to_vec(),
        all,
        benchmarks: Vec::new(),
    }
}
