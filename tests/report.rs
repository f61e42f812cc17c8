//! Reports and figures as a user makes them.

use nashguard::Error;
use nashguard::report::plot::{Axis, Bar, Bars, Figure, HeatMap, Line, LineChart, Note, Panel};
use nashguard::report::{Cell, Column, Grid, Report, Series, Style, Table, markdown};
use std::fs;
use std::path::Path;

fn report() -> Report {
    let columns = [
        Column::new("method"),
        Column::new("gap").unit("nats"),
        Column::new("F1").unit("%").decimals(1),
        Column::new("runs"),
    ];
    let mut table = Table::new("Gaps", "Mean over | seeds.", columns);
    let rows: [[Cell; 4]; 3] = [
        ["extragradient".into(), 0.00012.into(), 70.1.into(), 5.into()],
        ["simultaneous | naïve\nplay".into(), f64::INFINITY.into(), 7.0.into(), 5.into()],
        ["fictitious".into(), 0.25.into(), "–".into(), 12345.into()],
    ];
    for row in rows {
        table.push(row).unwrap();
    }
    let points = (1..=3).map(|t| [f64::from(t), 0.1 / f64::from(t)]);
    Report {
        name: "convergence".into(),
        paper_reference: "Section 3.2, Theorem 1".into(),
        claim: "Play converges\nto the equilibrium.".into(),
        scale: "quick".into(),
        seed: u64::MAX,
        commit: "abc1234-dirty".into(),
        device: "CPU (2 threads)".into(),
        minutes: 0.1 + 0.2,
        command: "nashguard run convergence".into(),
        notes: vec!["One.".into(), "Two.".into()],
        tables: vec![table],
        series: vec![Series {
            style: Style::Dashed,
            group: "play".into(),
            ..Series::new("gap", "1/t", "t", "gap (nats)", points)
        }],
        grids: vec![Grid::new("rate", "η", "τ", vec![1e-3, 1e-2], vec![0.5], |x, _| {
            x.ln() / 3.0
        })],
    }
}

/// The file names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_saved_report_is_read_back_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("experiments/results");
    report().save(&folder).unwrap();
    report().save(&folder).unwrap();
    assert_eq!(names(&folder), ["convergence.json", "convergence.md"]);
    let read = Report::load(folder.join("convergence.json")).unwrap();
    assert_eq!(read, report());
    assert_eq!(fs::read_to_string(folder.join("convergence.md")).unwrap(), markdown(&read));
    let json = fs::read_to_string(folder.join("convergence.json")).unwrap();
    assert!(json.contains("\n        [\"extragradient\", 0.00012, 70.1, 5],\n"), "{json}");
    assert!(json.contains("\n        [1.0, 0.1],\n"), "{json}");
}

#[test]
fn the_page_of_a_report() {
    let expected = "\
# convergence

**Claim.** Play converges to the equilibrium.

**Paper.** Section 3.2, Theorem 1

**Made by** `nashguard run convergence` at commit `abc1234-dirty`, seed 18446744073709551615, \
scale quick, on CPU (2 threads), in 0.3 minutes.

- One.
- Two.

## Gaps

Mean over | seeds.

| method                        | gap (nats) | F1 (%) |  runs |
| ----------------------------- | ---------: | -----: | ----: |
| extragradient                 |     1.2e-4 |   70.1 |     5 |
| simultaneous \\| naïve<br>play |        inf |    7.0 |     5 |
| fictitious                    |       0.25 |      – | 12345 |
";
    assert_eq!(markdown(&report()), expected);
}

#[test]
fn a_row_of_the_wrong_length_is_refused() {
    let mut table = Table::new("Gaps", "", [Column::new("a"), Column::new("b")]);
    table.push([1.into(), 2.into()]).unwrap();
    let error = table.push([1.into()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "table \"Gaps\", rows[1]: 1 cells for 2 columns; give one cell for each column"
    );
    assert_eq!(table.rows.len(), 1);
}

#[test]
fn a_broken_file_is_named_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    report().save(dir.path()).unwrap();
    let path = dir.path().join("convergence.json");
    let json = fs::read_to_string(&path).unwrap();
    let load = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = Report::load(&path).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("convergence.json") && !message.contains('\n'), "{message}");
        message
    };
    for end in [0, 1, 40, json.len() / 2, json.len() - 2] {
        let end = (0..=end).rev().find(|&end| json.is_char_boundary(end)).unwrap();
        load(&json[..end]);
    }
    assert!(load(&json.replace("0.00012", "null")).contains("tables[0].rows[0][1]"));
    assert!(load(&json.replace("0.00012, ", "")).contains("tables[0]: table \"Gaps\", rows[0]"));
    assert!(load(&format!("{json}x")).contains("trailing"));
    let missing = Report::load(dir.path().join("none.json")).unwrap_err().to_string();
    assert!(missing.contains("cannot read") && missing.contains("none.json"), "{missing}");
}

fn lines() -> LineChart {
    let points = |k: f64| (1..200).map(move |t| [f64::from(t), k / f64::from(t)]);
    LineChart {
        title: "Gap < bound & more".into(),
        x: Axis::log("iteration"),
        y: Axis::log("gap (nats)"),
        lines: vec![
            Line::new("measured", Style::Solid, points(1.0)).group("play"),
            Line::new("predicted", Style::Dashed, points(1.1)).group("play"),
            Line::new("runs", Style::Markers, points(2.0).step_by(40)),
        ],
        notes: vec![Note { at: [10.0, 0.1], text: "here".into() }],
    }
}

fn heat() -> HeatMap {
    let x: Vec<f64> = (0..20).map(|i| 10f64.powf(-3.0 + 0.2 * f64::from(i))).collect();
    let y: Vec<f64> = (0..10).map(f64::from).collect();
    let boundary = x.iter().map(|&x| [x, 1.0 / x]).collect::<Vec<_>>();
    HeatMap {
        title: "Where play converges".into(),
        x: Axis::log("step size"),
        y: Axis::linear("strength"),
        value: Axis::linear("rate"),
        grid: Grid::new("rate", "", "", x, y, |x, y| (1.0 - x * y).sqrt()),
        lines: vec![Line::new("boundary", Style::Dashed, boundary)],
    }
}

const LONG: &str = "Générateur à entropie régularisée, équilibre en été (naïf)";

fn bars() -> Bars {
    let bar =
        |label: &str, values: &[Option<f64>]| Bar { label: label.into(), values: values.to_vec() };
    Bars {
        title: "Mean F1".into(),
        value: Axis::linear("F1 (%)"),
        series: vec!["here".into(), "paper".into()],
        bars: vec![bar(LONG, &[Some(70.1), Some(74.9)]), bar("short", &[None, Some(-3.0)])],
    }
}

/// The figure's SVG, after a look at its PNG.
fn drawn(folder: &Path, draw: impl FnOnce(&Path) -> nashguard::Result<()>) -> String {
    draw(&folder.join("figures/v1.2")).unwrap();
    assert_eq!(names(&folder.join("figures")), ["v1.2.png", "v1.2.svg"]);
    let svg = fs::read_to_string(folder.join("figures/v1.2.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    let png = fs::read(folder.join("figures/v1.2.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&png[png.len() - 8..][..4], b"IEND");
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert!(svg.contains(&format!(r#"viewBox="0 0 {} {}""#, side(16), side(20))));
    svg
}

#[test]
fn figures_carry_their_labels() {
    let dir = tempfile::tempdir().unwrap();
    let check = |svg: String, labels: &[&str]| {
        for label in labels {
            assert!(svg.lines().any(|line| line == *label), "{label} is not in {svg}");
        }
    };
    let svg = drawn(dir.path(), |stem| lines().draw(stem));
    let labels = ["Gap &lt; bound &amp; more", "iteration", "gap (nats)", "measured", "predicted"];
    check(svg.clone(), &labels);
    check(svg, &["runs", "here", "0.01", "100"]);
    let svg = drawn(dir.path(), |stem| heat().draw(stem));
    check(svg, &["Where play converges", "step size", "strength", "rate", "boundary", "no value"]);
    let svg = drawn(dir.path(), |stem| bars().draw(stem));
    check(svg, &["Mean F1", "F1 (%)", LONG, "short", "here", "paper", "70.1", "74.9", "-3", "–"]);
    let panels = vec![lines().into(), heat().into(), bars().into()];
    let figure = Figure { title: "All of it".into(), columns: 2, panels };
    let svg = drawn(dir.path(), |stem| figure.draw(stem));
    check(svg, &["All of it", "Where play converges", "Mean F1", "gap (nats)"]);
}

#[test]
fn a_series_of_a_saved_report_can_be_drawn() {
    let dir = tempfile::tempdir().unwrap();
    report().save(dir.path()).unwrap();
    let report = Report::load(dir.path().join("convergence.json")).unwrap();
    let chart =
        LineChart { lines: report.panel("gap").map(Line::from).collect(), ..LineChart::default() };
    chart.draw(dir.path().join("gap")).unwrap();
}

#[test]
fn degenerate_charts_are_drawn_or_refused_but_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let stem = dir.path().join("figure");
    let values = [f64::NAN, f64::INFINITY, f64::MIN, -1.0, 0.0, 5e-324, 1e-300, 1.0, f64::MAX];
    let mut sets: Vec<Vec<[f64; 2]>> = vec![vec![]];
    for &a in &values {
        sets.push(vec![[a, a]]);
        sets.push(vec![[1.0, a], [1.0, a], [1.0, a]]);
        sets.extend(values.iter().map(|&b| vec![[a, b], [b, a], [1.0, 1.0]]));
    }
    for (i, points) in sets.into_iter().enumerate() {
        let style = [Style::Solid, Style::Dashed, Style::Markers][i % 3];
        let axis = |log| Axis { log, ..Axis::default() };
        let chart = LineChart {
            x: axis(i % 2 == 0),
            y: axis(i % 5 < 3),
            notes: points.iter().map(|&at| Note { at, text: "note".into() }).collect(),
            lines: vec![Line::new("line", style, points)],
            ..LineChart::default()
        };
        if let Err(error) = chart.draw(&stem) {
            assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
        }
    }
    for (a, b) in values.iter().flat_map(|&a| values.iter().map(move |&b| (a, b))).step_by(2) {
        let grid = Grid { x: vec![a], y: vec![b], values: vec![vec![Some(a)]], ..Grid::default() };
        let log = Axis::log("axis");
        for axis in [Axis::default(), log.clone()] {
            let heat = HeatMap { x: axis.clone(), y: axis, grid: grid.clone(), ..heat() };
            let _ = heat.draw(&stem);
        }
        let bar = Bar { label: String::new(), values: vec![Some(a), Some(b)] };
        for value in [Axis::default(), log] {
            let _ = Bars { value, bars: vec![bar.clone()], ..bars() }.draw(&stem);
        }
    }

    let invalid = |result: nashguard::Result<()>, part: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let empty = LineChart { lines: vec![], notes: vec![], ..lines() };
    invalid(empty.draw(&stem), "chart \"Gap < bound & more\": lines: no point can be shown");
    invalid(LineChart { x: Axis::linear("p").between(1.0, 0.0), ..lines() }.draw(&stem), "\"p\"");
    let long = LONG.repeat(40);
    invalid(LineChart { title: long.clone(), ..lines() }.draw(&stem), "shorten");
    invalid(LineChart { y: Axis::log(&long), ..lines() }.draw(&stem), "shorten");
    invalid(HeatMap { value: Axis::linear(&long), ..heat() }.draw(&stem), "shorten");
    Bars { title: long, ..bars() }.draw(&stem).unwrap();
    invalid(HeatMap { grid: Grid::default(), ..heat() }.draw(&stem), "not a scale");
    invalid(Bars { bars: vec![], ..bars() }.draw(&stem), "no value can be shown");
    invalid(Bars { series: vec!["one".into()], ..bars() }.draw(&stem), "2 values for 1 series");
    let many = vec![Bar { label: "b".into(), values: vec![Some(1.0); 2] }; 3000];
    invalid(Bars { bars: many, ..bars() }.draw(&stem), "too many");
    invalid(
        Figure { columns: 0, panels: vec![lines().into()], ..Figure::default() }.draw(&stem),
        "columns",
    );
    invalid(Figure { columns: 2, ..Figure::default() }.draw(&stem), "no panels");
    let wide = Figure { columns: 9, panels: vec![Panel::from(bars())], ..Figure::default() };
    wide.draw(&stem).unwrap();
    invalid(lines().draw(""), "no file name");
    assert_eq!(names(dir.path()), ["figure.png", "figure.svg"]);
}
