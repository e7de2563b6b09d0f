//! A Markdown table that is also aligned for the eye.

use std::fmt;

/// Rows of cells; the first row is the head. Each row has as many cells as the head.
#[derive(Debug, Default)]
pub(crate) struct Table(pub(crate) Vec<Vec<String>>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.0.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        for (number, row) in self.0.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                write!(f, "| {cell:<0$} ", width(column))?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                for column in 0..row.len() {
                    write!(f, "| {:-<1$} ", "", width(column))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "long head"], ["long cell", "µ"]];
        let table = Table(rows.map(|row| row.map(str::to_owned).to_vec()).to_vec());
        insta::assert_snapshot!(table, @r"
        | a         | long head |
        | --------- | --------- |
        | long cell | µ         |
        ");
    }
}
