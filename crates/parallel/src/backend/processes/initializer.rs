//! What each worker does before its first task: a call, encoded once for all of them.
//!
//! Its argument lies in a [`Shared`] array, so a large one is in memory once, however many workers there are, and what is
//! sent to each of them is small.

use std::sync::Arc;

use super::image::Image;
use crate::delayed::Portable;
use crate::panics;
use crate::shared::{Object, Shared};
use crate::wire::{self, CapturelessAction, EntryPoint, attachments, entry_point_of_action};

/// The frame must fit into the ring of a new worker, which nobody reads yet.
const MOST: usize = 1 << 17;

#[derive(Clone, Debug)]
pub(in crate::backend) struct Initializer {
    /// Of its function, in the executable.
    pub(in crate::backend) name: u64,
    /// Its encoded argument, as an encoded `Shared<[u8]>`.
    pub(in crate::backend) argument: Vec<u8>,
    /// To which the two refer.
    pub(in crate::backend) arrays: Vec<Arc<Object>>,
}

impl Initializer {
    /// The call of a function without arguments.
    pub(in crate::backend) fn of_action<F: FnOnce() + CapturelessAction>() -> Result<Self, String> {
        Self::with_argument(entry_point_of_action::<F>(), |_| Ok(()))
    }

    /// The call that a task stands for.
    pub(in crate::backend) fn of_task<T: Portable<Output = ()>>(task: T) -> Result<Self, String> {
        let entry = panics::catch(|| task.entry_point());
        let entry = entry.map_err(|panic| panic.of_task().to_string())?;
        let made = Self::with_argument(entry, |out| {
            let encoded = panics::catch(|| task.encode(out));
            let encoded = encoded.unwrap_or_else(|panic| Err(panic.of_task()));
            encoded.map_err(|failure| failure.to_string())
        });
        // It is the user's, and may panic as it goes.
        let _ = panics::catch(|| drop(task));
        made
    }

    fn with_argument(
        entry: EntryPoint,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<Self, String> {
        let name = Image::of_this_process().name_of(entry).ok_or(
            "the initializer is not part of the executable but of a shared library, where a worker cannot find \
             it: compile it into the program",
        )?;
        let session = attachments::enter(None);
        let (mut bytes, mut argument) = (Vec::new(), Vec::new());
        let encoded = encode(&mut bytes).and_then(|()| {
            let encoded = wire::encode(&Shared::from(bytes), &mut argument);
            encoded.map_err(|failure| failure.to_string())
        });
        encoded.map_err(|why| format!("the argument of the initializer: {why}"))?;
        if argument.len() > MOST {
            return Err(format!(
                "the argument of the initializer takes {} bytes, and there is no descriptor left for memory to share \
                 them: raise the limit (`ulimit -n`)",
                argument.len()
            ));
        }
        Ok(Self {
            name,
            argument,
            arrays: session.take(),
        })
    }
}
