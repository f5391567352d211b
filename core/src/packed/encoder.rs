//! Building a packed table.

use super::table::Table;
use super::{CELL, Cell, HEADER, MAGIC, NAMED, VERSION};

/// Builds a packed table: header, names and cells grow in place, the bytes of texts and blobs follow at the end.
///
/// ```
/// use litekeel_core::{Cell, Encoder};
///
/// let mut encoder = Encoder::new([&b"id"[..], b"name"]);
/// for (id, name) in [(1, "Ada"), (2, "Grace")] {
///     encoder.push(Cell::Int(id));
///     encoder.push(Cell::Text(name.as_bytes()));
/// }
/// let packed = encoder.finish();
/// assert_eq!((packed.table().rows(), packed.table().columns()), (2, 2));
/// assert_eq!(packed.table().cell(1, 1), Cell::Text(b"Grace"));
/// ```
pub struct Encoder {
    columns: usize,
    /// Header, names and cells; the payload of a text or blob counts from the first byte of `heap` until the end.
    words: Vec<u64>,
    heap: Vec<u8>,
    flags: u32,
    /// Rows changed.
    pub changes: i64,
    /// Last inserted rowid.
    pub last_rowid: i64,
}

/// The beginning of a table: its header and column names.
#[derive(Clone)]
pub(crate) struct Names {
    columns: usize,
    words: Vec<u64>,
    heap: Vec<u8>,
}

fn pair(low: u32, high: u32) -> u64 {
    let (low, high) = (u64::from(low), u64::from(high));
    if cfg!(target_endian = "little") { low | high << 32 } else { low << 32 | high }
}

fn low(word: u64) -> u32 {
    (if cfg!(target_endian = "little") { word } else { word >> 32 }) as u32
}

impl Encoder {
    /// A table with these column names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Encoder {
        let (mut words, heap) = spare::take();
        words.resize(HEADER / 8, 0);
        let mut encoder = Encoder { columns: 0, words, heap, flags: 0, changes: 0, last_rowid: 0 };
        for name in names {
            encoder.push(Cell::Text(name));
            encoder.columns += 1;
        }
        encoder
    }

    /// A table that begins as `names`, an encoder without rows, does.
    pub(crate) fn like(names: &Names) -> Encoder {
        let (mut words, mut heap) = spare::take();
        words.extend_from_slice(&names.words);
        heap.extend_from_slice(&names.heap);
        Encoder { columns: names.columns, words, heap, flags: 0, changes: 0, last_rowid: 0 }
    }

    /// The beginning of this table, before its first row, for tables of the same columns.
    pub(crate) fn names(&self) -> Names {
        Names { columns: self.columns, words: self.words.clone(), heap: self.heap.clone() }
    }

    /// Marks the rows as parameters that are bound by name.
    #[must_use]
    pub fn named(mut self) -> Encoder {
        self.flags |= NAMED;
        self
    }

    /// Appends the next cell, row by row.
    #[inline]
    pub fn push(&mut self, cell: Cell<'_>) {
        let (kind, size, payload) = match cell {
            Cell::Null => (5, 0, 0),
            Cell::Int(value) => (1, 0, value as u64),
            Cell::Float(value) => (2, 0, value.to_bits()),
            Cell::Text(bytes) => (3, bytes.len() as u32, self.keep(bytes)),
            Cell::Blob(bytes) => (4, bytes.len() as u32, self.keep(bytes)),
        };
        self.words.extend_from_slice(&[pair(kind, size), payload]);
    }

    #[inline]
    fn keep(&mut self, bytes: &[u8]) -> u64 {
        let at = self.heap.len() as u64;
        self.heap.extend_from_slice(bytes);
        self.heap.push(0);
        at
    }

    /// How many bytes the finished buffer will have.
    pub fn size(&self) -> usize {
        self.words.len() * 8 + self.heap.len()
    }

    /// The finished buffer.
    pub fn finish(mut self) -> Packed {
        let cells = (self.words.len() - HEADER / 8) / 2;
        let rows = (cells - self.columns).checked_div(self.columns).unwrap_or(0);
        let heap_at = self.words.len() * 8;
        let length = heap_at + self.heap.len();
        if !self.heap.is_empty() {
            for cell in self.words[HEADER / 8..].chunks_exact_mut(2) {
                if matches!(low(cell[0]), 3 | 4) {
                    cell[1] += heap_at as u64;
                }
            }
        }
        self.words[..HEADER / 8].copy_from_slice(&[
            pair(MAGIC, VERSION),
            pair(self.flags, self.columns as u32),
            rows as u64,
            self.changes as u64,
            self.last_rowid as u64,
            HEADER as u64,
            (HEADER + self.columns * CELL) as u64,
            length as u64,
        ]);
        let (whole, rest) = self.heap.as_chunks::<8>();
        self.words.reserve(whole.len() + 1);
        self.words.extend(whole.iter().map(|chunk| u64::from_ne_bytes(*chunk)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.words.push(u64::from_ne_bytes(last));
        }
        spare::keep_heap(self.heap);
        // A small table that is kept for long does not keep a large one's memory with it.
        if self.words.capacity() > 512 && self.words.capacity() / 4 > self.words.len() {
            let exact = self.words.clone();
            spare::keep_words(std::mem::replace(&mut self.words, exact));
        }
        Packed { words: self.words, length }
    }
}

/// The buffers of this thread's latest table: the next one is often of the same size.
mod spare {
    use std::cell::Cell;

    /// What a thread keeps at most of each, in bytes.
    const LIMIT: usize = 1 << 20;

    struct Spare {
        words: Cell<Vec<u64>>,
        heap: Cell<Vec<u8>>,
    }

    thread_local!(static SPARE: Spare = const { Spare { words: Cell::new(Vec::new()), heap: Cell::new(Vec::new()) } });

    pub(super) fn take() -> (Vec<u64>, Vec<u8>) {
        // A thread that is ending has none.
        SPARE.try_with(|spare| (spare.words.take(), spare.heap.take())).unwrap_or_default()
    }

    pub(super) fn keep_words(mut words: Vec<u64>) {
        if words.capacity() * 8 <= LIMIT {
            words.clear();
            let _ = SPARE.try_with(|spare| spare.words.set(words));
        }
    }

    pub(super) fn keep_heap(mut heap: Vec<u8>) {
        if heap.capacity() <= LIMIT {
            heap.clear();
            let _ = SPARE.try_with(|spare| spare.heap.set(heap));
        }
    }
}

/// A packed table in memory of our own, 8-aligned.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    words: Vec<u64>,
    length: usize,
}

impl Drop for Packed {
    fn drop(&mut self) {
        spare::keep_words(std::mem::take(&mut self.words));
    }
}

impl Packed {
    /// The buffer.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `words` covers at least `length` bytes, any byte is a valid u8, and u64 is stricter in alignment.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.length) }
    }

    /// The same table without its rows.
    #[must_use]
    pub fn without_rows(&self) -> Packed {
        let table = self.table();
        let mut empty = Encoder::new((0..table.columns()).map(|column| table.name(column)));
        (empty.changes, empty.last_rowid) = (table.changes(), table.last_rowid());
        empty.finish()
    }

    /// Reads the buffer.
    pub fn table(&self) -> Table<'_> {
        Table::of(self.bytes())
    }
}
