//! Which models may answer a turn, in the order they are tried. Pure.

mod tier;

pub use tier::{Class, Plan, candidates, plan};
