use std::collections::BTreeSet;

use super::*;

/// Every value of the document, with the way to it.
fn walk<'v>(at: &str, value: &'v Value, see: &mut impl FnMut(&str, &'v Value)) {
    see(at, value);
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                walk(&format!("{at}/{name}"), inner, see);
            }
        }
        Value::Array(items) => {
            for (n, inner) in items.iter().enumerate() {
                walk(&format!("{at}/{n}"), inner, see);
            }
        }
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    walk("", document, &mut |at, value| {
        if let Some(to) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(&to[1..]).is_some(), "{at} leads to {to}");
            used.insert(to.to_owned());
        }
    });
    for kind in ["schemas", "responses", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let path = format!("#/components/{kind}/{name}");
            assert!(used.contains(&path), "nobody uses {path}");
        }
    }
}

#[test]
fn every_operation_says_what_it_is_and_has_a_name_of_its_own() {
    let mut ids = BTreeSet::new();
    let tags: BTreeSet<&str> = TAGS.iter().map(|(name, _)| *name).collect();
    let mut tagged = BTreeSet::new();
    for operation in operations() {
        let json = operation.json();
        let at = format!("{} {}", operation.method, operation.path);
        assert!(ids.insert(json["operationId"].to_string()), "{at}: twice");
        assert!(
            json["summary"].as_str().is_some_and(|s| s.len() > 3),
            "{at}"
        );
        let tag = json["tags"][0].as_str().unwrap().to_owned();
        assert!(tags.contains(tag.as_str()), "{at}: {tag}");
        tagged.insert(tag);
        let responses = json["responses"].as_object().unwrap();
        let good = responses
            .keys()
            .filter(|status| status.starts_with(['2', '3']));
        assert!(good.count() > 0, "{at}: never answers");
        let parameters = json["parameters"].as_array().cloned().unwrap_or_default();
        let named = |place: &str| -> BTreeSet<String> {
            let of = parameters.iter().filter(|p| p["in"] == place);
            of.map(|p| p["name"].as_str().unwrap().to_owned()).collect()
        };
        let in_path = operation.path.split('/').filter_map(|part| {
            part.strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
        });
        assert_eq!(named("path"), in_path.map(str::to_owned).collect(), "{at}");
        for parameter in &parameters {
            let meaning = parameter["description"].as_str();
            assert!(meaning.is_some_and(|m| m.len() > 8), "{at}: {parameter}");
        }
    }
    assert_eq!(tagged.len(), tags.len());
}
