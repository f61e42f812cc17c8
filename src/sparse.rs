//! A matrix by its rows or by its columns, zeros left out.

/// A matrix line by line. The owner says whether a line is a row or a column; an entry's place is its
/// index along the line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse<T> {
    width: usize,
    /// Line j's entries are `start[j]..start[j + 1]`.
    start: Vec<usize>,
    place: Vec<u32>,
    value: Vec<T>,
}

impl<T> Sparse<T> {
    /// A matrix of lines `width` long, of which there are none yet: see [`Self::push`] and
    /// [`Self::end_line`].
    pub(crate) fn new(width: usize) -> Self {
        Self { width, start: vec![0], place: Vec::new(), value: Vec::new() }
    }

    /// Adds an entry to the line being filled; the caller leaves zeros out.
    pub(crate) fn push(&mut self, place: usize, value: T) {
        self.place.push(place as u32);
        self.value.push(value);
    }

    /// Ends the line being filled.
    pub(crate) fn end_line(&mut self) {
        self.start.push(self.place.len());
    }

    /// How long a line is.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.start.len() - 1
    }

    /// The number of entries kept.
    pub fn entries(&self) -> usize {
        self.value.len()
    }

    /// Line j: the places of its entries, and their values.
    pub fn line(&self, j: usize) -> (&[u32], &[T]) {
        let range = self.start[j]..self.start[j + 1];
        (&self.place[range.clone()], &self.value[range])
    }

    /// Line j as pairs (place, value).
    pub fn pairs(&self, j: usize) -> impl Iterator<Item = (usize, &T)> {
        let (places, values) = self.line(j);
        places.iter().map(|i| *i as usize).zip(values)
    }

    /// All values.
    pub fn values(&self) -> &[T] {
        &self.value
    }

    /// The same pattern with other values.
    pub(crate) fn map<U>(&self, f: impl FnMut(&T) -> U) -> Sparse<U> {
        Sparse {
            width: self.width,
            start: self.start.clone(),
            place: self.place.clone(),
            value: self.value.iter().map(f).collect(),
        }
    }
}

impl<T: Clone> Sparse<T> {
    /// The same matrix by its other lines; places along them increase.
    pub(crate) fn transposed(&self) -> Self {
        let mut start = vec![0; self.width + 1];
        self.place.iter().for_each(|i| start[*i as usize + 1] += 1);
        (0..self.width).for_each(|i| start[i + 1] += start[i]);
        let mut order = vec![(0_u32, 0_usize); self.place.len()];
        let mut next = start.clone();
        for j in 0..self.lines() {
            for k in self.start[j]..self.start[j + 1] {
                let slot = &mut next[self.place[k] as usize];
                order[*slot] = (j as u32, k);
                *slot += 1;
            }
        }
        Self {
            width: self.lines(),
            start,
            place: order.iter().map(|(j, _)| *j).collect(),
            value: order.iter().map(|(_, k)| self.value[*k].clone()).collect(),
        }
    }

    /// The places and lines chosen, renumbered in the order given.
    pub(crate) fn part(&self, places: &[usize], lines: &[usize]) -> Self {
        let mut renumbered = vec![u32::MAX; self.width];
        places.iter().enumerate().for_each(|(k, i)| renumbered[*i] = k as u32);
        let mut part = Self::new(places.len());
        for &j in lines {
            for (i, v) in self.pairs(j).filter(|(i, _)| renumbered[*i] != u32::MAX) {
                part.push(renumbered[i] as usize, v.clone());
            }
            part.end_line();
        }
        part
    }
}
