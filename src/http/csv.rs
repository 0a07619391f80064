//! Tables for spreadsheets, which take some texts for formulas: a session id is any text that a caller
//! chose, and somebody will open the file.

use actix_web::HttpResponse;
use actix_web::http::header::{
    CONTENT_DISPOSITION, ContentDisposition, DispositionParam, DispositionType,
};
use actix_web::web::Bytes;
use serde_json::{Map, Value};

/// How a cell begins that a spreadsheet would compute. The last four are the wide forms of the first.
const COMPUTED: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// A header row, for the columns of a table.
pub(super) fn header(columns: &[&str]) -> Bytes {
    rows(std::iter::once(columns.iter().map(|c| (*c).to_owned())))
}

/// A row for each object, with a cell for each column.
pub(super) fn lines<'a>(
    columns: &'a [&str],
    items: impl Iterator<Item = &'a Map<String, Value>>,
) -> Bytes {
    rows(items.map(|item| columns.iter().map(|column| cell(item.get(*column)))))
}

fn rows(rows: impl Iterator<Item = impl Iterator<Item = String>>) -> Bytes {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Rows of one table are equally long, and memory takes what is written to it.
        let _ = writer.write_record(row.map(String::into_bytes));
    }
    writer.into_inner().unwrap_or_default().into()
}

/// Nothing, a number, a word, or a text that no spreadsheet computes.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => safe(text),
        Some(value) => value.to_string(),
    }
}

/// The text, with an apostrophe before what would be computed. Amounts of money come as texts, and a
/// negative one is still a number.
fn safe(text: &str) -> String {
    let is_number = || {
        let digits = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        text.chars().all(digits) && text.parse::<f64>().is_ok()
    };
    if text.starts_with(COMPUTED) && !is_number() {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// The response of a file to be saved under this name.
pub(super) fn attachment(
    name: String,
    content_type: &'static str,
) -> actix_web::HttpResponseBuilder {
    let disposition = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name)],
    };
    let mut response = HttpResponse::Ok();
    response.content_type(content_type);
    response.insert_header((CONTENT_DISPOSITION, disposition));
    response
}

/// What a table is declared as.
pub(super) const CONTENT_TYPE: &str = "text/csv; charset=utf-8";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_a_caller_chose_is_computed() {
        for text in [
            "=cmd()",
            "+1+1",
            "-1-1",
            "@SUM(A1)",
            "\tx",
            "\rx",
            "\nx",
            "=",
            "-",
            "--5",
            "+",
            "-inf",
            "-.",
            "\u{ff1d}1",
        ] {
            assert_eq!(safe(text), format!("'{text}"), "{text:?}");
        }
        for text in [
            "",
            "a=b",
            "-1",
            "-0.000170",
            "+5",
            "-1.5e-7",
            "12",
            "é",
            "'=x",
            " =x",
        ] {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn cells_stand_under_their_columns() {
        let columns = ["text", "number", "flag", "nothing", "pair", "absent"];
        let item = json!({
            "pair": [0.5, 1.0], "text": "a,\"b\"\nc", "number": -1.5, "flag": true, "nothing": null,
        });
        let table = [
            header(&columns),
            lines(&columns, item.as_object().into_iter()),
        ]
        .concat();
        assert_eq!(
            String::from_utf8(table).unwrap(),
            "text,number,flag,nothing,pair,absent\n\"a,\"\"b\"\"\nc\",-1.5,true,,\"[0.5,1.0]\",\n"
        );
    }
}
