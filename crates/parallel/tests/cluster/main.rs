//! Calls on real clusters: `cargo xtask test-cluster`.
//!
//! Each engine passes the tests that every backend passes, under the same names, and those of what it alone
//! promises.
#![allow(
    clippy::duplicate_mod,
    reason = "each backend includes the same behaviours"
)]

mod dask;
mod harness;
mod home;
mod ray;
#[path = "../contract/tools.rs"]
mod tools;
