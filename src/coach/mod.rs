//! Who answers: coaches are data, and choosing one is a pure function of the user's words.
//!
//! To add a coach: one file in `roster/`, one line in `roster.rs`. Its prompt snapshot and the
//! roster test tell whether it fits. Nothing here does IO but `Roster::load`, once, at start.

mod spoken;
mod roster;
mod check;
mod scan;
mod named;
mod offered;
mod everybody;
mod select;
mod nudges;
mod phrases;

pub use everybody::asks_everybody;
pub use roster::{Coach, MASTER, Models, Roster, RosterError};
pub use select::{Reason, Selection, select};
