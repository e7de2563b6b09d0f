//! What a user sets for the worker processes on the nodes: as [`Processes`] has it, by the same names.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arrays::Arrays;
use crate::backend::processes::{Image, Initializer, Output, Processes};
use crate::wire::attachments::Id;

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
    pub(super) initializer: Option<Named>,
}

/// An [`Initializer`], as it travels: the arrays to which it refers go to each node once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Named {
    name: u64,
    argument: Vec<u8>,
    arrays: Vec<Id>,
}

impl From<&Initializer> for Named {
    fn from(initializer: &Initializer) -> Self {
        Self {
            name: initializer.name,
            argument: initializer.argument.clone(),
            arrays: initializer.arrays.iter().map(|array| array.id()).collect(),
        }
    }
}

impl Named {
    /// The same at a slot, which has these arrays.
    fn initializer(&self, arrays: &Arrays) -> Result<Initializer, String> {
        let name = self.name;
        if Image::of_this_process().entry_named(name).is_none() {
            return Err(format!(
                "this executable has no function at {name:#x} to begin with: it is not the one that the program runs"
            ));
        }
        Ok(Initializer {
            name,
            argument: self.argument.clone(),
            arrays: arrays.all(&self.arrays)?,
        })
    }
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
    /// The worker processes of a slot, which has these arrays.
    pub(super) fn processes(&self, arrays: &Arrays) -> Result<Processes, String> {
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
        if let Some(named) = &self.initializer {
            processes.begin_with(Ok(named.initializer(arrays)?));
        }
        Ok(processes)
    }
}
