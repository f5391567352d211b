//! The packed table: one flat buffer for results and for parameters. Only this module knows its bytes.

mod encoder;
mod table;

pub(crate) use encoder::Names;
pub use encoder::{Encoder, Packed};
pub use table::Table;

/// The first four bytes.
const MAGIC: u32 = 0x4C45_454B;
/// The format's version.
const VERSION: u32 = 1;
/// Parameters are bound by name.
const NAMED: u32 = 1;
const HEADER: usize = 64;
const CELL: usize = 16;

/// A value of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Int(i64),
    /// REAL.
    Float(f64),
    /// TEXT; SQLite does not promise that it is UTF-8.
    Text(&'a [u8]),
    /// BLOB.
    Blob(&'a [u8]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let mut encoder = Encoder::new([b"a".as_slice(), b"long name".as_slice()]);
        let cells = [
            Cell::Int(i64::MIN),
            Cell::Text(b"x\0y"),
            Cell::Null,
            Cell::Blob(b""),
            Cell::Float(-0.5),
            Cell::Blob(&[9; 20]),
        ];
        cells.iter().for_each(|cell| encoder.push(*cell));
        encoder.changes = 7;
        let packed = encoder.finish();
        let table = Table::check(packed.bytes()).unwrap();
        assert_eq!((table.columns(), table.rows(), table.changes(), table.name(1)), (2, 3, 7, b"long name".as_slice()));
        for (index, cell) in cells.iter().enumerate() {
            assert_eq!(table.cell(index / 2, index % 2), *cell);
        }
    }

    #[test]
    fn no_damaged_buffer_is_read_outside_itself() {
        let mut encoder = Encoder::new([b"a".as_slice()]);
        encoder.push(Cell::Text(b"hello"));
        let good = encoder.finish();
        assert!(Table::check(good.bytes()).is_ok());
        for at in 0..good.bytes().len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = good.bytes().to_vec();
                bytes[at] = value;
                if let Ok(table) = Table::check(&bytes) {
                    // Reading every cell must not panic.
                    for column in 0..table.columns() {
                        let _ = table.name(column);
                        (0..table.rows()).for_each(|row| assert!(format!("{:?}", table.cell(row, column)).len() > 1));
                    }
                }
            }
            assert!(at >= good.bytes().len() - 1 || Table::check(&good.bytes()[..at]).is_err());
        }
    }
}
