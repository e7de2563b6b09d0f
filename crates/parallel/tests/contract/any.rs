//! Backends that are chosen at run time: the behaviours on them, and what choosing promises.

mod registered;
#[cfg(target_os = "linux")]
mod scopes;
mod threads;
