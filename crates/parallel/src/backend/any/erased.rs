//! A task of whatever type, for backends that are chosen at run time.
//!
//! A trait object cannot be a `Backend<T>` for every `T`. So it is one for tasks of this one type, which
//! holds any other:
//!
//! ```text
//!  T ──► AnyTask ──► called here ──────────────────────► AnyOutput: the value ──► T::Output
//!           └─────► encoded ──► called elsewhere ──────► AnyOutput: its bytes ──► T::Output
//! ```
//!
//! Where tasks are called here nothing is encoded.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

use crate::context::Context;
use crate::delayed::{Portable, Task};
use crate::error::Failure;
use crate::wire::attachments::{self, Resolve};
use crate::wire::parcel::{self, Parcel, exchange};
use crate::wire::{Contents, EntryPoint};
use crate::work::Conversion;

/// A [`Portable`] task of whatever type: what a backend runs that is
/// [registered](crate::register_backend) under a name.
///
/// It is called, or encoded and sent away, as any other task.
pub struct AnyTask {
    task: Box<dyn Erased>,
    /// What it inherits if it is called here.
    context: Arc<Context>,
}

/// What comes of an [`AnyTask`]: a value of whatever type, or the bytes to make one of.
pub struct AnyOutput(Output);

enum Output {
    Value(Box<dyn Any + Send>),
    /// With what belongs to the bytes: a large vector, and what they may refer to.
    Encoded(Vec<u8>, Option<Parcel>, Option<Arc<dyn Resolve>>),
}

/// A task of which the type is forgotten.
trait Erased: Send {
    fn call(self: Box<Self>) -> Box<dyn Any + Send>;
    fn entry_point(&self) -> EntryPoint;
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Failure>;
    fn contents(&self) -> Option<Contents<'_>>;
    fn take_contents(&mut self) -> Option<Parcel>;
    fn takes_contents(&self) -> bool;
    fn type_name(&self) -> &'static str;
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}

impl<T: Portable> Erased for T
where
    T::Output: Send + 'static,
{
    fn call(self: Box<Self>) -> Box<dyn Any + Send> {
        Box::new(Task::call(*self))
    }

    fn entry_point(&self) -> EntryPoint {
        Portable::entry_point(self)
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        Portable::encode(self, out)
    }

    fn contents(&self) -> Option<Contents<'_>> {
        Portable::contents(self)
    }

    fn take_contents(&mut self) -> Option<Parcel> {
        Portable::take_contents(self)
    }

    fn takes_contents(&self) -> bool {
        Portable::takes_contents(self)
    }

    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

/// Makes [`AnyTask`]s, which inherit this if they are called here.
pub(super) struct Erasure {
    pub(super) context: Arc<Context>,
}

impl<T: Portable> Conversion<T> for Erasure
where
    T::Output: Send + 'static,
{
    type Task = AnyTask;

    fn there(&self, task: T) -> AnyTask {
        AnyTask {
            task: Box::new(task),
            context: Arc::clone(&self.context),
        }
    }

    fn back(&self, task: AnyTask) -> Option<T> {
        task.task.into_any().downcast().ok().map(|task| *task)
    }

    fn result(&self, result: AnyOutput) -> Result<T::Output, Failure> {
        match result.0 {
            Output::Encoded(bytes, mut parcel, known) => {
                let _session = known.map(|known| attachments::enter(Some(known)));
                exchange(&mut parcel, false, || T::decode(&bytes))
            }
            Output::Value(value) => {
                let value = value.downcast().map(|value| *value);
                value.map_err(|_| Failure::Decode {
                    type_name: type_name::<T::Output>().to_owned(),
                    message: "the backend gave the result of another call".to_owned(),
                })
            }
        }
    }
}

impl Task for AnyTask {
    type Output = AnyOutput;

    fn call(self) -> AnyOutput {
        let Self { task, context } = self;
        AnyOutput(Output::Value(context.enter(|| task.call())))
    }
}

impl Portable for AnyTask {
    fn entry_point(&self) -> EntryPoint {
        (*self.task).entry_point()
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        (*self.task).encode(out)
    }

    /// The type is not known here: the bytes are kept until it is.
    fn decode(bytes: &[u8]) -> Result<AnyOutput, Failure> {
        let (parcel, known) = (parcel::take(), attachments::known());
        Ok(AnyOutput(Output::Encoded(bytes.to_owned(), parcel, known)))
    }

    fn contents(&self) -> Option<Contents<'_>> {
        (*self.task).contents()
    }

    fn take_contents(&mut self) -> Option<Parcel> {
        (*self.task).take_contents()
    }

    fn takes_contents(&self) -> bool {
        (*self.task).takes_contents()
    }
}

impl fmt::Debug for AnyTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = (*self.task).type_name();
        f.debug_tuple("AnyTask")
            .field(&format_args!("{name}"))
            .finish()
    }
}

impl fmt::Debug for AnyOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.0 {
            Output::Value(_) => format_args!("a value"),
            Output::Encoded(..) => format_args!("encoded"),
        };
        f.debug_tuple("AnyOutput").field(&what).finish()
    }
}
