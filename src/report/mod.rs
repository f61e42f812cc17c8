//! Results as plain data, and everything rendered from them.
//!
//! Data flows one way: an experiment makes a [`Report`], [`Report::save`] writes it as JSON, and the
//! Markdown page ([`markdown()`]) and the figures ([`plot`]) are made only from that JSON.

mod environment;
mod file;
mod markdown;
pub mod plot;

pub use environment::{Environment, environment};
pub use file::{Staged, write_atomically};
#[cfg(feature = "neural")]
pub(crate) use file::{remove, replace};
pub use markdown::{format_number, markdown};

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The result of one experiment, with all that is needed to make it again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The file name without extension: letters, digits, `-` and `_`.
    pub name: String,
    /// The place in the paper the claim comes from.
    pub paper_reference: String,
    /// What was tested, in one sentence.
    pub claim: String,
    /// The size the experiment ran at, for example `quick` or `full`.
    pub scale: String,
    /// The seed all randomness came from.
    pub seed: u64,
    /// The source it ran from, see [`environment`].
    pub commit: String,
    /// The machine it ran on, see [`environment`].
    pub device: String,
    /// Wall-clock minutes it took.
    pub minutes: f64,
    /// The command line that makes it again.
    pub command: String,
    /// What a reader must know to read the numbers, one remark each.
    pub notes: Vec<String>,
    /// Numbers to read.
    pub tables: Vec<Table>,
    /// Numbers to draw as lines or markers.
    pub series: Vec<Series>,
    /// Numbers to draw as heat maps.
    pub grids: Vec<Grid>,
}

/// A table; its rows are added by [`Table::push`], which refuses a row of the wrong length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The heading.
    pub name: String,
    /// What the rows are and how they were measured.
    pub caption: String,
    /// The columns, left to right.
    pub columns: Vec<Column>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

/// The head of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// What the column holds.
    pub name: String,
    /// Its unit, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Decimals shown in Markdown; without it every number keeps four significant digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<usize>,
}

/// One entry of a table.
///
/// JSON has no infinity and no NaN: `Cell::from(f64)` turns them into the texts `inf`, `-inf` and
/// `nan`, and [`Report::save`] refuses a `Number` made by hand that is not finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    // Before `Number`, or an integer would come back from JSON as a float.
    /// A count.
    Integer(i64),
    /// A finite measurement.
    Number(f64),
    /// Anything else.
    Text(String),
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// A solid line: measured.
    #[default]
    Solid,
    /// A dashed line: predicted.
    Dashed,
    /// Markers without a line.
    Markers,
}

/// Points in the plane, in the order they are joined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The label in the legend.
    pub name: String,
    /// The figure or panel it belongs to.
    pub panel: String,
    /// Series of one group share a colour (a measurement and its prediction); empty for its own.
    pub group: String,
    /// How it is drawn.
    pub style: Style,
    /// What the first coordinate is.
    pub x_name: String,
    /// What the second coordinate is.
    pub y_name: String,
    /// The points, all finite.
    pub points: Vec<[f64; 2]>,
    /// How many points [`Series::new`] left out because they were not finite.
    pub dropped: usize,
}

/// Values over a rectangular grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// What the values are.
    pub name: String,
    /// What `x` is.
    pub x_name: String,
    /// What `y` is.
    pub y_name: String,
    /// The columns' positions, increasing.
    pub x: Vec<f64>,
    /// The rows' positions, increasing.
    pub y: Vec<f64>,
    /// `values[row][column]`, with `None` where there is no value.
    pub values: Vec<Vec<Option<f64>>>,
}

impl Report {
    /// Write `<dir>/NAME.json` and `<dir>/NAME.md`, each replaced in one step, and make the folder
    /// if it is missing.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<()> {
        self.check()?;
        let path = |extension: &str| dir.as_ref().join(format!("{}.{extension}", self.name));
        write_atomically(path("json"), &file::json(self)?)?;
        write_atomically(path("md"), markdown(self).as_bytes())
    }

    /// Read a report written by [`Report::save`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
        let file = path.display().to_string();
        let mut json = serde_json::Deserializer::from_str(&text);
        let report: Self = serde_path_to_error::deserialize(&mut json).map_err(|e| {
            let place = match e.path().to_string() {
                root if root == "." => file.clone(),
                path => format!("{file}: {path}"),
            };
            Error::invalid(place, e.into_inner().to_string(), AGAIN)
        })?;
        json.end().map_err(|e| Error::invalid(&file, e.to_string(), AGAIN))?;
        report.check().map_err(|e| e.within(&file))?;
        Ok(report)
    }

    /// The series of one figure or panel.
    pub fn panel<'a>(&'a self, panel: &'a str) -> impl Iterator<Item = &'a Series> {
        self.series.iter().filter(move |s| s.panel == panel)
    }

    /// The grid of this name.
    pub fn grid(&self, name: &str) -> Result<&Grid> {
        self.grids.iter().find(|g| g.name == name).ok_or_else(|| {
            Error::invalid(format!("grids of {}", self.name), format!("no {name:?}"), AGAIN)
        })
    }

    /// Refuse what could not be written and read back unchanged.
    fn check(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            let problem = format!("{:?} cannot be a file name", self.name);
            return Err(Error::invalid("name", problem, "use letters, digits, '-' and '_'"));
        }
        if !self.minutes.is_finite() {
            return Err(Error::invalid("minutes", NOT_FINITE, "write the minutes it took"));
        }
        for (i, table) in self.tables.iter().enumerate() {
            table.check().map_err(|e| e.within(&format!("tables[{i}]")))?;
        }
        for (i, series) in self.series.iter().enumerate() {
            if let Some(p) = series.points.iter().position(|p| !p.iter().all(|v| v.is_finite())) {
                let place = format!("series[{i}].points[{p}]");
                return Err(Error::invalid(place, NOT_FINITE, "make the series by Series::new"));
            }
        }
        for (i, grid) in self.grids.iter().enumerate() {
            grid.check().map_err(|e| e.within(&format!("grids[{i}]")))?;
        }
        Ok(())
    }
}

const AGAIN: &str = "restore the file or run the experiment again";
const NOT_FINITE: &str = "the number is not finite";

impl Table {
    /// A table without rows.
    pub fn new(
        name: impl Into<String>,
        caption: impl Into<String>,
        columns: impl IntoIterator<Item = Column>,
    ) -> Self {
        let columns = columns.into_iter().collect();
        Self { name: name.into(), caption: caption.into(), columns, rows: Vec::new() }
    }

    /// Add a row, which must be as long as the columns.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) -> Result<()> {
        let row: Vec<_> = row.into_iter().collect();
        self.check_row(self.rows.len(), &row)?;
        self.rows.push(row);
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.rows.iter().enumerate().try_for_each(|(i, row)| self.check_row(i, row))
    }

    fn check_row(&self, index: usize, row: &[Cell]) -> Result<()> {
        if row.len() != self.columns.len() {
            let place = format!("table {:?}, rows[{index}]", self.name);
            let problem = format!("{} cells for {} columns", row.len(), self.columns.len());
            return Err(Error::invalid(place, problem, "give one cell for each column"));
        }
        match row.iter().position(|c| matches!(c, Cell::Number(v) if !v.is_finite())) {
            Some(c) => Err(Error::invalid(
                format!("table {:?}, rows[{index}][{c}]", self.name),
                NOT_FINITE,
                "make the cell by Cell::from",
            )),
            None => Ok(()),
        }
    }
}

impl Column {
    /// A column without a unit.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), unit: None, decimals: None }
    }

    /// A column of percentages with one decimal.
    pub fn percent(name: impl Into<String>) -> Self {
        Self::new(name).unit("%").decimals(1)
    }

    /// The same column with a unit.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// The same column with a fixed number of decimals.
    #[must_use]
    pub fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = Some(decimals);
        self
    }
}

impl Cell {
    /// The number it holds, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(v) => Some(*v as f64),
            Self::Number(v) => Some(*v),
            Self::Text(_) => None,
        }
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        if value.is_finite() {
            Self::Number(value)
        } else {
            Self::Text(value.to_string().to_lowercase())
        }
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Text(value.to_string()), Self::Integer)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl Series {
    /// A solid series. Points that are not finite cannot be stored in JSON: they are left out and
    /// counted in `dropped`. Style and group are set as fields.
    pub fn new(
        panel: impl Into<String>,
        name: impl Into<String>,
        x_name: impl Into<String>,
        y_name: impl Into<String>,
        points: impl IntoIterator<Item = [f64; 2]>,
    ) -> Self {
        let mut dropped = 0;
        let mut finite = |p: &[f64; 2]| {
            let keep = p.iter().all(|v| v.is_finite());
            dropped += usize::from(!keep);
            keep
        };
        let points = points.into_iter().filter(|p| finite(p)).collect();
        Self {
            name: name.into(),
            panel: panel.into(),
            x_name: x_name.into(),
            y_name: y_name.into(),
            points,
            dropped,
            ..Self::default()
        }
    }
}

impl Grid {
    /// The grid of `value(x, y)`; a value that is not finite becomes `None`.
    pub fn new(
        name: impl Into<String>,
        x_name: impl Into<String>,
        y_name: impl Into<String>,
        x: Vec<f64>,
        y: Vec<f64>,
        mut value: impl FnMut(f64, f64) -> f64,
    ) -> Self {
        let mut cell = |x, y| Some(value(x, y)).filter(|v| v.is_finite());
        let values = y.iter().map(|&y| x.iter().map(|&x| cell(x, y)).collect()).collect();
        Self { name: name.into(), x_name: x_name.into(), y_name: y_name.into(), x, y, values }
    }

    fn check(&self) -> Result<()> {
        let place = |part: &str| format!("grid {:?}, {part}", self.name);
        for (part, axis) in [("x", &self.x), ("y", &self.y)] {
            let increasing = axis.windows(2).all(|w| w[0] < w[1]);
            if axis.is_empty() || !increasing || !axis.iter().all(|v| v.is_finite()) {
                let remedy = "give at least one finite position, in increasing order";
                return Err(Error::invalid(place(part), "not a scale of positions", remedy));
            }
        }
        if self.values.len() != self.y.len() || self.values.iter().any(|r| r.len() != self.x.len())
        {
            let problem = format!("not {} rows of {}", self.y.len(), self.x.len());
            return Err(Error::invalid(place("values"), problem, "give one value for each cell"));
        }
        if self.values.iter().flatten().flatten().any(|v| !v.is_finite()) {
            return Err(Error::invalid(place("values"), NOT_FINITE, "use null for no value"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_survive_json() {
        let cells: Vec<Cell> = vec![
            3.into(),
            3.0.into(),
            (-0.0).into(),
            0.1.into(),
            f64::MIN_POSITIVE.into(),
            1e300.into(),
            f64::INFINITY.into(),
            f64::NAN.into(),
            u64::MAX.into(),
            "never".into(),
        ];
        let text = serde_json::to_string(&cells).unwrap();
        assert!(text.contains(r#"3,3.0,-0.0,0.1"#) && text.contains(r#""inf","nan""#), "{text}");
        assert_eq!(serde_json::from_str::<Vec<Cell>>(&text).unwrap(), cells);
    }

    #[test]
    fn nothing_that_is_not_finite_is_saved() {
        let dir = tempfile::tempdir().unwrap();
        let good = Report { name: "r".into(), ..Report::default() };
        let column = || [Column::new("a")];
        let table =
            Table { rows: vec![vec![Cell::Number(f64::NAN)]], ..Table::new("t", "", column()) };
        let series = Series { points: vec![[0.0, f64::INFINITY]], ..Series::default() };
        let mut grid = Grid::new("g", "x", "y", vec![1.0], vec![1.0], |_, _| 0.0);
        grid.values[0][0] = Some(f64::NAN);
        for bad in [
            Report { tables: vec![table], ..good.clone() },
            Report { series: vec![series], ..good.clone() },
            Report { grids: vec![grid], ..good.clone() },
            Report { minutes: f64::NAN, ..good.clone() },
            Report { name: "../r".into(), ..good.clone() },
        ] {
            assert!(matches!(bad.save(dir.path()), Err(Error::Invalid { .. })), "{bad:?}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        good.save(dir.path()).unwrap();
    }

    #[test]
    fn constructors_leave_out_what_is_not_finite() {
        let series = Series::new("p", "s", "x", "y", [[0.0, 1.0], [1.0, f64::NAN], [2.0, 3.0]]);
        assert_eq!((series.points.len(), series.dropped), (2, 1));
        let grid = Grid::new("g", "x", "y", vec![0.0, 1.0], vec![2.0], |x, _| 1.0 / x);
        assert_eq!(grid.values, [[None, Some(1.0)]]);
        grid.check().unwrap();
    }

    #[test]
    fn a_grid_must_be_rectangular_over_increasing_positions() {
        let grid = Grid::new("g", "x", "y", vec![0.0, 1.0], vec![2.0], |_, _| 0.0);
        assert!(Grid { x: vec![1.0, 0.0], ..grid.clone() }.check().is_err());
        assert!(Grid { x: vec![], ..grid.clone() }.check().is_err());
        assert!(Grid { values: vec![vec![None]], ..grid.clone() }.check().is_err());
    }
}
