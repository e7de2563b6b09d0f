//! Calls on real clusters: `cargo xtask test-cluster`.

mod harness;
mod home;
mod ray;
#[path = "../contract/tools.rs"]
#[allow(dead_code)]
mod tools;
