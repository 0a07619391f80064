use std::collections::BTreeSet;

use super::*;
use crate::turn::InvalidSessionId;

/// One refusal of each variant.
fn all() -> Vec<Refusal> {
    let name = || "this".to_owned();
    vec![
        Refusal::Unauthorized,
        Refusal::AdminClosed,
        Refusal::Holder,
        Refusal::Foreign,
        Refusal::WebhookClosed("KEY"),
        Refusal::Unsealed("does not match"),
        Refusal::Identity(IdentityError::Session(InvalidSessionId::Empty)),
        Refusal::Identity(IdentityError::Absent),
        Refusal::Body(BadBody::NoMessages),
        Refusal::Body(BadBody::TooDeep),
        Refusal::Invalid(name()),
        Refusal::Query,
        Refusal::NotFound,
        Refusal::Unknown("turn"),
        Refusal::NoSuch("report", name()),
        Refusal::Method("GET, HEAD".to_owned()),
        Refusal::Slow(Duration::ZERO),
        Refusal::Broken,
        Refusal::TooLarge(1),
        Refusal::MediaType,
        Refusal::Store,
        Refusal::Queue,
        Refusal::Watched,
        Refusal::Overloaded,
        Refusal::Limited(Limited {
            scope: Scope::Key,
            bound: Bound::Open,
            after: Duration::ZERO,
        }),
        Refusal::Unanswered,
        Refusal::Unpaid,
        Refusal::BrokenOff,
    ]
}

#[test]
fn every_type_comes_with_the_statuses_that_it_is_documented_with_and_no_others() {
    let of = |refusal: &Refusal| {
        let Row(kind, status, _) = refusal.row();
        (kind.as_str(), status.as_u16())
    };
    let told: BTreeSet<_> = all().iter().map(of).collect();
    let documented = Kind::ALL.iter().flat_map(|kind| {
        let statuses = kind.statuses().iter();
        statuses.map(|status| (kind.as_str(), status.as_u16()))
    });
    assert_eq!(told, documented.collect());
}

#[test]
fn an_error_links_to_where_its_type_is_explained() {
    let error = &Refusal::Queue.json("abc")["error"];
    assert_eq!(error["type"], "unavailable");
    assert_eq!(error["docs"], "/docs#error-unavailable");
    assert_eq!(error["retryable"], true);
}
