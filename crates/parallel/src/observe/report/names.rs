//! What the user calls tasks and workers.

use crate::panics;

type Name = Box<dyn Fn(usize) -> String + Send + Sync>;

/// Functions of the user, which may panic: then there is no name.
#[derive(Default)]
pub(super) struct Names {
    pub(super) tasks: Option<Name>,
    pub(super) workers: Option<Name>,
}

impl Names {
    /// All tasks have one, or none has.
    pub(super) fn task(&self, index: usize) -> Option<String> {
        let name = self.tasks.as_ref()?;
        Some(panics::catch(|| name(index)).unwrap_or_default())
    }

    pub(super) fn worker(&self, worker: usize) -> String {
        let name = self.workers.as_ref();
        let name = name.and_then(|name| panics::catch(|| name(worker)).ok());
        name.unwrap_or_else(|| format!("Worker {worker}"))
    }
}
