//! The targets of `tests/fuzz/targets/`, built for libFuzzer: `scripts/fuzz` does and runs it.

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

macro_rules! offer {
    ($($name:ident)*) => {$(
        pub fn $name(input: &[u8]) {
            targets::$name(input);
        }
    )*};
}

offer!(body sse token spool speech);
