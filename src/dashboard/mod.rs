//! The pages that people open, and what those pages load: files in the binary, nothing from anywhere
//! else.
//!
//! A page is plain HTML; its styles and its modules are files of their own, so that a content policy can
//! forbid everything inline. They render what the JSON routes of `http` answer and know nothing besides:
//! no query, no metric's name. What is written by people or models enters a page as text, never as markup.
//!
//! To add a file: put it under `pages/` and give it a row in [`FILES`]. To add a page: a variant of
//! [`Page`] besides, and its route in `http/pages.rs`. Together they stay below 150 KB compressed, which
//! `tests/api/pages.rs` holds.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

pub const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The types of the files that pages load.
pub const FORMS: &[&str] = &[CSS, JS, SVG];

/// A page by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Dashboard,
    Playground,
    /// One session, for who is logged in or has a link.
    Session,
    Docs,
}

/// A file as it is served.
#[derive(Debug)]
pub struct Asset {
    pub name: &'static str,
    pub content_type: &'static str,
    pub plain: Cow<'static, str>,
    /// The same compressed, where that is shorter.
    pub gzip: Option<Vec<u8>>,
    /// Changes with the content, and only with it.
    pub etag: String,
}

/// Declares files by name and type.
macro_rules! files {
    ($($kind:ident $name:literal $path:literal),+ $(,)?) => {
        &[$(($name, $kind, include_str!($path))),+]
    };
}

/// Every file that a page may load by its name.
const FILES: &[(&str, &str, &str)] = files![
    SVG "icon.svg" "pages/icon.svg",
    CSS "base.css" "pages/base.css",
    CSS "dashboard.css" "pages/dashboard.css",
    CSS "playground.css" "pages/playground.css",
    CSS "session.css" "pages/session.css",
    CSS "uplot.css" "vendor/uplot.css",
    JS "uplot.js" "vendor/uplot.js",
    JS "theme.js" "pages/theme.js",
    JS "dom.js" "pages/dom.js",
    JS "format.js" "pages/format.js",
    JS "api.js" "pages/api.js",
    JS "book.js" "pages/book.js",
    JS "charts.js" "pages/charts.js",
    JS "graphs.js" "pages/graphs.js",
    JS "reports.js" "pages/reports.js",
    JS "house.js" "pages/house.js",
    JS "waterfall.js" "pages/waterfall.js",
    JS "turn.js" "pages/turn.js",
    JS "turns.js" "pages/turns.js",
    JS "dashboard.js" "pages/dashboard.js",
    JS "scenes.js" "pages/scenes.js",
    JS "voice.js" "pages/voice.js",
    JS "wire.js" "pages/wire.js",
    JS "playground.js" "pages/playground.js",
    JS "session.js" "pages/session.js",
    CSS "docs.css" "pages/docs.css",
    JS "shapes.js" "pages/shapes.js",
    JS "docs.js" "pages/docs.js",
];

const DASHBOARD: &str = include_str!("pages/dashboard.html");
const PLAYGROUND: &str = include_str!("pages/playground.html");
const SESSION: &str = include_str!("pages/session.html");
const DOCS: &str = include_str!("pages/docs.html");
const LOGIN: &str = include_str!("pages/login.html");

/// Compressed once, when the first worker starts: later it would hold up words.
static SHELF: LazyLock<Shelf> = LazyLock::new(|| Shelf {
    files: FILES
        .iter()
        .map(|(n, t, text)| Asset::new(n, t, *text))
        .collect(),
    dashboard: Asset::new("dashboard.html", HTML, DASHBOARD),
    playground: Asset::new("playground.html", HTML, PLAYGROUND),
    session: Asset::new("session.html", HTML, SESSION),
    docs: Asset::new("docs.html", HTML, DOCS),
});

/// All that is served.
#[derive(Debug)]
pub struct Shelf {
    files: Vec<Asset>,
    dashboard: Asset,
    playground: Asset,
    session: Asset,
    docs: Asset,
}

impl Shelf {
    /// Compresses everything, once, which takes some milliseconds.
    pub fn ready() {
        LazyLock::force(&SHELF);
    }

    /// The one shelf.
    #[must_use]
    pub fn get() -> &'static Self {
        &SHELF
    }

    #[must_use]
    pub fn file(&self, name: &str) -> Option<&Asset> {
        self.files.iter().find(|file| file.name == name)
    }

    #[must_use]
    pub fn page(&self, page: Page) -> &Asset {
        match page {
            Page::Dashboard => &self.dashboard,
            Page::Playground => &self.playground,
            Page::Session => &self.session,
            Page::Docs => &self.docs,
        }
    }

    /// Everything, pages first.
    pub fn iter(&self) -> impl Iterator<Item = &Asset> {
        [&self.dashboard, &self.playground, &self.session, &self.docs]
            .into_iter()
            .chain(&self.files)
    }
}

impl Page {
    pub const ALL: [Self; 4] = [Self::Dashboard, Self::Playground, Self::Session, Self::Docs];

    /// Where it is served.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Dashboard => "/dashboard",
            Self::Playground => "/playground",
            Self::Session => "/session",
            Self::Docs => "/docs",
        }
    }

    /// What it is, for who reads of it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Dashboard => "The dashboard",
            Self::Playground => "The playground",
            Self::Session => "One session",
            Self::Docs => "The API's document, to be read",
        }
    }

    /// Whether it needs no login.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Docs)
    }
}

/// The page that asks for an admin key and then leads to `page`; to a session's with its id. `problem` is
/// one of our own sentences: it goes into the page as it is.
#[must_use]
pub fn login(page: Page, id: Option<&str>, problem: Option<&'static str>) -> String {
    LOGIN
        .replace("{page}", &address(page, id))
        .replace("{problem}", problem.unwrap_or_default())
}

/// A page's path, and which session it is to show: nothing of that id is more than letters and digits.
#[must_use]
pub fn address(page: Page, id: Option<&str>) -> String {
    let path = page.path();
    match id.filter(|_| page == Page::Session) {
        Some(id) => format!("{path}?id={}", utf8_percent_encode(id, NON_ALPHANUMERIC)),
        None => path.to_owned(),
    }
}

impl Asset {
    /// Compresses it, which takes a while.
    #[must_use]
    pub fn new(
        name: &'static str,
        content_type: &'static str,
        plain: impl Into<Cow<'static, str>>,
    ) -> Self {
        let plain = plain.into();
        let digest: [u8; 32] = Sha256::digest(plain.as_bytes()).into();
        let short = base16ct::lower::encode_string(&digest[..8]);
        let gzip = compressed(plain.as_bytes()).ok();
        Self {
            name,
            content_type,
            gzip: gzip.filter(|gzip| gzip.len() < plain.len()),
            etag: format!("\"{short}\""),
            plain,
        }
    }
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What a text names under `/assets/`, and the modules that a module imports.
    fn named(text: &str) -> BTreeSet<&str> {
        let end = |c: char| c == '"' || c == '\'';
        let parts = ["\"/assets/", "from \"./"].map(|mark| text.split(mark).skip(1));
        let names = parts.into_iter().flatten();
        names.filter_map(|rest| rest.split(end).next()).collect()
    }

    #[test]
    fn what_is_loaded_is_there_and_what_is_there_is_loaded() {
        let mut loaded: BTreeSet<&str> =
            Shelf::get().iter().flat_map(|a| named(&a.plain)).collect();
        loaded.extend(named(LOGIN));
        let there: BTreeSet<&str> = FILES.iter().map(|(name, ..)| *name).collect();
        assert_eq!(loaded, there);
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere_and_no_text_becomes_markup() {
        let mut all: Vec<(&str, &str)> = Shelf::get().iter().map(|a| (a.name, &*a.plain)).collect();
        all.push(("login.html", LOGIN));
        for (name, text) in all {
            // A namespace is a name, not an address, and uPlot's first line says where it is from.
            let text = text
                .replace("http://www.w3.org/2000/svg", "")
                .replace("/*! https://github.com/leeoniya/uPlot (v1.6.32) */", "");
            for wanted in ["http://", "https://", "//cdn", "@import", " url("] {
                assert!(!text.contains(wanted), "{name} holds {wanted}");
            }
            if name == "uplot.js" {
                continue;
            }
            for wanted in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "srcdoc",
            ] {
                assert!(!text.contains(wanted), "{name} holds {wanted}");
            }
            if name.ends_with(".html") {
                for wanted in [
                    "<style",
                    " style=",
                    "<script>",
                    " onclick",
                    " onload",
                    "javascript:",
                ] {
                    assert!(!text.contains(wanted), "{name} holds {wanted}");
                }
            }
        }
    }

    #[test]
    fn a_login_says_what_is_wrong_and_where_it_leads() {
        let page = login(Page::Playground, Some("s"), Some("No."));
        assert!(page.contains("No.") && page.contains("value=\"/playground\""));
        let page = login(Page::Session, Some("a\"b>é"), None);
        assert!(
            page.contains("value=\"/session?id=a%22b%3E%C3%A9\""),
            "{page}"
        );
        let page = login(Page::Dashboard, None, None);
        assert!(!page.contains(['{', '}']), "{page}");
    }
}
