//! Which language a talk is in, as far as it matters here: English, or another whose figures are not
//! ours to read out.
//!
//! Little words and letters tell it. A word that English has too, or a name ("was", "me", "no", "Los", "Mon"),
//! tells nothing. English is left only for a good reason: one word that no English sentence has, or two that few
//! have. A talk of which nothing can be told is taken for English, the language of the coaches' own lines.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Language;

/// More of a talk's end is not read, in bytes.
const ENOUGH: usize = 600;

/// So much more on one side decides: a telling word, or two hints.
const DECIDED: i32 = 2;

/// No word of the lists is longer, in letters.
const LONGEST: usize = 8;

/// What a word of the lists tells.
#[derive(Clone, Copy)]
enum Tells {
    English,
    Another,
    /// Something only in small letters.
    Hint,
    /// Nothing, whatever its letters.
    Borrowed,
}

/// The lists in one: a word of a talk is looked up once, and most are in none.
static KNOWN: LazyLock<HashMap<&str, Tells>> = LazyLock::new(|| {
    let lists = [
        (ENGLISH, Tells::English),
        (TELLING, Tells::Another),
        (OPENERS, Tells::Another),
        (HINTS, Tells::Hint),
        (BORROWED, Tells::Borrowed),
    ];
    let words = lists
        .iter()
        .flat_map(|(words, tells)| words.iter().map(|word| (*word, *tells)));
    words.collect()
});

/// In order, as the others are.
const ENGLISH: &[&str] = &[
    "about", "an", "and", "are", "because", "been", "but", "can", "can't", "could", "did",
    "didn't", "does", "doesn't", "don't", "feel", "feeling", "from", "get", "getting", "give",
    "going", "good", "great", "have", "haven't", "hello", "her", "here", "him", "his", "how", "i",
    "i'd", "i'll", "i'm", "i've", "if", "into", "isn't", "it", "it's", "just", "know", "let",
    "let's", "like", "make", "many", "maybe", "more", "my", "need", "never", "not", "now", "one",
    "our", "out", "people", "please", "really", "right", "said", "say", "she", "should", "some",
    "still", "take", "talk", "tell", "than", "thank", "thanks", "that", "that's", "the", "their",
    "them", "then", "there", "there's", "they", "they're", "thing", "things", "think", "this",
    "those", "though", "thought", "time", "today", "together", "too", "up", "us", "very", "want",
    "week", "well", "were", "what", "what's", "when", "where", "which", "while", "who", "why",
    "with", "won't", "work", "would", "yeah", "year", "yes", "you", "you're", "your",
];

/// Of German, Spanish, French, Italian, Portuguese, Dutch, Polish, Czech, the Nordic languages, Finnish, Hungarian,
/// Indonesian, Turkish and Romanian, as they are without their own letters: those tell by themselves.
const TELLING: &[&str] = &[
    "aan", "abbiamo", "aber", "adalah", "adesso", "agora", "ahora", "akarok", "aku", "aller",
    "alors", "anche", "arbeid", "arbeit", "arbejde", "arbete", "att", "auch", "aussi", "avec",
    "ayer", "ayuda", "ayudar", "baas", "bana", "banyak", "bardzo", "beaucoup", "bedankt", "belum",
    "beni", "benim", "bir", "bisa", "bist", "bitte", "bonjour", "bonsoir", "buenas", "bueno",
    "buenos", "bukan", "bych", "cansada", "cansado", "ces", "cette", "chce", "chci", "comme",
    "creo", "csak", "cuando", "czy", "daha", "dalla", "danke", "dann", "dans", "dass", "degil",
    "degli", "dein", "deine", "dekuji", "della", "delle", "dengan", "denn", "denne", "desde",
    "det", "dette", "devo", "deze", "dich", "dinero", "dinheiro", "dlaczego", "dobry", "dobrze",
    "doch", "donc", "donde", "dzien", "een", "egy", "eine", "einem", "einen", "einer", "eles",
    "eller", "elles", "eres", "eso", "este", "esto", "estou", "estoy", "ett", "etwas", "evet",
    "faire", "falar", "fazer", "foarte", "fordi", "gaan", "gaji", "ganar", "gano", "geen",
    "gehalt", "geht", "gerne", "gibi", "gibt", "gli", "godt", "goed", "graag", "gracias", "grazie",
    "hab", "habe", "haben", "hablar", "hacer", "hallo", "haluan", "hanno", "hayir", "hebben",
    "heeft", "hej", "het", "heute", "hij", "hogy", "hoje", "hola", "hvad", "hvem", "hvordan",
    "hvorfor", "hyvin", "ich", "idag", "igen", "ihr", "ik", "ikke", "ils", "immer", "ingin", "ini",
    "inte", "isso", "ist", "isto", "itu", "iyi", "jag", "jahr", "jamais", "je", "jefe", "jeg",
    "jest", "jestem", "jetzt", "jij", "jobb", "jouw", "jsem", "jsi", "jsme", "jste", "jullie",
    "jutro", "kadar", "kamu", "kann", "kannst", "kanssa", "karena", "kasih", "kde", "kdy", "kein",
    "keine", "keinen", "kellene", "kerja", "kiedy", "kiitos", "koska", "kunne", "kunnen",
    "lavorare", "lavoro", "leben", "lehet", "lelah", "lenne", "leur", "loro", "maar", "maken",
    "meget", "mehr", "mein", "meine", "meinen", "meiner", "merci", "merhaba", "mert", "meu",
    "mich", "miei", "miert", "mijn", "miksi", "minden", "minha", "minun", "mio", "miten", "mitt",
    "mluvit", "mnie", "moins", "moja", "moje", "molto", "mucho", "muita", "muito", "munka",
    "mutta", "muy", "mycket", "naar", "nach", "nagyon", "nao", "nasil", "nebo", "necesito", "nei",
    "nein", "nej", "nel", "nella", "nem", "neni", "nicht", "nichts", "nie", "niet", "niin", "noch",
    "noen", "noget", "notre", "nunca", "obrigada", "obrigado", "och", "oder", "oggi", "ohne",
    "olarak", "olen", "olla", "omdat", "ontem", "ook", "ovat", "paljon", "parce", "parler", "pela",
    "pelo", "perche", "pero", "peux", "poco", "porque", "posso", "praca", "prace", "praci",
    "pracy", "preciso", "prosim", "prosze", "protoze", "przez", "puede", "puedo", "quand",
    "quella", "quello", "quero", "questa", "questo", "quien", "quiero", "quoi", "rien", "sagen",
    "salaire", "salario", "sangat", "saya", "schon", "sehr", "selamat", "seni", "senin", "seu",
    "siempre", "siento", "sind", "sinun", "skal", "soll", "sollte", "somos", "sont", "stanca",
    "stanco", "sudah", "sueldo", "suis", "sunt", "szia", "tack", "takk", "tambem", "tengo",
    "tenho", "teraz", "terima", "tidak", "tiempo", "toujours", "tous", "trabajar", "trabajo",
    "trabalho", "travail", "tudo", "tudom", "tuo", "tylko", "uit", "una", "unaveny", "und", "une",
    "untuk", "vagy", "vagyok", "vais", "vandaag", "velmi", "verdiene", "veux", "viel", "voce",
    "voglio", "voin", "vom", "voor", "vorrei", "votre", "voudrais", "vous", "vreau", "waar",
    "waarom", "warum", "weil", "wenn", "werden", "werken", "wie", "wieder", "wij", "wir", "wird",
    "wordt", "wurde", "yok", "yorgunum", "zij", "zijn", "zum", "zur",
];

/// Words of those which a name, a phrase or slang brings into English: in small letters, a hint.
const HINTS: &[&str] = &[
    "af", "akan", "als", "anda", "ano", "apa", "auf", "av", "bei", "bene", "bien", "bij", "bin",
    "boa", "bu", "capo", "che", "chez", "ciao", "como", "con", "cosa", "dal", "dari", "das", "dat",
    "de", "dei", "dem", "der", "des", "di", "dia", "dir", "dit", "dla", "dos", "du", "ei", "ein",
    "el", "ela", "elas", "ele", "ella", "elle", "en", "es", "et", "fait", "fare", "ganz", "habt",
    "har", "heb", "hoy", "hur", "il", "ile", "ja", "jak", "juga", "kan", "ke", "kell", "kun", "la",
    "lagi", "le", "lei", "les", "lo", "lui", "mais", "mas", "mau", "med", "meer", "mi", "mie",
    "mir", "mis", "moc", "nada", "ne", "nog", "noi", "nos", "nous", "nu", "nyt", "og", "oli",
    "oui", "pagi", "para", "pas", "peur", "por", "pour", "que", "qui", "salut", "sans", "se",
    "sein", "ser", "si", "sie", "som", "sono", "sous", "sto", "su", "sua", "sur", "tak", "todo",
    "todos", "triste", "tu", "tun", "un", "vad", "ve", "vida", "vil", "vita", "voi", "von", "wat",
    "wel", "werk", "yang", "yo", "zaman", "ze", "zou", "zu",
];

/// Telling words that may begin a sentence and are no name.
const OPENERS: &[&str] = &[
    "dziękuję",
    "děkuji",
    "können",
    "köszönöm",
    "möchte",
    "teşekkür",
];

/// What English has borrowed with its letters.
const BORROWED: &[&str] = &[
    "café",
    "cafés",
    "cliché",
    "clichés",
    "crème",
    "décor",
    "déjà",
    "entrée",
    "façade",
    "fiancé",
    "fiancée",
    "jalapeño",
    "naïve",
    "protégé",
    "protégés",
    "résumé",
    "résumés",
    "touché",
    "à",
    "über",
];

impl Language {
    /// The language of these lines, the newest first: of the newest that tells it, else of all together.
    #[must_use]
    pub fn heard<'t>(lines: impl IntoIterator<Item = &'t str>) -> Self {
        let (mut read, mut all) = (0, 0);
        for line in lines {
            let of_line = foreignness(line, &mut read);
            all += of_line;
            if of_line.abs() >= DECIDED || read > ENOUGH {
                return Self::by(if of_line.abs() >= DECIDED {
                    of_line
                } else {
                    all
                });
            }
        }
        Self::by(all)
    }

    fn by(foreignness: i32) -> Self {
        match foreignness >= DECIDED {
            true => Self::Other,
            false => Self::English,
        }
    }
}

/// How much more speaks for another language than for English. Counts what it reads.
fn foreignness(line: &str, read: &mut usize) -> i32 {
    let marks = line.chars().take(ENOUGH).filter(|c| matches!(c, '¿' | '¡'));
    let mut balance = DECIDED * i32::try_from(marks.count()).unwrap_or(DECIDED);
    let (mut word, mut before) = (String::new(), String::new());
    for said in line.split(|c: char| !(c.is_alphabetic() || matches!(c, '\'' | '’'))) {
        *read += said.len() + 1;
        if *read > ENOUGH {
            break;
        }
        if said.is_empty() || said.len() > LONGEST && said.is_ascii() {
            continue;
        }
        lower(said, &mut word);
        // "La la land" has one hint and no two.
        if word != before {
            balance += weight(&word, said.starts_with(char::is_lowercase));
        }
        std::mem::swap(&mut word, &mut before);
    }
    balance
}

/// In small letters and with straight apostrophes.
fn lower(said: &str, word: &mut String) {
    word.clear();
    match said.is_ascii() {
        true => {
            word.push_str(said);
            word.make_ascii_lowercase();
        }
        false => word.push_str(&said.to_lowercase().replace('’', "'")),
    }
}

fn weight(word: &str, is_small: bool) -> i32 {
    let known = KNOWN.get(word).copied();
    match known {
        // A small "i" is a word of many languages.
        Some(Tells::English) if !(is_small && word == "i") => return -1,
        Some(Tells::Another) => return DECIDED,
        _ if !word.chars().all(is_latin) => return DECIDED,
        _ => {}
    }
    // A capital may be a name's: "Zürich", "El Paso".
    let has_own_letter = word.chars().any(|c| !c.is_ascii() && c.is_alphabetic());
    match has_own_letter && !matches!(known, Some(Tells::Borrowed)) {
        true if is_small => DECIDED,
        true => 1,
        false if word.starts_with("j'") => DECIDED,
        false => {
            let is_hint = is_small && matches!(known, Some(Tells::Hint));
            i32::from(is_hint || is_elided(word, is_small))
        }
    }
}

/// "c'est", "l'amica", "qu'il".
fn is_elided(word: &str, is_small: bool) -> bool {
    let (article, rest) = word.split_once('\'').unwrap_or_default();
    // "D'Angelo" and "L'Oréal" are names.
    let is_one =
        ["c", "qu"].contains(&article) || is_small && ["d", "l", "n", "un"].contains(&article);
    is_one && !rest.is_empty()
}

fn is_latin(c: char) -> bool {
    c == '\'' || c < '\u{250}' || ('\u{1e00}'..'\u{1f00}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = include_str!("../../tests/fixtures/speech/tongues.txt");

    #[test]
    fn the_lists_are_in_order_and_no_word_is_longer_than_the_longest() {
        for words in [ENGLISH, TELLING, HINTS] {
            assert!(words.iter().all(|word| word.chars().count() <= LONGEST));
        }
        let lists = [ENGLISH, TELLING, HINTS, OPENERS, BORROWED];
        for (at, words) in lists.iter().enumerate() {
            assert!(words.is_sorted(), "{at}");
            let others = lists.iter().skip(at + 1);
            assert!(
                !others
                    .flat_map(|o| o.iter())
                    .any(|word| words.contains(word))
            );
        }
    }

    #[test]
    fn one_line_tells_the_language() {
        let mut wrong = Vec::new();
        let lines: Vec<(&str, &str)> = LINES.lines().filter_map(|l| l.split_once(": ")).collect();
        assert!(lines.len() >= 100, "{}", lines.len());
        for (tag, line) in lines {
            if Language::heard([line]) != Language::of(tag) {
                wrong.push(format!("{tag}: {line}"));
            }
        }
        assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    }

    #[test]
    fn the_newest_line_that_tells_it_decides() {
        use Language::{English, Other};
        let long = "I want to talk about my work and what you think of it, because they said no.";
        for (talk, expected) in [
            (["¿Y eso?", "I see.", "Quiero más dinero."], Other),
            (["Was soll ich tun?", long, long], Other),
            (["85.000.", "Was soll ich tun?", long], Other),
            ([long, "Was soll ich tun?", "Ich bin hier."], English),
            (["Ja.", "Zürich?", "Hallo, wie geht es dir?"], Other),
            (["Los Angeles.", "$95k, and 3 days/week", ""], English),
            (["", "", ""], English),
        ] {
            assert_eq!(Language::heard(talk), expected, "{talk:?}");
        }
    }
}
