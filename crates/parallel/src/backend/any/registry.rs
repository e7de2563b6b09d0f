//! Backends that users wrote, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::erased::AnyTask;
use super::spec::{Spec, taken_or_unfit};
use crate::backend::Backend;
use crate::error::BackendError;

type Factory = Arc<dyn Fn() -> Box<dyn Backend<AnyTask>> + Send + Sync>;

static FACTORIES: Mutex<BTreeMap<String, Factory>> = Mutex::new(BTreeMap::new());

/// Gives a backend a name by which a user can choose it, with [`config`](crate::config), with
/// `PARALLEL_BACKEND`, or with [`AnyBackend::named`](crate::AnyBackend::named): joblib's
/// `register_parallel_backend`.
///
/// `factory` makes a backend each time the name is chosen. A [`Backend`] for every
/// [`Portable`](crate::Portable) task will do, or for every `Task + Send`. A name that was registered
/// before gets the new meaning, from the next time on that it is chosen.
///
/// Names are known in the process that registers them. A worker process of
/// [`Processes`](crate::Processes) does so in its initializer, if calls inside of its tasks shall know them.
///
/// # Errors
/// If the name is one of this library's own, is empty, or contains `:`, `,`, `=` or a space.
///
/// ```
/// use parallel::{Backend, BackendError, Parallel, Task, Work, config};
///
/// /// New threads for each call.
/// struct Scoped;
///
/// impl<T: Task + Send> Backend<T> for Scoped
/// where
///     T::Output: Send,
/// {
///     fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
///         std::thread::scope(|scope| {
///             for _ in 0..lanes {
///                 scope.spawn(|| work.run_here());
///             }
///         });
///         Ok(())
///     }
/// }
///
/// parallel::register_backend("scoped", || Scoped)?;
/// let squares = config().backend("scoped").scope(|| Parallel::configured().map(|i: u64| i * i, 0..4));
/// assert_eq!(squares?, [0, 1, 4, 9]);
/// # Ok::<(), parallel::Error>(())
/// ```
pub fn register_backend<F, B>(name: impl Into<String>, factory: F) -> Result<(), BackendError>
where
    F: Fn() -> B + Send + Sync + 'static,
    B: Backend<AnyTask> + 'static,
{
    let name = name.into();
    if let Some(why) = taken_or_unfit(&name) {
        return Err(BackendError::new(format!(
            "a backend cannot be registered as {name:?}, {why}: choose another name"
        )));
    }
    let factory: Factory = Arc::new(move || Box::new(factory()));
    let before = FACTORIES.lock().insert(name, factory);
    // A user's drop runs without the lock.
    drop(before);
    Ok(())
}

/// Makes the backend that was registered under this name.
pub(super) fn make(spec: &Spec<'_>) -> Result<Box<dyn Backend<AnyTask>>, BackendError> {
    let factory = FACTORIES.lock().get(spec.name()).cloned();
    match factory {
        Some(factory) => spec.without_options(|| factory()),
        None => Err(spec.unknown()),
    }
}

/// The names that were registered.
pub(super) fn names() -> Vec<String> {
    FACTORIES.lock().keys().cloned().collect()
}
