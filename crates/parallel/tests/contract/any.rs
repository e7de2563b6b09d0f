//! Backends that are chosen at run time: the behaviours on them, and what choosing promises.

#[cfg(target_os = "linux")]
mod own_processes;
#[cfg(target_os = "linux")]
mod processes;
mod registered;
#[cfg(target_os = "linux")]
mod scopes;
mod threads;
