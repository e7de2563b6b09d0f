//! Ray clusters of which each test needs one of its own: `cargo xtask test-cluster`.
//!
//! One after the other, and not beside those of [`main`](../main.rs): each head looks for a free port for a new
//! client, and starts a server there a second later. Two heads of one machine find the same, and one of them
//! brings its client to the other's server.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[path = "ray/copies.rs"]
mod copies;
#[allow(dead_code, reason = "the other tests use the rest")]
mod home;
#[path = "ray/nodes.rs"]
mod nodes;
#[allow(dead_code, reason = "the other tests use the rest")]
mod program;
#[path = "ray/token.rs"]
mod token;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../contract/tools.rs"]
mod tools;

type Here = parallel::Ray;

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
