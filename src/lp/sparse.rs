//! A matrix by its columns, zeros left out.

/// Compressed columns: column j's entries are `row[start[j]..start[j + 1]]` with their `value`s.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse<T> {
    rows: usize,
    start: Vec<usize>,
    row: Vec<u32>,
    value: Vec<T>,
}

impl<T> Sparse<T> {
    /// A matrix of `rows` rows without columns, to be filled by [`Self::push`] and
    /// [`Self::end_column`].
    pub fn new(rows: usize) -> Self {
        Self { rows, start: vec![0], row: Vec::new(), value: Vec::new() }
    }

    /// Adds an entry to the column being filled; the caller leaves zeros out.
    pub fn push(&mut self, row: usize, value: T) {
        self.row.push(row as u32);
        self.value.push(value);
    }

    /// Ends the column being filled.
    pub fn end_column(&mut self) {
        self.start.push(self.row.len());
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.start.len() - 1
    }

    /// The number of entries kept.
    pub fn entries(&self) -> usize {
        self.value.len()
    }

    /// Column j: its rows, and the values there.
    pub fn column(&self, j: usize) -> (&[u32], &[T]) {
        let range = self.start[j]..self.start[j + 1];
        (&self.row[range.clone()], &self.value[range])
    }

    /// Column j as pairs.
    pub fn pairs(&self, j: usize) -> impl Iterator<Item = (usize, &T)> {
        let (rows, values) = self.column(j);
        rows.iter().map(|i| *i as usize).zip(values)
    }

    /// All values.
    pub fn values(&self) -> &[T] {
        &self.value
    }

    /// The same pattern with other values.
    pub fn map<U>(&self, f: impl FnMut(&T) -> U) -> Sparse<U> {
        Sparse {
            rows: self.rows,
            start: self.start.clone(),
            row: self.row.clone(),
            value: self.value.iter().map(f).collect(),
        }
    }
}

impl<T: Clone> Sparse<T> {
    /// The transposed matrix; rows within its columns increase.
    pub fn transposed(&self) -> Self {
        let mut start = vec![0; self.rows + 1];
        self.row.iter().for_each(|i| start[*i as usize + 1] += 1);
        (0..self.rows).for_each(|i| start[i + 1] += start[i]);
        let mut order = vec![(0_u32, 0_usize); self.row.len()];
        let mut next = start.clone();
        for j in 0..self.columns() {
            for k in self.start[j]..self.start[j + 1] {
                let place = &mut next[self.row[k] as usize];
                order[*place] = (j as u32, k);
                *place += 1;
            }
        }
        Self {
            rows: self.columns(),
            start,
            row: order.iter().map(|(j, _)| *j).collect(),
            value: order.iter().map(|(_, k)| self.value[*k].clone()).collect(),
        }
    }

    /// The rows and columns chosen, renumbered in the order given.
    pub fn part(&self, rows: &[usize], columns: &[usize]) -> Self {
        let mut place = vec![u32::MAX; self.rows];
        rows.iter().enumerate().for_each(|(k, i)| place[*i] = k as u32);
        let mut part = Self::new(rows.len());
        for &j in columns {
            for (i, v) in self.pairs(j).filter(|(i, _)| place[*i] != u32::MAX) {
                part.push(place[i] as usize, v.clone());
            }
            part.end_column();
        }
        part
    }
}
