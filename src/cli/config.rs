//! `clm config`: every setting with its default and meaning. Reads no value, so it shows no secret.

use std::io::{self, Write};

use serde_json::json;

use crate::config::{self, SETTINGS, Setting};

/// `clm config`
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm config | grep BUDGET
  clm config --json | jq -r '.[] | select(.secret) | .name'
  clm config --markdown")]
pub(super) struct ConfigArgs {
    /// Print the table of the README.
    #[arg(long, conflicts_with = "json")]
    pub(super) markdown: bool,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints every setting.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn run(args: &ConfigArgs, out: &mut impl Write) -> io::Result<()> {
    if args.markdown {
        return out.write_all(config::markdown().as_bytes());
    }
    if args.json {
        let rows: Vec<_> = SETTINGS.iter().map(as_json).collect();
        serde_json::to_writer_pretty(&mut *out, &rows)?;
        return writeln!(out);
    }
    let width = |cell: fn(&Setting) -> &str| SETTINGS.iter().map(|s| cell(s).len()).max();
    let name_width = width(|s| s.name).unwrap_or_default();
    let default_width = width(default).unwrap_or_default();
    for row in SETTINGS {
        let meaning = row.meaning.replace('`', "");
        write!(
            out,
            "{:name_width$}  {:default_width$}  {meaning}",
            row.name,
            default(row)
        )?;
        let aliases = row.aliases.iter().map(|alias| (*alias).to_owned());
        let also: Vec<String> = aliases.chain(row.file_name()).collect();
        if !also.is_empty() {
            write!(out, " (also: {})", also.join(", "))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn default(row: &Setting) -> &str {
    match row.default {
        "" => "-",
        value => value,
    }
}

fn as_json(row: &Setting) -> serde_json::Value {
    json!({
        "name": row.name,
        "aliases": row.aliases,
        "default": Some(row.default).filter(|value| !value.is_empty()),
        "allowed": row.values,
        "meaning": row.meaning,
        "secret": row.secret,
        "file": row.file_name(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(args: &ConfigArgs) -> String {
        let mut out = Vec::new();
        run(args, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_shape_has_every_setting() {
        let (markdown, json) = (false, false);
        let text = printed(&ConfigArgs { markdown, json });
        let table = printed(&ConfigArgs {
            markdown: true,
            json,
        });
        let rows: Vec<serde_json::Value> = serde_json::from_str(&printed(&ConfigArgs {
            markdown,
            json: true,
        }))
        .unwrap();
        assert_eq!(table, config::markdown());
        assert_eq!(text.lines().count(), SETTINGS.len());
        for (row, value) in SETTINGS.iter().zip(&rows) {
            assert!(text.contains(row.name));
            assert_eq!(value["name"], row.name);
            let file = row.file_name();
            assert_eq!(value["file"].as_str(), file.as_deref());
            assert!(file.is_none_or(|file| text.contains(&file)));
        }
        assert_eq!(rows.len(), SETTINGS.len());
    }
}
