//! Which models may answer a turn, in the order they are tried, and what is known of them; what may be
//! spent, and what is switched. No IO: whoever fetches lists, leases and flags is elsewhere.

pub mod budget;
pub mod catalog;
mod complexity;
pub mod flags;
pub mod provider;
pub mod experiment;
mod tier;

pub use complexity::{DEMANDING, complexity};
pub use tier::{Class, Plan, Worth, candidates, plan};
