//! A report as a Markdown page.

use super::{Cell, Report, Table};

/// The page of a report; the same report always gives the same text.
pub fn markdown(report: &Report) -> String {
    let mut blocks = vec![format!("# {}", report.name)];
    if !report.claim.is_empty() {
        blocks.push(format!("**Claim.** {}", line(&report.claim)));
    }
    if !report.paper_reference.is_empty() {
        blocks.push(format!("**Paper.** {}", line(&report.paper_reference)));
    }
    blocks.push(format!(
        "**Made by** `{}` at commit `{}`, seed {}, scale {}, on {}, in {} minutes.",
        line(&report.command).replace('`', "'"),
        report.commit,
        report.seed,
        line(&report.scale),
        line(&report.device),
        format_number(report.minutes, None),
    ));
    if !report.notes.is_empty() {
        let notes: Vec<_> = report.notes.iter().map(|note| format!("- {}", line(note))).collect();
        blocks.push(notes.join("\n"));
    }
    for table in &report.tables {
        blocks.push(format!("## {}", line(&table.name)));
        if !table.caption.is_empty() {
            blocks.push(line(&table.caption));
        }
        blocks.push(grid(table));
    }
    blocks.join("\n\n") + "\n"
}

/// A number for a reader.
///
/// With `decimals`, exactly that many. Without: whole numbers plain, others with four significant
/// digits, and in scientific notation (`1.2e-4`) below a thousandth and from a million on.
pub fn format_number(value: f64, decimals: Option<usize>) -> String {
    let size = value.abs();
    let text = match decimals {
        Some(decimals) => format!("{value:.decimals$}"),
        None if value.fract() == 0.0 && size < 1e9 => format!("{value:.0}"),
        None if (1e-3..1e6).contains(&size) => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            trimmed(&format!("{value:.decimals$}"))
        }
        None => match format!("{value:.2e}").split_once('e') {
            Some((mantissa, exponent)) => format!("{}e{exponent}", trimmed(mantissa)),
            None => value.to_string(), // not finite
        },
    };
    // "-0.00" tells a sign that the digits shown do not carry.
    let zero = text.starts_with('-') && text.bytes().all(|b| b"-0.".contains(&b));
    if zero { text[1..].to_owned() } else { text }
}

/// Without the zeros at the end of a fraction.
fn trimmed(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// Text that stays on its line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text that stays in its cell.
fn escaped(text: &str) -> String {
    text.trim().replace('|', "\\|").replace("\r\n", "\n").replace(['\n', '\r'], "<br>")
}

fn grid(table: &Table) -> String {
    let heads = table.columns.iter().map(|column| match &column.unit {
        Some(unit) => escaped(&format!("{} ({unit})", column.name)),
        None => escaped(&column.name),
    });
    let mut lines: Vec<Vec<String>> = vec![heads.collect()];
    for row in &table.rows {
        let cells = row.iter().zip(&table.columns).map(|(cell, column)| match cell {
            Cell::Integer(value) => value.to_string(),
            Cell::Number(value) => format_number(*value, column.decimals),
            Cell::Text(text) => escaped(text),
        });
        lines.push(cells.collect());
    }
    let mut widths = vec![3; table.columns.len()];
    for line in &lines {
        for (width, text) in widths.iter_mut().zip(line) {
            *width = text.chars().count().max(*width);
        }
    }
    let numeric: Vec<bool> = (0..table.columns.len())
        .map(|c| table.rows.iter().any(|row| !matches!(row.get(c), Some(Cell::Text(_)) | None)))
        .collect();

    let rule = widths.iter().zip(&numeric).map(|(&width, &numeric)| match numeric {
        true => format!("{}:", "-".repeat(width - 1)),
        false => "-".repeat(width),
    });
    let rule: Vec<String> = rule.collect();
    lines.insert(1, rule);
    let padded = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths).zip(&numeric).map(|((text, &width), &numeric)| {
            if numeric { format!(" {text:>width$} |") } else { format!(" {text:<width$} |") }
        });
        format!("|{}", cells.collect::<String>())
    });
    padded.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_what_matters() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.00012, "1.2e-4"),
            (70.1, "70.1"),
            (0.05, "0.05"),
            (1.23456, "1.235"),
            (-12.3456, "-12.35"),
            (1234.56, "1235"),
            (42.0, "42"),
            (1_000_000.0, "1000000"),
            (1_234_567.5, "1.23e6"),
            (1e12, "1e12"),
            (9.999_99, "10"),
            (1e-10, "1e-10"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(format_number(value, None), text);
        }
        assert_eq!(format_number(70.1, Some(2)), "70.10");
        assert_eq!(format_number(-0.001, Some(2)), "0.00");
        assert_eq!(format_number(-0.1, Some(1)), "-0.1");
    }
}
