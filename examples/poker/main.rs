//! Kuhn and Leduc poker, written through `ExtensiveGame`.
//!
//! - `cargo run --release --example poker -- leduc > leduc.efg` writes the game, with exact
//!   probabilities.
//! - `cargo run --release --example poker -- kuhn normal > kuhn.csv` writes its reduced normal form.
//! - `cargo run --release --example poker -- leduc race` solves it by CFR+, predictive CFR+ and DCFR.

mod kuhn;
mod leduc;
mod normal;
mod race;

use nashguard::extensive::{SequenceForm, Tree, efg};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (title, tree) = match arguments.first().map(String::as_str) {
        Some("kuhn") => ("Kuhn poker", Tree::new(&kuhn::Kuhn)?),
        Some("leduc") => ("Leduc poker", Tree::new(&leduc::Leduc)?),
        _ => return Err("which game? write \"kuhn\" or \"leduc\"".into()),
    };
    match arguments.get(1).map(String::as_str) {
        None => {
            let text = efg::write(title, ["Max", "Min"], &tree);
            std::io::stdout().write_all(text.as_bytes())?;
        }
        Some("normal") => {
            std::io::stdout().write_all(normal::csv(&SequenceForm::new(&tree)).as_bytes())?;
        }
        Some("race") => race::race(&SequenceForm::new(&tree).to_f64()?)?,
        Some(other) => {
            return Err(format!("what is {other:?}? write \"normal\", \"race\" or nothing").into());
        }
    }
    Ok(())
}
