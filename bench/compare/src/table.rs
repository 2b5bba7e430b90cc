//! A table of text, for the terminal and for a page.

/// Rows of cells under a header.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// In columns.
    pub(crate) fn plain(&self) -> String {
        self.lines(|cells| cells.join("  ").trim_end().to_owned(), None)
    }

    /// As Markdown, in columns too.
    pub(crate) fn markdown(&self) -> String {
        self.lines(|cells| format!("| {} |", cells.join(" | ")), Some('-'))
    }

    fn lines(&self, line: impl Fn(&[String]) -> String, rule: Option<char>) -> String {
        let widths = self.widths();
        let mut text = String::new();
        let mut push = |cells: &[String]| {
            let cells: Vec<String> = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            text.push_str(&line(&cells));
            text.push('\n');
        };
        push(&self.header);
        if let Some(rule) = rule {
            push(
                &widths
                    .iter()
                    .map(|width| rule.to_string().repeat(*width))
                    .collect::<Vec<_>>(),
            );
        }
        for row in &self.rows {
            push(row);
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![3; self.header.len()];
        for row in [&self.header].into_iter().chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let table = Table {
            header: vec!["server".to_owned(), "µs".to_owned()],
            rows: vec![vec!["raw".to_owned(), "8.3 (8–9)".to_owned()]],
        };
        assert_eq!(table.plain(), "server  µs\nraw     8.3 (8–9)\n");
        assert_eq!(
            table.markdown(),
            "| server | µs        |\n| ------ | --------- |\n| raw    | 8.3 (8–9) |\n"
        );
    }
}
