//! Charts, written as SVG and PNG.
//!
//! A chart is plain data. [`Figure`] puts several in one picture; `draw(stem)` writes `stem.svg` and
//! `stem.png`. What an axis cannot show (a NaN, zero on a logarithmic axis) is left out, and a chart
//! with nothing to show is an [`Error::Invalid`]. The PNG's font, Ubuntu Light, has Latin, Greek
//! and Cyrillic letters and signs such as ≤ × ± ∞ √, but no arrows and no ∈; the SVG leaves the font
//! to its reader.
//!
//! ```
//! use nashguard::report::plot::{Axis, Line, LineChart};
//! use nashguard::report::Style;
//!
//! let bound = (1..100).map(|t| [f64::from(t), 1.0 / f64::from(t)]);
//! let chart = LineChart {
//!     title: "The gap falls as 1/t".into(),
//!     x: Axis::log("iteration t"),
//!     y: Axis::log("gap (nats)"),
//!     lines: vec![Line::new("predicted", Style::Dashed, bound)],
//!     ..LineChart::default()
//! };
//! # let dir = tempfile::tempdir().unwrap();
//! # let stem = dir.path().join("gap");
//! chart.draw(&stem)?; // stem.svg and stem.png
//! # Ok::<(), nashguard::Error>(())
//! ```

mod canvas;
mod scale;

use super::{Grid, Series, Style, format_number};
use crate::{Error, Result};
use canvas::{Canvas, Pixel, Room, text_width, wrap};
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;
use scale::Scale;
use std::path::Path;

/// An axis: its label, whether it is logarithmic, and its range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What it measures, with the unit.
    pub label: String,
    /// Logarithmic, for positive values only.
    pub log: bool,
    /// Both ends; without it all values are shown.
    pub range: Option<[f64; 2]>,
    /// Counts: nothing is written between whole numbers.
    pub whole: bool,
}

/// A named set of points, joined or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The legend's label; without one it is not in the legend.
    pub label: String,
    /// Lines of one group share a colour; empty for its own.
    pub group: String,
    /// How it is drawn.
    pub style: Style,
    /// The points, in the order they are joined.
    pub points: Vec<[f64; 2]>,
}

/// A text beside a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// The point.
    pub at: [f64; 2],
    /// The text.
    pub text: String,
}

/// Lines and markers over two axes: curves, trajectories, scatter plots.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineChart {
    /// The heading.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn: solid lines, dashed lines over them, and markers over both; there are eight
    /// colours before they repeat.
    pub lines: Vec<Line>,
    /// Texts beside points.
    pub notes: Vec<Note>,
}

/// A grid of coloured cells with a colour bar, and lines over it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatMap {
    /// The heading.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The colour bar.
    pub value: Axis,
    /// The cells; a cell without a value is grey.
    pub grid: Grid,
    /// Lines over the cells.
    pub lines: Vec<Line>,
}

/// One group of bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// The text left of the group.
    pub label: String,
    /// One value for each of the chart's series; `None` is drawn as a dash.
    pub values: Vec<Option<f64>>,
}

/// Horizontal bars, grouped by label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// The heading.
    pub title: String,
    /// The axis of the values.
    pub value: Axis,
    /// The legend's labels, one for each bar of a group; one empty label for a chart without groups.
    pub series: Vec<String>,
    /// The groups, top to bottom.
    pub bars: Vec<Bar>,
}

/// A chart of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Panel {
    /// Lines and markers.
    Lines(LineChart),
    /// A heat map.
    Heat(HeatMap),
    /// Bars.
    Bars(Bars),
}

/// Several charts in one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// The heading over all panels; may be empty.
    pub title: String,
    /// Panels in a row.
    pub columns: usize,
    /// The panels, row by row.
    pub panels: Vec<Panel>,
}

const TITLE: i32 = 34;
const TEXT: i32 = 28;
const GAP: i32 = 12;
const MARGIN: i32 = 28;
const PANEL: (i32, i32) = (1200, 840);
/// More than any readable figure; an accident should not fill the memory.
const MOST_PIXELS: i64 = 1 << 26;

// Okabe and Ito's colours, told apart by colour-blind readers; without their yellow, which a white
// ground hides.
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(130, 130, 130),
];
/// Those that are not lost on the cells of a heat map.
const ON_CELLS: [RGBColor; 4] = [COLORS[6], COLORS[1], COLORS[3], COLORS[4]];
const LIGHT: RGBColor = RGBColor(225, 225, 225);
const NO_VALUE: RGBColor = RGBColor(190, 190, 190);
const WHITE: RGBColor = RGBColor(255, 255, 255);

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// A linear axis of counts, such as rounds.
    pub fn counts(label: impl Into<String>) -> Self {
        Self { whole: true, ..Self::linear(label) }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: true, ..Self::default() }
    }

    /// The same axis from `low` to `high`; what lies outside is cut off.
    #[must_use]
    pub fn between(mut self, low: f64, high: f64) -> Self {
        self.range = Some([low, high]);
        self
    }
}

impl Line {
    /// A line of its own colour.
    pub fn new(
        label: impl Into<String>,
        style: Style,
        points: impl IntoIterator<Item = [f64; 2]>,
    ) -> Self {
        let points = points.into_iter().collect();
        Self { label: label.into(), group: String::new(), style, points }
    }

    /// The same line in the colour of `group`.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }
}

impl From<&Series> for Line {
    fn from(series: &Series) -> Self {
        Self {
            label: series.name.clone(),
            group: series.group.clone(),
            style: series.style,
            points: series.points.clone(),
        }
    }
}

impl LineChart {
    /// Write `stem.svg` and `stem.png`.
    pub fn draw(&self, stem: impl AsRef<Path>) -> Result<()> {
        write("", 1, &[self], stem.as_ref())
    }
}

impl HeatMap {
    /// Write `stem.svg` and `stem.png`.
    pub fn draw(&self, stem: impl AsRef<Path>) -> Result<()> {
        write("", 1, &[self], stem.as_ref())
    }
}

impl Bars {
    /// Write `stem.svg` and `stem.png`.
    pub fn draw(&self, stem: impl AsRef<Path>) -> Result<()> {
        write("", 1, &[self], stem.as_ref())
    }
}

impl Figure {
    /// Write `stem.svg` and `stem.png`.
    pub fn draw(&self, stem: impl AsRef<Path>) -> Result<()> {
        let panels = self.panels.iter().map(|panel| match panel {
            Panel::Lines(chart) => chart as &dyn Chart,
            Panel::Heat(chart) => chart,
            Panel::Bars(chart) => chart,
        });
        write(&self.title, self.columns, &panels.collect::<Vec<_>>(), stem.as_ref())
    }
}

impl From<LineChart> for Panel {
    fn from(chart: LineChart) -> Self {
        Self::Lines(chart)
    }
}

impl From<HeatMap> for Panel {
    fn from(chart: HeatMap) -> Self {
        Self::Heat(chart)
    }
}

impl From<Bars> for Panel {
    fn from(chart: Bars) -> Self {
        Self::Bars(chart)
    }
}

/// What a picture is made of.
trait Chart {
    fn title(&self) -> &str;
    /// The width and height it wants.
    fn size(&self) -> (i32, i32);
    /// Lay it out in the room it got.
    fn lay_out(&self, canvas: &mut Canvas, room: Room) -> Result<()>;
}

fn write(title: &str, columns: usize, panels: &[&dyn Chart], stem: &Path) -> Result<()> {
    if panels.is_empty() || columns == 0 {
        return Err(Error::invalid("figure", "it has no panels", "give it panels and columns"));
    }
    canvas::font()?;
    let sizes: Vec<_> = panels.iter().map(|panel| panel.size()).collect();
    let width = |column| sizes.iter().skip(column).step_by(columns).map(|s| s.0).max();
    let widths: Vec<i32> = (0..columns).map_while(width).collect();
    let heights: Vec<i32> =
        sizes.chunks(columns).filter_map(|row| row.iter().map(|s| s.1).max()).collect();

    let width: i64 = widths.iter().map(|&w| i64::from(w)).sum();
    let lines = wrap(title, TITLE, i32::try_from(width).unwrap_or(i32::MAX) - 2 * MARGIN);
    let above = if lines.is_empty() { 0 } else { MARGIN + lines.len() as i32 * line_height(TITLE) };
    let height = heights.iter().map(|&h| i64::from(h)).sum::<i64>() + i64::from(above);
    if width * height > MOST_PIXELS {
        let problem = format!("{width} by {height} pixels are too many");
        return Err(Error::invalid("figure", problem, "draw less in one figure"));
    }

    let mut canvas = Canvas::default();
    lay_lines(&mut canvas, &lines, (width as i32 / 2, MARGIN), TITLE, HPos::Center);
    let mut top = above;
    for (row, height) in panels.chunks(columns).zip(&heights) {
        let mut left = 0;
        for (panel, width) in row.iter().zip(&widths) {
            let room = Room { left, top, right: left + width, bottom: top + height };
            let place = format!("chart {:?}", panel.title());
            panel.lay_out(&mut canvas, room.shrunk(MARGIN)).map_err(|e| e.within(&place))?;
            left += width;
        }
        top += height;
    }
    canvas.write(stem, (width as u32, height as u32))
}

fn line_height(size: i32) -> i32 {
    size * 5 / 4
}

/// Lines of text below `top`; how high they are.
fn lay_lines(canvas: &mut Canvas, lines: &[String], top: Pixel, size: i32, align: HPos) -> i32 {
    let height = line_height(size);
    for (i, line) in lines.iter().enumerate() {
        let middle = top.1 + i as i32 * height + height / 2;
        canvas.text(line, (top.0, middle), size, align);
    }
    lines.len() as i32 * height
}

/// What stands before a label in a legend.
#[derive(Clone, Copy)]
enum Key {
    Stroke(Style),
    Patch,
}

/// Title and legend; the room left below them.
fn lay_head(
    canvas: &mut Canvas,
    room: Room,
    title: &str,
    legend: &[(&str, Key, RGBColor)],
) -> Room {
    const KEY: i32 = 54;
    let middle = (room.left + room.right) / 2;
    let mut top = room.top;
    let title = wrap(title, TITLE, room.width());
    top += lay_lines(canvas, &title, (middle, top), TITLE, HPos::Center);

    // Entries flow into rows.
    let mut left = room.left;
    let mut row = 0;
    let named: Vec<_> = legend.iter().filter(|entry| !entry.0.trim().is_empty()).collect();
    if !named.is_empty() {
        top += GAP;
    }
    for &(label, key, color) in named {
        let lines = wrap(label, TEXT, room.width() - KEY - GAP);
        let width = lines.iter().map(|l| text_width(l, TEXT)).max().unwrap_or(0) + KEY + GAP;
        if left > room.left && left + width > room.right {
            (left, top, row) = (room.left, top + row, 0);
        }
        let y = top + line_height(TEXT) / 2;
        let ends = [(left, y), (left + KEY, y)];
        match key {
            Key::Stroke(Style::Solid) => canvas.path(ends.to_vec(), color, 4),
            Key::Stroke(Style::Dashed) => canvas.dashes(&ends, color, 4),
            Key::Stroke(Style::Markers) => canvas.disc((left + KEY / 2, y), 8, color),
            Key::Patch => {
                let patch =
                    Room { left: left + 14, top: y - 12, right: left + KEY, bottom: y + 12 };
                canvas.rect(patch, color);
            }
        }
        row = row.max(lay_lines(canvas, &lines, (left + KEY + GAP, top), TEXT, HPos::Left));
        left += width + 3 * GAP;
    }
    Room { top: top + row + GAP, ..room }
}

/// The lines' colours: one for each group, in the order they come, and a darker one for its dashed
/// lines, which else would be lost on the solid.
fn colors(lines: &[Line], palette: &[RGBColor]) -> Vec<RGBColor> {
    let mut groups: Vec<Option<&str>> = Vec::new();
    let colors = lines.iter().map(|line| {
        let group = Some(line.group.as_str()).filter(|group| !group.is_empty());
        let known = groups.iter().position(|known| group.is_some() && *known == group);
        let index = known.unwrap_or_else(|| {
            groups.push(group);
            groups.len() - 1
        });
        let RGBColor(r, g, b) = palette[index % palette.len()];
        match line.style {
            Style::Dashed if group.is_some() => RGBColor(r / 2, g / 2, b / 2),
            _ => RGBColor(r, g, b),
        }
    });
    colors.collect()
}

fn legend<'a>(lines: &'a [Line], colors: &[RGBColor]) -> Vec<(&'a str, Key, RGBColor)> {
    let entry = |(line, color): (&'a Line, &RGBColor)| {
        (line.label.as_str(), Key::Stroke(line.style), *color)
    };
    lines.iter().zip(colors).map(entry).collect()
}

/// The rectangle data are drawn in, with its scales.
struct Frame {
    room: Room,
    x: Scale,
    y: Scale,
}

impl Frame {
    /// Make room for the axes' numbers and labels, and draw them.
    fn lay_out(
        canvas: &mut Canvas,
        room: Room,
        x: (&Axis, Scale),
        y: (&Axis, Scale),
    ) -> Result<Self> {
        const LEAST: i32 = 100;
        let full = || Err(Error::invalid("labels", "they leave no room to draw", "shorten them"));
        let (x_label, below) = wrap_below(x.0, room.width());
        let inner = Room { top: room.top + TEXT / 2, bottom: room.bottom - below, ..room };
        if inner.height() < LEAST {
            return full();
        }
        let ticks = y.1.ticks((inner.height() / 90) as usize);
        let numbers = ticks.iter().map(|t| text_width(&t.label, TEXT)).max().unwrap_or(0);
        let label = wrap(&y.0.label, TEXT, inner.height());
        let left = inner.left + label.len() as i32 * line_height(TEXT) + GAP + numbers + GAP;
        let frame =
            Self { room: Room { left, right: inner.right - 2 * GAP, ..inner }, x: x.1, y: y.1 };
        if frame.room.width() < LEAST {
            return full();
        }

        for (i, line) in label.iter().enumerate() {
            let middle = (frame.room.top + frame.room.bottom) / 2;
            let at = room.left + i as i32 * line_height(TEXT) + line_height(TEXT) / 2;
            canvas.upright(line, (at, middle), TEXT);
        }
        for tick in &ticks {
            let height = frame.pixel([0.0, tick.at]).1;
            let ends = vec![(frame.room.left, height), (frame.room.right, height)];
            canvas.path(ends, LIGHT, 2);
            canvas.text(&tick.label, (left - GAP, height), TEXT, HPos::Right);
        }
        lay_x(canvas, frame.room, &frame.x, &x_label);
        Ok(frame)
    }

    /// The pixel at parts of the frame's width and height.
    fn pixel(&self, at: [f64; 2]) -> Pixel {
        let along = |start: i32, end: i32, part: f64| {
            f64::from(start) + part.clamp(0.0, 1.0) * f64::from(end - start)
        };
        let x = along(self.room.left, self.room.right, at[0]);
        let y = along(self.room.bottom, self.room.top, at[1]);
        (x.round() as i32, y.round() as i32)
    }

    /// Parts of the frame's width and height; `None` for what an axis cannot show.
    fn place(&self, point: [f64; 2]) -> Option<[f64; 2]> {
        Some([self.x.place(point[0])?, self.y.place(point[1])?])
    }

    fn lay_lines(&self, canvas: &mut Canvas, lines: &[Line], colors: &[RGBColor], halo: bool) {
        const FEW: usize = 12;
        let mut ordered: Vec<_> = lines.iter().zip(colors).collect();
        ordered.sort_by_key(|(line, _)| line.style);
        for (line, &color) in ordered {
            let places: Vec<_> = line.points.iter().map(|&p| self.place(p)).collect();
            if line.style != Style::Markers {
                for path in self.paths(&places) {
                    if halo {
                        canvas.path(path.clone(), WHITE, 9);
                    }
                    match line.style {
                        Style::Dashed => canvas.dashes(&path, color, 4),
                        _ => canvas.path(path, color, 4),
                    }
                }
            }
            // A few measured points are seen one by one, and a single one would else not be seen.
            let marked = match line.style {
                Style::Markers => true,
                Style::Solid => places.len() <= FEW,
                Style::Dashed => places.len() == 1,
            };
            let within = |p: &&[f64; 2]| p.iter().all(|v| (0.0..=1.0).contains(v));
            if marked {
                for &place in places.iter().flatten().filter(within) {
                    canvas.disc(self.pixel(place), 8, color);
                }
            }
        }
    }

    /// The parts of a line within the frame; a point that cannot be shown breaks it.
    fn paths(&self, places: &[Option<[f64; 2]>]) -> Vec<Vec<Pixel>> {
        let mut paths: Vec<Vec<Pixel>> = Vec::new();
        let mut joined = false;
        for pair in places.windows(2) {
            let Some((from, to)) = pair[0].zip(pair[1]).and_then(|(a, b)| clipped(a, b)) else {
                joined = false;
                continue;
            };
            let ends = [self.pixel(from), self.pixel(to)];
            match paths.last_mut() {
                Some(path) if joined && path.last() == Some(&ends[0]) => {
                    if ends[0] != ends[1] {
                        path.push(ends[1]);
                    }
                }
                _ => paths.push(ends.to_vec()),
            }
            joined = true;
        }
        paths
    }
}

/// The part of a segment within the unit square, if any.
fn clipped(from: [f64; 2], to: [f64; 2]) -> Option<([f64; 2], [f64; 2])> {
    let (mut first, mut last) = (0.0_f64, 1.0_f64);
    for i in 0..2 {
        let length = to[i] - from[i];
        if length == 0.0 {
            if !(0.0..=1.0).contains(&from[i]) {
                return None;
            }
        } else {
            let (a, b) = (-from[i] / length, (1.0 - from[i]) / length);
            (first, last) = (first.max(a.min(b)), last.min(a.max(b)));
        }
    }
    let at = |t: f64| [from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])];
    (first <= last).then(|| (at(first), at(last)))
}

/// The lines of a horizontal axis' label, and the height they and the numbers need. They are narrow
/// enough to stand centred under a frame that has lost a third of the width to what is beside it.
fn wrap_below(axis: &Axis, width: i32) -> (Vec<String>, i32) {
    let label = wrap(&axis.label, TEXT, width * 13 / 20);
    let height = GAP + (label.len() as i32 + 1) * line_height(TEXT);
    (label, height)
}

/// A horizontal axis below the frame, with its grid lines.
fn lay_x(canvas: &mut Canvas, frame: Room, scale: &Scale, label: &[String]) {
    // As many numbers as stand apart.
    let apart = |count: &usize| {
        let ticks = scale.ticks(*count);
        let widths = ticks.iter().map(|t| text_width(&t.label, TEXT) + 2 * GAP);
        widths.sum::<i32>() < frame.width()
    };
    let count = (3..=8).rev().find(apart).unwrap_or(2);
    for tick in scale.ticks(count) {
        let x = frame.left + (tick.at * f64::from(frame.width())).round() as i32;
        canvas.path(vec![(x, frame.top), (x, frame.bottom)], LIGHT, 2);
        canvas.text(&tick.label, (x, frame.bottom + GAP + TEXT / 2), TEXT, HPos::Center);
    }
    let top = frame.bottom + GAP + line_height(TEXT);
    let middle = (frame.left + frame.right) / 2;
    lay_lines(canvas, label, (middle, top), TEXT, HPos::Center);
}

/// The margin around data, as a part of their range.
const PAD: f64 = 0.04;
const NOTHING: &str = "give finite values, positive ones for a logarithmic axis";

impl Chart for LineChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (i32, i32) {
        PANEL
    }

    fn lay_out(&self, canvas: &mut Canvas, room: Room) -> Result<()> {
        // A point off one axis must not stretch the other.
        let shown = |axis: &Axis, v: f64| v.is_finite() && (!axis.log || v > 0.0);
        let points: Vec<[f64; 2]> = self
            .lines
            .iter()
            .flat_map(|line| line.points.iter().copied())
            .chain(self.notes.iter().map(|note| note.at))
            .filter(|p| shown(&self.x, p[0]) && shown(&self.y, p[1]))
            .collect();
        if points.is_empty() {
            return Err(Error::invalid("lines", "no point can be shown", NOTHING));
        }
        let x = Scale::fit(&self.x, points.iter().map(|p| p[0]), PAD)?;
        let y = Scale::fit(&self.y, points.iter().map(|p| p[1]), PAD)?;
        let colors = colors(&self.lines, &COLORS);
        let room = lay_head(canvas, room, &self.title, &legend(&self.lines, &colors));
        let frame = Frame::lay_out(canvas, room, (&self.x, x), (&self.y, y))?;
        canvas.outline(frame.room);
        frame.lay_lines(canvas, &self.lines, &colors, false);
        lay_notes(canvas, &frame, &self.notes);
        Ok(())
    }
}

/// Each note beside its point, where it meets no other note and no other note's point, if it can.
fn lay_notes(canvas: &mut Canvas, frame: &Frame, notes: &[Note]) {
    const AWAY: i32 = 16;
    let half = TEXT * 2 / 5;
    let inside = frame.room.shrunk(4);
    let within = |place: &[f64; 2]| place.iter().all(|v| (0.0..=1.0).contains(v));
    let placed = notes.iter().filter_map(|note| {
        let place = frame.place(note.at).filter(within)?;
        Some((note, frame.pixel(place)))
    });
    let placed: Vec<_> = placed.collect();
    let mut taken: Vec<Room> = placed
        .iter()
        .map(|(_, (x, y))| Room { left: x - 10, top: y - 10, right: x + 10, bottom: y + 10 })
        .collect();
    for (note, (x, y)) in placed {
        let width = text_width(&note.text, TEXT);
        let at = |left: i32, middle: i32| Room {
            left,
            top: middle - half,
            right: left + width,
            bottom: middle + half,
        };
        let (right, left) = (x + AWAY, x - AWAY - width);
        let (up, down) = (y - AWAY - half, y + AWAY + half);
        let rooms = [
            at(right, y),
            at(left, y),
            at(x - width / 2, up),
            at(x - width / 2, down),
            at(right, up),
            at(right, down),
            at(left, up),
            at(left, down),
        ];
        let free = |room: &&Room| inside.holds(room) && !taken.iter().any(|t| t.meets(room));
        let fits = |room: &&Room| inside.holds(room);
        let room = rooms.iter().find(free).or_else(|| rooms.iter().find(fits)).unwrap_or(&rooms[0]);
        canvas.text(&note.text, (room.left, (room.top + room.bottom) / 2), TEXT, HPos::Left);
        taken.push(*room);
    }
}

impl Chart for HeatMap {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (i32, i32) {
        PANEL
    }

    fn lay_out(&self, canvas: &mut Canvas, room: Room) -> Result<()> {
        const BAR: i32 = 36;
        const SEAM: i32 = 2;
        self.grid.check()?;
        let values = self.grid.values.iter().flatten().flatten().copied();
        let value = Scale::fit(&self.value, values, 0.0)?;
        let x_edges = edges(&self.x, &self.grid.x)?;
        let y_edges = edges(&self.y, &self.grid.y)?;
        let x = Scale::fit(&self.x, x_edges.iter().copied(), 0.0)?;
        let y = Scale::fit(&self.y, y_edges.iter().copied(), 0.0)?;

        let colors = colors(&self.lines, &ON_CELLS);
        let missing = self.grid.values.iter().flatten().any(|v| value_place(&value, *v).is_none());
        let mut legend = legend(&self.lines, &colors);
        if missing {
            legend.push(("no value", Key::Patch, NO_VALUE));
        }
        let room = lay_head(canvas, room, &self.title, &legend);

        let ticks = value.ticks(6);
        let numbers = ticks.iter().map(|t| text_width(&t.label, TEXT)).max().unwrap_or(0);
        let label = wrap(&self.value.label, TEXT, room.height() * 3 / 4);
        let beside = BAR + 3 * GAP + numbers + label.len() as i32 * line_height(TEXT);
        let main = Room { right: room.right - beside - 2 * GAP, ..room };
        let frame = Frame::lay_out(canvas, main, (&self.x, x), (&self.y, y))?;

        for (row, ys) in self.grid.values.iter().zip(y_edges.windows(2)) {
            for (cell, xs) in row.iter().zip(x_edges.windows(2)) {
                let corners = frame.place([xs[0], ys[1]]).zip(frame.place([xs[1], ys[0]]));
                let Some((from, to)) = corners else { continue };
                let ((left, top), (right, bottom)) = (frame.pixel(from), frame.pixel(to));
                if left < right && top < bottom {
                    // Over the earlier cells' edges, where a scaled SVG would show seams.
                    let left = (left - SEAM).max(frame.room.left);
                    let bottom = (bottom + SEAM).min(frame.room.bottom);
                    let color = value_place(&value, *cell).map_or(NO_VALUE, shade);
                    canvas.rect(Room { left, top, right, bottom }, color);
                }
            }
        }
        frame.lay_lines(canvas, &self.lines, &colors, true);
        canvas.outline(frame.room);

        let left = frame.room.right + 3 * GAP;
        let bar = Room { left, right: left + BAR, ..frame.room };
        for step in 0..bar.height() {
            let top = bar.bottom - step - 1;
            let part = f64::from(step) / f64::from(bar.height());
            let bottom = (top + 1 + SEAM).min(bar.bottom);
            canvas.rect(Room { top, bottom, ..bar }, shade(part));
        }
        canvas.outline(bar);
        for tick in &ticks {
            let y = bar.bottom - (tick.at * f64::from(bar.height())).round() as i32;
            canvas.path(vec![(bar.right, y), (bar.right + GAP / 2, y)], canvas::INK, 2);
            canvas.text(&tick.label, (bar.right + GAP, y), TEXT, HPos::Left);
        }
        for (i, line) in label.iter().enumerate() {
            let x = bar.right + 2 * GAP + numbers + i as i32 * line_height(TEXT) + TEXT / 2;
            canvas.upright(line, (x, (bar.top + bar.bottom) / 2), TEXT);
        }
        Ok(())
    }
}

fn value_place(scale: &Scale, value: Option<f64>) -> Option<f64> {
    scale.place(value?).map(|v| v.clamp(0.0, 1.0))
}

/// The cells' edges: half way between the positions, on the axis as it is drawn.
fn edges(axis: &Axis, positions: &[f64]) -> Result<Vec<f64>> {
    let shown: Vec<f64> = positions.iter().map(|&v| if axis.log { v.log10() } else { v }).collect();
    if shown.iter().any(|v| !v.is_finite()) {
        let remedy = "give positive positions or a linear axis";
        return Err(Error::invalid(format!("axis {:?}", axis.label), "no place for 0", remedy));
    }
    let middles = shown.windows(2).map(|w| w[0] + (w[1] - w[0]) / 2.0);
    let (first, last) = (shown[0], shown[shown.len() - 1]);
    let half = |a: Option<&f64>, b: f64| a.map_or(0.5, |a| (a - b).abs() / 2.0);
    let mut edges = vec![first - half(shown.get(1), first)];
    edges.extend(middles);
    edges.push(last + half(shown.len().checked_sub(2).and_then(|i| shown.get(i)), last));
    Ok(edges.into_iter().map(|v| if axis.log { 10f64.powf(v) } else { v }).collect())
}

/// The colour map viridis: even steps for the eye, also in grey and for colour-blind readers.
fn shade(part: f64) -> RGBColor {
    const VIRIDIS: [[f64; 3]; 9] = [
        [68.0, 1.0, 84.0],
        [71.0, 44.0, 122.0],
        [59.0, 81.0, 139.0],
        [44.0, 113.0, 142.0],
        [33.0, 144.0, 141.0],
        [39.0, 173.0, 129.0],
        [92.0, 200.0, 99.0],
        [170.0, 220.0, 50.0],
        [253.0, 231.0, 37.0],
    ];
    let at = part.clamp(0.0, 1.0) * 8.0;
    let below = (at.floor() as usize).min(7);
    let rest = at - below as f64;
    let [r, g, b] = [0, 1, 2].map(|i| {
        let (from, to) = (VIRIDIS[below][i], VIRIDIS[below + 1][i]);
        (from + rest * (to - from)).round() as u8
    });
    RGBColor(r, g, b)
}

const BAR: i32 = 34;
const BETWEEN: i32 = 26;
/// The widest a bar's label gets before it is wrapped.
const LABEL: i32 = 900;
const BARS: i32 = 820;

impl Bars {
    fn labels(&self) -> Vec<Vec<String>> {
        self.bars.iter().map(|bar| wrap(&bar.label, TEXT, LABEL)).collect()
    }

    fn group_height(&self, label: &[String]) -> i32 {
        let bars = i32::try_from(self.series.len()).unwrap_or(i32::MAX).saturating_mul(BAR);
        bars.max(label.len() as i32 * line_height(TEXT)).saturating_add(BETWEEN)
    }

    fn label_width(labels: &[Vec<String>]) -> i32 {
        labels.iter().flatten().map(|line| text_width(line, TEXT)).max().unwrap_or(0)
    }

    fn legend(&self) -> Vec<(&str, Key, RGBColor)> {
        self.series
            .iter()
            .enumerate()
            .map(|(i, name)| (name.as_str(), Key::Patch, COLORS[i % COLORS.len()]))
            .collect()
    }
}

impl Chart for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (i32, i32) {
        let labels = self.labels();
        let width = 2 * MARGIN + Self::label_width(&labels) + BARS;
        // The head is laid out for nothing to learn its height.
        let room = Room { left: 0, top: 0, right: width - 2 * MARGIN, bottom: 0 };
        let head = lay_head(&mut Canvas::default(), room, &self.title, &self.legend()).top;
        let groups = labels.iter().map(|l| self.group_height(l)).fold(0, i32::saturating_add);
        let rest = head + wrap_below(&self.value, BARS).1 + 2 * MARGIN;
        (width, groups.saturating_add(rest))
    }

    fn lay_out(&self, canvas: &mut Canvas, room: Room) -> Result<()> {
        if let Some(bar) = self.bars.iter().find(|bar| bar.values.len() != self.series.len()) {
            let problem = format!("{} values for {} series", bar.values.len(), self.series.len());
            let remedy = "give each bar one value for each series";
            return Err(Error::invalid(format!("bar {:?}", bar.label), problem, remedy));
        }
        let values = || self.bars.iter().flat_map(|bar| bar.values.iter().flatten().copied());
        if !values().any(f64::is_finite) {
            return Err(Error::invalid("bars", "no value can be shown", NOTHING));
        }
        let zero = (!self.value.log).then_some(0.0);
        let mut scale = Scale::fit(&self.value, values().chain(zero), 0.0)?;
        if self.value.log && self.value.range.is_none() {
            scale = scale.starting_lower(0.1); // or the smallest would have no bar
        }

        let labels = self.labels();
        let room = lay_head(canvas, room, &self.title, &self.legend());
        // The numbers at the bars' ends stand beside the frame where a bar fills it.
        let number = |value: f64| format_number(value, None);
        let widest = values().map(|v| text_width(&number(v), TEXT)).max().unwrap_or(0) + GAP;
        let negative = if !self.value.log && values().any(|v| v < 0.0) { widest } else { 0 };
        let frame_left = room.left + Self::label_width(&labels) + GAP + negative;
        let frame_right = room.right - widest.max(2 * GAP);

        let groups: i32 = labels.iter().map(|l| self.group_height(l)).sum();
        let bottom = room.top + groups;
        let frame = Room { left: frame_left, top: room.top, right: frame_right, bottom };
        lay_x(canvas, frame, &scale, &wrap_below(&self.value, BARS).0);
        let pixel = |place: f64| {
            frame.left + (place.clamp(0.0, 1.0) * f64::from(frame.width())).round() as i32
        };
        let base = pixel(zero.and_then(|z| scale.place(z)).unwrap_or(0.0));

        let mut top = frame.top;
        for (bar, label) in self.bars.iter().zip(&labels) {
            let height = self.group_height(label);
            let middle = top + height / 2;
            let lines = label.len() as i32 * line_height(TEXT);
            let label_right = frame.left - negative - GAP;
            lay_lines(canvas, label, (label_right, middle - lines / 2), TEXT, HPos::Right);
            let first = middle - self.series.len() as i32 * BAR / 2;
            for (i, value) in bar.values.iter().enumerate() {
                let bar_top = first + i as i32 * BAR;
                let text_at = bar_top + BAR / 2;
                let Some((value, place)) = value.and_then(|v| Some((v, scale.place(v)?))) else {
                    canvas.text("–", (base + GAP, text_at), TEXT, HPos::Left);
                    continue;
                };
                let end = pixel(place);
                let (left, right) = (base.min(end), base.max(end));
                let shape = Room { left, top: bar_top + 2, right, bottom: bar_top + BAR - 2 };
                canvas.rect(shape, COLORS[i % COLORS.len()]);
                let (at, align) =
                    if end < base { (left - GAP, HPos::Right) } else { (right + GAP, HPos::Left) };
                canvas.text(&number(value), (at, text_at), TEXT, align);
            }
            top += height;
        }
        canvas.path(vec![(base, frame.top), (base, frame.bottom)], canvas::INK, 2);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_cut_at_the_frame() {
        assert_eq!(clipped([-1.0, 0.5], [2.0, 0.5]), Some(([0.0, 0.5], [1.0, 0.5])));
        assert_eq!(clipped([0.25, 0.25], [0.75, 0.5]), Some(([0.25, 0.25], [0.75, 0.5])));
        assert_eq!(clipped([-1.0, 0.5], [0.5, 2.0]), None);
        assert_eq!(clipped([0.5, 2.0], [0.5, 3.0]), None);
        assert_eq!(clipped([0.5, 0.5], [0.5, 0.5]), Some(([0.5, 0.5], [0.5, 0.5])));
    }

    #[test]
    fn a_group_shares_its_colour() {
        let line = |group: &str| Line::new("", Style::Solid, []).group(group);
        let colors = colors(&[line("a"), line(""), line("a"), line(""), line("b")], &COLORS);
        assert_eq!(colors, [0, 1, 0, 2, 3].map(|i| COLORS[i]));
    }

    #[test]
    fn edges_lie_half_way() {
        assert_eq!(edges(&Axis::linear(""), &[0.0, 1.0, 3.0]).unwrap(), [-0.5, 0.5, 2.0, 4.0]);
        assert_eq!(edges(&Axis::linear(""), &[2.0]).unwrap(), [1.5, 2.5]);
        let log = edges(&Axis::log(""), &[1.0, 100.0]).unwrap();
        assert!(log.iter().zip([0.1, 10.0, 1000.0]).all(|(a, b)| (a / b - 1.0).abs() < 1e-12));
        assert!(edges(&Axis::log(""), &[0.0, 1.0]).is_err());
    }
}
