//! What the environment chooses: `PARALLEL_BACKEND`, `PARALLEL_N_JOBS` and `PARALLEL_MAX_CPUS`.
//!
//! An empty variable chooses nothing, as one that is not set.

use std::env::{VarError, var};

use parking_lot::Mutex;

use crate::backend::AnyBackend;
use crate::context;
use crate::error::BackendError;

const BACKEND: &str = "PARALLEL_BACKEND";
const N_JOBS: &str = "PARALLEL_N_JOBS";

const MAX_CPUS: &str = "PARALLEL_MAX_CPUS";

/// Every CPU, or all of a task's share.
const ALL: isize = -1;

/// How many jobs a call that is made here shall have. Inside of a task the user's number does not count:
/// the task is one of so many.
pub(crate) fn n_jobs() -> Result<isize, BackendError> {
    if context::in_task() {
        return Ok(ALL);
    }
    let Some(text) = text_of(N_JOBS)? else {
        return Ok(ALL);
    };
    match text.parse() {
        Ok(0) | Err(_) => Err(BackendError::new(format!(
            "{N_JOBS} is {text:?}: set it to a number of workers, or to -1 to use every CPU"
        ))),
        Ok(number) => Ok(number),
    }
}

/// How many CPUs may be used, if the environment says so.
pub(crate) fn max_cpus() -> Result<Option<usize>, BackendError> {
    let number = |text: String| match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => Err(BackendError::new(format!(
            "{MAX_CPUS} is {text:?}: set it to a number of CPUs, or unset it"
        ))),
    };
    text_of(MAX_CPUS)?.map(number).transpose()
}

/// The backend that the environment chooses, or else threads: the same one each time, so that its
/// workers are warm.
pub(crate) fn backend() -> Result<AnyBackend, BackendError> {
    /// The choice, and what was made of it.
    static MADE: Mutex<Option<(Option<String>, AnyBackend)>> = Mutex::new(None);

    let choice = text_of(BACKEND)?;
    let made = |made: &Option<(Option<String>, AnyBackend)>| match made {
        Some((of, backend)) if *of == choice => Some(backend.clone()),
        _ => None,
    };
    if let Some(backend) = made(&MADE.lock()) {
        return Ok(backend);
    }
    // Without the lock: to make a registered one is a user's code, which may ask for it as well. While a
    // name is unknown nothing is kept: it may be registered later.
    let name = choice.as_deref().unwrap_or("threads");
    let new = AnyBackend::named(name)
        .map_err(|error| BackendError::new(format!("{BACKEND} is {name:?}: {error}")))?;
    let mut kept = MADE.lock();
    if let Some(first) = made(&kept) {
        // Somebody else was quicker.
        return Ok(first);
    }
    let before = kept.replace((choice, new.clone()));
    drop(kept);
    // Its workers, if it was the last handle, are let go without the lock.
    drop(before);
    Ok(new)
}

/// The text of a variable, without the spaces around it; none if it is empty.
fn text_of(variable: &str) -> Result<Option<String>, BackendError> {
    match var(variable) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(bytes)) => Err(BackendError::new(format!(
            "{variable} is {bytes:?}, which is no text: set it anew, or unset it"
        ))),
    }
}
