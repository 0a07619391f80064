//! Which models may answer a turn, in the order they are tried, and what is known of them. Pure.

pub mod catalog;
pub mod provider;
mod tier;

pub use tier::{Class, Plan, candidates, plan};
