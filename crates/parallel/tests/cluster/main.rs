//! Calls on real clusters: `cargo xtask test-cluster`.

mod harness;
mod ray;
