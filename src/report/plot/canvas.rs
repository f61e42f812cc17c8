//! A figure as a list of shapes, and the two ways to paint it.
//!
//! The list is laid out once and painted by both backends, so SVG and PNG are the same picture.

use super::super::{file::replace, write_atomically};
use crate::{Error, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, FontTransform, register_font};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

/// A place in the figure, from its upper left corner.
pub(super) type Pixel = (i32, i32);

/// A rectangle of the figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Room {
    pub fn width(&self) -> i32 {
        self.right - self.left
    }

    pub fn height(&self) -> i32 {
        self.bottom - self.top
    }

    pub fn shrunk(&self, by: i32) -> Self {
        Self {
            left: self.left + by,
            top: self.top + by,
            right: self.right - by,
            bottom: self.bottom - by,
        }
    }

    pub fn holds(&self, inner: &Self) -> bool {
        self.left <= inner.left
            && self.top <= inner.top
            && inner.right <= self.right
            && inner.bottom <= self.bottom
    }

    pub fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

/// What is drawn, later shapes over earlier ones.
enum Shape {
    Path { points: Vec<Pixel>, color: RGBColor, width: u32 },
    Rect { room: Room, color: RGBColor },
    Disc { at: Pixel, radius: u32, color: RGBColor },
    Text { text: String, at: Pixel, size: i32, align: HPos, upright: bool },
}

/// The colour of text and frames.
pub(super) const INK: RGBColor = RGBColor(30, 30, 30);

/// A figure in the making.
#[derive(Default)]
pub(super) struct Canvas {
    shapes: Vec<Shape>,
}

impl Canvas {
    pub fn path(&mut self, points: Vec<Pixel>, color: RGBColor, width: u32) {
        if points.len() > 1 {
            self.shapes.push(Shape::Path { points, color, width });
        }
    }

    /// The path in dashes of even length along it.
    pub fn dashes(&mut self, points: &[Pixel], color: RGBColor, width: u32) {
        const DASH: f64 = 16.0;
        const GAP: f64 = 10.0;
        let (mut drawn, mut rest) = (true, DASH);
        let mut dash: Vec<Pixel> = points.first().copied().into_iter().collect();
        for pair in points.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
            let length = dx.hypot(dy);
            let mut along = 0.0;
            while length - along > rest {
                along += rest;
                let t = along / length;
                let here = (from.0 + (t * dx).round() as i32, from.1 + (t * dy).round() as i32);
                if drawn {
                    dash.push(here);
                    self.path(std::mem::take(&mut dash), color, width);
                } else {
                    dash = vec![here];
                }
                drawn = !drawn;
                rest = if drawn { DASH } else { GAP };
            }
            rest -= length - along;
            if drawn {
                dash.push(to);
            }
        }
        self.path(dash, color, width);
    }

    pub fn rect(&mut self, room: Room, color: RGBColor) {
        self.shapes.push(Shape::Rect { room, color });
    }

    pub fn outline(&mut self, room: Room) {
        let Room { left, top, right, bottom } = room;
        let corners = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        self.path(corners, INK, 2);
    }

    /// A marker, with a white rim that keeps neighbours apart.
    pub fn disc(&mut self, at: Pixel, radius: u32, color: RGBColor) {
        self.shapes.push(Shape::Disc { at, radius: radius + 2, color: WHITE });
        self.shapes.push(Shape::Disc { at, radius, color });
    }

    /// A line of text whose middle height is at `at`.
    pub fn text(&mut self, text: &str, at: Pixel, size: i32, align: HPos) {
        self.push_text(text, at, size, align, false);
    }

    /// A line of text, centred at `at`, that reads upwards.
    pub fn upright(&mut self, text: &str, at: Pixel, size: i32) {
        self.push_text(text, at, size, HPos::Center, true);
    }

    fn push_text(&mut self, text: &str, at: Pixel, size: i32, align: HPos, upright: bool) {
        // XML cannot carry control characters.
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !text.trim().is_empty() {
            self.shapes.push(Shape::Text { text, at, size, align, upright });
        }
    }

    /// Write `stem.svg` and `stem.png`, each in one step.
    pub fn write(&self, stem: &Path, size: (u32, u32)) -> Result<()> {
        font()?;
        let name = match stem.file_name() {
            Some(name) => name.display().to_string(),
            None => {
                let place = stem.display().to_string();
                return Err(Error::invalid(place, "no file name at its end", "name the figure"));
            }
        };
        let path = stem.with_file_name(format!("{name}.svg"));
        let mut svg = String::new();
        self.paint(SVGBackend::with_string(&mut svg, size), false)
            .map_err(|e| Error::io("write", &path, e))?;
        write_atomically(&path, svg.as_bytes())?;
        replace(&stem.with_file_name(format!("{name}.png")), |temporary| {
            self.paint(BitMapBackend::new(temporary, size), true)
        })
    }

    /// Plotters' own strokes on a bitmap are jagged, fill a line that crosses itself by the even-odd
    /// rule, and its texts stand higher than in SVG: there `bitmap` asks for better.
    fn paint<B: DrawingBackend>(&self, mut backend: B, bitmap: bool) -> io::Result<()> {
        let (width, height) = backend.get_size();
        backend.ensure_prepared().map_err(told)?;
        backend.draw_rect((0, 0), (width as i32, height as i32), &WHITE, true).map_err(told)?;
        for shape in &self.shapes {
            match shape {
                Shape::Path { points, color, width } if bitmap => {
                    stroke(&mut backend, points, f64::from(*width), *color)?;
                }
                Shape::Path { points, color, width } => backend
                    .draw_path(points.iter().copied(), &color.stroke_width(*width))
                    .map_err(told)?,
                Shape::Disc { at, radius, color } if bitmap => {
                    stroke(&mut backend, &[*at, *at], f64::from(2 * radius), *color)?;
                }
                Shape::Disc { at, radius, color } => {
                    backend.draw_circle(*at, *radius, color, true).map_err(told)?;
                }
                Shape::Rect { room, color } => backend
                    .draw_rect((room.left, room.top), (room.right, room.bottom), color, true)
                    .map_err(told)?,
                Shape::Text { text, at, size, align, upright } => {
                    let lower = if bitmap { size * 17 / 100 } else { 0 };
                    let (font, at) = match upright {
                        true => (turned(*size), (at.0 + lower, at.1)),
                        false => (FontDesc::from((FAMILY, *size)), (at.0, at.1 + lower)),
                    };
                    let style = font.color(&INK).pos(Pos::new(*align, VPos::Center));
                    backend.draw_text(text, &style, at).map_err(told)?;
                }
            }
        }
        backend.present().map_err(told)
    }
}

fn told(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

fn turned(size: i32) -> FontDesc<'static> {
    FontDesc::from((FAMILY, size)).transform(FontTransform::Rotate270)
}

/// A stroke with round joins and ends: a pixel is covered by how near it is to the path.
fn stroke<B: DrawingBackend>(
    backend: &mut B,
    points: &[Pixel],
    width: f64,
    color: RGBColor,
) -> io::Result<()> {
    let reach = width / 2.0 + 0.5;
    let mut covered: BTreeMap<Pixel, f64> = BTreeMap::new();
    for pair in points.windows(2) {
        let [ax, ay] = [f64::from(pair[0].0), f64::from(pair[0].1)];
        let [dx, dy] = [f64::from(pair[1].0) - ax, f64::from(pair[1].1) - ay];
        let square = dx * dx + dy * dy;
        // Scan along the longer side; across it a stroke is at most sqrt(2) wider.
        let steep = dy.abs() > dx.abs();
        let (start, length, across, rise) = if steep { (ay, dy, ax, dx) } else { (ax, dx, ay, dy) };
        let slope = if length == 0.0 { 0.0 } else { rise / length };
        let (low, high) = (start.min(start + length), start.max(start + length));
        let margin = reach * std::f64::consts::SQRT_2;
        for u in (low - reach).floor() as i32..=(high + reach).ceil() as i32 {
            let middle = across + slope * (f64::from(u).clamp(low, high) - start);
            for v in (middle - margin).floor() as i32..=(middle + margin).ceil() as i32 {
                let at = if steep { (v, u) } else { (u, v) };
                let (px, py) = (f64::from(at.0) - ax, f64::from(at.1) - ay);
                let t = if square == 0.0 { 0.0 } else { (px * dx + py * dy) / square };
                let t = t.clamp(0.0, 1.0);
                let cover = (reach - (px - t * dx).hypot(py - t * dy)).min(1.0);
                if cover > 0.0 {
                    let most = covered.entry(at).or_default();
                    *most = most.max(cover);
                }
            }
        }
    }
    for (at, cover) in covered {
        backend.draw_pixel(at, color.mix(cover).to_backend_color()).map_err(told)?;
    }
    Ok(())
}

const FAMILY: &str = "sans-serif";

/// Register the font that texts are measured and painted with; an SVG names only the family.
pub(super) fn font() -> Result<()> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let register =
        || register_font(FAMILY, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT).is_ok();
    match REGISTERED.get_or_init(register) {
        true => Ok(()),
        false => Err(Error::invalid("font", "not a font file", "report this defect of nashguard")),
    }
}

/// The width of a text, a little generous since the reader of an SVG has another font.
pub(super) fn text_width(text: &str, size: i32) -> i32 {
    match FontDesc::from((FAMILY, size)).box_size(text) {
        Ok((width, _)) => width as i32 * 11 / 10 + 1,
        Err(_) => text.chars().count() as i32 * size * 6 / 10,
    }
}

/// The text in lines not wider than `width`, broken at spaces and, where a word is wider than a
/// line, within it.
pub(super) fn wrap(text: &str, size: i32, width: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if text_width(&longer, size) <= width {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            line.push(c);
            if text_width(&line, size) > width && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_fit_and_lose_nothing() {
        font().unwrap();
        let text = "the équilibre of a very long name and an unbreakableandendlesswordwithoutspace";
        for width in [1, 60, 200, 10_000] {
            let lines = wrap(text, 26, width);
            let letters = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text));
            assert!(width == 1 || lines.iter().all(|line| text_width(line, 26) <= width));
        }
        assert!(wrap(" ", 26, 100).is_empty());
    }

    #[test]
    fn dashes_follow_the_path() {
        let mut canvas = Canvas::default();
        canvas.dashes(&[(0, 0), (100, 0), (100, 5)], INK, 2);
        let Shape::Path { points, .. } = &canvas.shapes[0] else { panic!() };
        assert_eq!(points, &[(0, 0), (16, 0)]);
        assert_eq!(canvas.shapes.len(), 5);
        canvas.dashes(&[], INK, 2);
        canvas.dashes(&[(1, 1)], INK, 2);
        assert_eq!(canvas.shapes.len(), 5);
    }
}
