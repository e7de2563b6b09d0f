//! The second half of the contract: on backends whose tasks run in worker processes. Two programs are built side by
//! side, where one takes twice as long.
//!
//! `cargo test -p parallel --test contract_elsewhere deaths` runs what they promise of dying workers.
#![cfg(target_os = "linux")]
#![allow(
    clippy::duplicate_mod,
    reason = "each backend includes the same behaviours"
)]

/// Chosen by name, and made by the user first.
mod any {
    mod own_processes;
    mod processes;
}
mod processes;
mod tools;
