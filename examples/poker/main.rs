//! Kuhn and Leduc poker, written through `ExtensiveGame`, as .efg files with exact probabilities:
//! `cargo run --release --example poker -- leduc > leduc.efg`.

mod kuhn;
mod leduc;

use nashguard::extensive::{Tree, efg};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (title, tree) = match std::env::args().nth(1).as_deref() {
        Some("kuhn") => ("Kuhn poker", Tree::new(&kuhn::Kuhn)?),
        Some("leduc") => ("Leduc poker", Tree::new(&leduc::Leduc)?),
        _ => return Err("which game? write \"kuhn\" or \"leduc\"".into()),
    };
    std::io::stdout().write_all(efg::write(title, ["Max", "Min"], &tree).as_bytes())?;
    Ok(())
}
