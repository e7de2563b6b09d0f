//! What a user sets for the worker processes on the nodes: as [`Processes`] has it, by the same names.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backend::processes::{Image, Output, Processes};
use crate::error::BackendError;
use crate::wire::EntryPoint;

/// What a user set, as it travels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) timeout: Option<Duration>,
    /// `None` if it was not said: then what the engine loses runs again.
    pub(super) retries: Option<u32>,
    pub(super) retry_panics: bool,
    pub(super) max_tasks_per_worker: Option<u64>,
    pub(super) memory_limit: Option<u64>,
    pub(super) threads_per_worker: Option<u64>,
    pub(super) env: Vec<(String, String)>,
    pub(super) output: Printed,
    /// By its name in the executable.
    pub(super) initializer: Option<u64>,
}

/// [`Output`], as it travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Printed {
    #[default]
    Inherit,
    Null,
    Lines,
}

impl From<Output> for Printed {
    fn from(output: Output) -> Self {
        match output {
            Output::Inherit => Self::Inherit,
            Output::Null => Self::Null,
            Output::Lines => Self::Lines,
        }
    }
}

impl Setup {
    /// The worker processes of a slot.
    pub(super) fn processes(&self) -> Result<Processes, BackendError> {
        let mut processes = Processes::new()
            .retries(self.retries.unwrap_or_default())
            .retry_panics(self.retry_panics)
            .output(match self.output {
                Printed::Inherit => Output::Inherit,
                Printed::Null => Output::Null,
                Printed::Lines => Output::Lines,
            });
        if let Some(limit) = self.timeout {
            processes = processes.timeout(limit);
        }
        if let Some(tasks) = self.max_tasks_per_worker {
            processes = processes.max_tasks_per_worker(tasks);
        }
        if let Some(bytes) = self.memory_limit {
            processes = processes.memory_limit(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        if let Some(threads) = self.threads_per_worker {
            let threads = usize::try_from(threads).unwrap_or(usize::MAX);
            processes = processes.threads_per_worker(threads);
        }
        for (name, value) in &self.env {
            processes = processes.env(name, value);
        }
        if let Some(name) = self.initializer {
            let entry = Image::of_this_process().entry_named(name);
            let unknown = || {
                BackendError::new(format!(
                    "this executable has no function at {name:#x} to begin with: it is not the one that the \
                     program runs"
                ))
            };
            processes.begin_with(entry.ok_or_else(unknown)?);
        }
        Ok(processes)
    }

    /// The initializer, by its name; `None` in the result if it lies in a shared library.
    pub(super) fn name(entry: EntryPoint) -> Option<u64> {
        Image::of_this_process().name_of(entry)
    }
}
