//! Claim: worked examples in the prompt show a small base the generator's task nearly as well as a few minutes of
//! supervised fine-tuning on rows that say the same in two languages; what is taught writes unsafe twins more readily.
//!
//! Paper: Section 5 (its generator is an 8B instruct model, which needs no teaching).

use crate::Context;
use crate::games::{games, seed_texts};
use crate::scoring::{cell, claim, mean};
use nashguard::Result;
use nashguard::data::filters::{Reason, identify};
use nashguard::data::{Label, Language};
use nashguard::neural::Guardrail;
use nashguard::neural::rounds::{Verdict, verdicts};
use nashguard::report::{Cell, Column, Report, Table};
use std::collections::BTreeSet;
use std::path::Path;

pub const ABOUT: &str = "what teaching a base the generator's task buys: texts of the first round";

const LABELS: [Label; 2] = [Label::Safe, Label::Unsafe];
const REASONS: [(Reason, &str); 9] = [
    (Reason::Cut, "cut off"),
    (Reason::Empty, "empty"),
    (Reason::Length, "length"),
    (Reason::Refusal, "refusal"),
    (Reason::Instructions, "instructions"),
    (Reason::Language, "language"),
    (Reason::Copy, "copy of the seed"),
    (Reason::Contamination, "benchmark text"),
    (Reason::Duplicate, "duplicate"),
];

pub fn run(context: &Context) -> Result<Report> {
    let games = games(context)?;
    let start = || ["game", "base", "prompts", "taught"].map(Column::new).into_iter();
    let mut dropped = Table::new(
        "dropped",
        "Texts of the first round, before any preference was learnt: shares by the filter that dropped them",
        start()
            .chain([Column::new("texts"), Column::percent("in the language")])
            .chain(REASONS.map(|(_, name)| Column::percent(name)))
            .chain([Column::percent("kept")]),
    );
    let mut agreement = Table::new(
        "agreement",
        "Of the texts kept, how many the shipped guardrail gives their seed's label; and of \
         these seeds themselves, many of which it was trained on",
        start().chain(["seeds"].into_iter().chain(Language::ALL.map(|l| l.code())).flat_map(
            |of| ["safe", "unsafe"].map(|label| Column::percent(format!("{of} {label}"))),
        )),
    );
    let mut ratings = Table::new(
        "ratings",
        "Of the texts that no other filter dropped, the harm that the untrained base saw: safe ones rated above 2, unsafe \
         ones rated below 3 are dropped",
        ["game", "seed"]
            .into_iter()
            .map(Column::new)
            .chain([Column::new("texts")])
            .chain(["1", "2", "3", "4", "5", "none read"].map(Column::percent))
            .chain([Column::percent("dropped")]),
    );
    let named = seed_texts(context)?.unwrap_or_default();
    let judge = Guardrail::shipped()?;
    for game in &games {
        let generator = &game.config.generator;
        let taught = if generator.teaching.is_some() { "yes" } else { "no" };
        let base = generator.base.with_extension("").display().to_string();
        let style = format!("{:?}", generator.style).to_lowercase();
        let start: Vec<Cell> =
            vec![game.name.clone().into(), base.into(), style.into(), taught.into()];
        let texts = verdicts(&game.folder, 1)?;
        let share = |holds: &dyn Fn(&Verdict) -> bool| {
            cell(mean(texts.iter().map(|v| 100.0 * f64::from(u8::from(holds(v))))))
        };
        let mut row = start.clone();
        row.extend([texts.len().into(), share(&|v| identify(&v.text) == Some(v.language))]);
        row.extend(REASONS.map(|(reason, _)| share(&|v| v.dropped == Some(reason))));
        row.push(share(&|v| v.dropped.is_none()));
        dropped.push(row)?;

        for label in LABELS.into_iter().filter(|_| game.config.rating) {
            let rated: Vec<&Verdict> = texts
                .iter()
                .filter(|v| v.label == label)
                .filter(|v| match v.dropped {
                    None | Some(Reason::Rating) => true,
                    // Looked for after the rating; before it in older games.
                    Some(Reason::Duplicate) => v.rating.is_some(),
                    Some(_) => false,
                })
                .collect();
            let share = |holds: &dyn Fn(&Verdict) -> bool| {
                cell(mean(rated.iter().map(|v| 100.0 * f64::from(u8::from(holds(v))))))
            };
            let name = if label == Label::Unsafe { "unsafe" } else { "safe" };
            let mut row: Vec<Cell> =
                vec![game.name.clone().into(), name.into(), rated.len().into()];
            row.extend(
                [Some(1), Some(2), Some(3), Some(4), Some(5), None]
                    .map(|r| share(&|v| v.rating == r)),
            );
            row.push(share(&|v| v.dropped == Some(Reason::Rating)));
            ratings.push(row)?;
        }
        let kept: Vec<&Verdict> = texts.iter().filter(|v| v.dropped.is_none()).collect();
        let mut row = start;
        let agreeing = |of: &[(&str, Label)]| -> Result<Cell> {
            let scores = judge.scores(&of.iter().map(|(text, _)| *text).collect::<Vec<_>>())?;
            let agree =
                scores.iter().zip(of).map(|(&s, (_, l))| (s > 0.5) == (*l == Label::Unsafe));
            Ok(cell(mean(agree.map(|yes| 100.0 * f64::from(u8::from(yes))))))
        };
        for label in LABELS {
            let seeds: BTreeSet<&str> =
                kept.iter().filter(|v| v.label == label).map(|v| v.seed.as_str()).collect();
            let of = seeds.into_iter().filter_map(|seed| Some((named.get(seed)?.as_str(), label)));
            row.push(agreeing(&of.collect::<Vec<_>>())?);
        }
        for language in Language::ALL {
            for label in LABELS {
                let of = kept.iter().filter(|v| v.language == language && v.label == label);
                let of: Vec<_> = of.map(|v| (v.text.as_str(), label)).collect();
                row.push(agreeing(&of)?);
            }
        }
        agreement.push(row)?;
    }
    Ok(Report {
        paper_reference: "Section 5 (the generator)".into(),
        claim: claim(
            !games.is_empty(),
            "Teaching a small base the generator's task keeps no more texts than examples in its prompts do, and \
             makes its unsafe twins unsafe more often, its safe ones safe less often.",
        ),
        notes: vec![
            match games.is_empty() {
                true => "No game was found below --models. `nashguard play --config experiments/play-small.toml ...` plays \
                         one with a taught generator, experiments/play-small-untaught.toml one with the base as it is."
                    .into(),
                false => "Filters are applied in the order of the columns; a text counts for the first that drops it. \
                          Games that rate texts drop more, before they look for duplicates. \"in the language\" is what the language \
                          identification says of all texts, dropped or not."
                    .into(),
            },
        ],
        tables: [dropped, agreement, ratings].into_iter().filter(|t| !t.rows.is_empty()).collect(),
        ..Report::default()
    })
}

pub fn draw(_: &Report, _: &Path) -> Result<()> {
    Ok(())
}
