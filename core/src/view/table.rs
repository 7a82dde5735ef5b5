//! Docker's output of many rows: a table with headings, a template for each row, JSON, or ids only.
//!
//! Rows are JSON objects whose keys are the names that templates use (`.Names`, `.Image`); `@labels` holds an
//! object for `.Label "key"` and is not shown.

use super::rows::Kind;
use super::template::{Shape, Template};
use serde_json::{Map, Value};

/// A format, read once, that renders rows.
#[derive(Clone, Debug)]
pub struct Formatter {
    kind: &'static Kind,
    template: Template,
    /// Whether it is a table, with a line of headings.
    table: bool,
}

impl Formatter {
    /// `format` is what `--format` was given (empty where it was not); `quiet` shows ids only.
    ///
    /// # Errors
    /// Where the format is no template, in Docker's words.
    pub fn new(kind: &'static Kind, format: &str, quiet: bool) -> Result<Formatter, String> {
        let raw = if quiet { kind.quiet_raw } else { kind.raw };
        let (table, source) = match format {
            "raw" if !raw.is_empty() => (false, raw.to_string()),
            "" | "table" if quiet => (false, kind.quiet.to_string()),
            "" | "table" => (true, kind.table.to_string()),
            "json" => (false, "{{json .}}".to_string()),
            format => match format.strip_prefix("table") {
                Some(rest) if rest.starts_with([' ', '\t', '\\', '{']) => (true, rest.to_string()),
                _ => (false, format.to_string()),
            },
        };
        let source = source.trim_matches(' ').replace("\\t", "\t").replace("\\n", "\n");
        let template = Template::parse(&source).map_err(|e| format!("{}: {e}", kind.errors.0))?;
        Ok(Formatter { kind, template, table })
    }

    /// Has a format show a row with nothing in it, as `docker ps` does before it asks the engine.
    ///
    /// # Errors
    /// Where that can't be done, in Docker's words. Places are those of the format as it was typed.
    pub fn rehearse(kind: &'static Kind, format: &str) -> Result<(), String> {
        let template = Template::parse(format).map_err(|e| format!("{}: {e}", kind.errors.0))?;
        let fields = kind.heads.iter().map(|(field, _)| (field.to_string(), Value::from("")));
        let empty = Value::Object(fields.chain([("@labels".to_string(), Value::Object(Map::new()))]).collect());
        template.execute(&empty, &kind.shape()).map(drop).map_err(|e| format!("{}: {e}", kind.errors.1))
    }

    /// Whether there will be a line of headings.
    pub fn is_table(&self) -> bool {
        self.table
    }

    /// All rows, each line ended; a table has its headings even without rows.
    ///
    /// # Errors
    /// Where the template can't be executed, in Docker's words.
    pub fn render(&self, rows: &[Value]) -> Result<String, String> {
        let shape = self.kind.shape();
        let failed = |e| format!("{}: {e}", self.kind.errors.1);
        let heads: Map<String, Value> =
            self.kind.heads.iter().map(|(field, head)| (field.to_string(), Value::from(*head))).collect();
        let heads = Value::Object(heads);
        if rows.is_empty() {
            // A field that is not there is an error even where there is no row.
            self.template.execute(&heads, &shape).map_err(failed)?;
        }
        let mut lines = Vec::with_capacity(rows.len() + 1);
        for row in rows {
            let line = self.template.execute(row, &shape);
            lines.push(line.map_err(failed)?);
        }
        if !self.table {
            return Ok(lines.into_iter().map(|line| line + "\n").collect());
        }
        let head = self.template.execute(&heads, &Shape { heading: true, ..shape });
        lines.insert(0, head.map_err(failed)?);
        Ok(align(&lines.join("\n"), 10, 3) + "\n")
    }
}

/// Aligns cells that are ended by tabs. A column is a run of lines that have that cell; it is as wide as its widest cell
/// and `padding`, at least `least`. What follows a line's last tab is not in a column. Source: Go's text/tabwriter.
pub fn align(text: &str, least: usize, padding: usize) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    let columns = widths.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns {
        let mut from = 0;
        while from < lines.len() {
            let run = widths[from..].iter().take_while(|line| line.len() > column).count();
            let block = from..from + run;
            let cells = lines[block.clone()].iter().map(|line| line[column].chars().count());
            let widest = cells.max().unwrap_or(0);
            // A column that is empty in all its lines takes no room.
            let width = if widest == 0 && least == 0 { 0 } else { (widest + padding).max(least) };
            for line in &mut widths[block] {
                line[column] = width;
            }
            from += run.max(1);
        }
    }
    let mut aligned: Vec<String> = Vec::with_capacity(lines.len());
    for (cells, widths) in lines.iter().zip(&widths) {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cell.chars().count())));
        }
        line.push_str(cells.last().unwrap_or(&""));
        aligned.push(line);
    }
    aligned.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::rows;
    use serde_json::json;

    fn container(name: &str, tier: &str) -> Value {
        json!({
            "ID": "8054de32e330", "Image": "example", "Command": "\"sleep 300\"", "RunningFor": "8 seconds ago",
            "Status": "Up 4 seconds (healthy)", "Ports": "80/tcp", "Names": name, "Size": "0B",
            "@labels": {"tier": tier}
        })
    }

    #[test]
    fn as_docker_prints_it() {
        let table = Formatter::new(&rows::CONTAINERS, "", false).expect("a format");
        assert_eq!(
            table.render(&[container("example", "db")]).expect("rows"),
            "CONTAINER ID   IMAGE     COMMAND       CREATED         STATUS                   PORTS     NAMES\n\
             8054de32e330   example   \"sleep 300\"   8 seconds ago   Up 4 seconds (healthy)   80/tcp    example\n"
        );
        assert_eq!(
            table.render(&[]).expect("rows"),
            "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n"
        );
    }

    #[test]
    fn formats() {
        let rows = [container("a", "db"), container("bb", "web")];
        for (format, quiet, expected) in [
            ("", true, "8054de32e330\n8054de32e330\n"),
            ("{{.Names}}", false, "a\nbb\n"),
            ("{{json .Names}}", false, "\"a\"\n\"bb\"\n"),
            ("{{.Label \"tier\"}}", false, "db\nweb\n"),
            ("table {{.Names}}\\t{{.Image}}", false, "NAMES     IMAGE\na         example\nbb        example\n"),
            ("table {{upper .Names}}", false, "NAMES\nA\nBB\n"),
            ("table {{.Names}}: {{.Label \"tier\"}}", false, "NAMES: tier\na: db\nbb: web\n"),
        ] {
            let formatter = Formatter::new(&rows::CONTAINERS, format, quiet).expect(format);
            assert_eq!(formatter.render(&rows), Ok(expected.to_string()), "{format}");
        }
        let wrong = Formatter::new(&rows::CONTAINERS, "{{.Nope}}", false).expect("parses").render(&rows);
        let message = "failed to execute template: template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in \
                       type *formatter.ContainerContext";
        assert_eq!(wrong, Err(message.to_string()));
        assert_eq!(
            Formatter::new(&rows::CONTAINERS, "{{", false).err(),
            Some("failed to parse template: template: :1: unclosed action".into())
        );
    }

    #[test]
    fn columns_are_runs_of_lines() {
        assert_eq!(align("a\tb\nccc\td\n\nlong\te", 0, 1), "a   b\nccc d\n\nlong e");
        assert_eq!(align("a\t\tb", 3, 1), "a     b");
    }
}
