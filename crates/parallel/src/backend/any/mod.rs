//! Chosen at run time.
//!
//! | file | what it is |
//! |---|---|
//! | [`spec`] | a name and its options, taken apart |
//! | [`processes`] | the options of worker processes |
//! | [`clusters`] | the addresses of clusters |
//! | [`registry`] | backends that users wrote, by name |
//! | [`erased`] | a task of whatever type, for those |

#[cfg(target_os = "linux")]
mod clusters;
mod erased;
#[cfg(target_os = "linux")]
mod processes;
mod registry;
mod spec;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use self::erased::Erasure;
pub use self::erased::{AnyOutput, AnyTask};
pub use self::registry::register_backend;
use self::spec::Spec;
use super::{Backend, Sequential, Threads};
#[cfg(target_os = "linux")]
use super::{Dask, Processes, Ray};
use crate::config::environment;
use crate::context::Context;
use crate::delayed::Portable;
use crate::error::BackendError;
use crate::work::Work;

/// A backend that is chosen at run time: by name, by the environment, or made of any other.
///
/// Since it may be any, it asks of tasks what the most demanding one does: they are
/// [`Portable`]. Clones share their workers.
///
/// | name | what it is |
/// |---|---|
/// | `sequential` | [`Sequential`] |
/// | `threads`, `threading` | [`Threads`] |
/// | `processes`, `loky`, `multiprocessing` | `Processes`, on Linux |
/// | `dask` | [`Dask::local`](crate::Dask::local), with a worker for each CPU, on Linux |
/// | `dask://host:8786`, `dask=tcp://host:8786` | [`Dask::connect`](crate::Dask::connect), on Linux |
/// | `ray` | [`Ray::local`](crate::Ray::local), with a slot for each CPU, on Linux |
/// | `ray://host:10001`, `ray=host:6379` | [`Ray::connect`](crate::Ray::connect), on Linux |
/// | any other | what was [registered](crate::register_backend) under it |
///
/// Options follow behind a colon, separated by commas: `processes:timeout=5s,retries=1`. Only `processes`
/// has some, each called as the method of `Processes` that it stands for:
///
/// | option | value |
/// |---|---|
/// | `timeout`, `idle_timeout` | a time: `5s`, `1.5s`, `200ms`, `1m`, `1h` |
/// | `retries`, `max_tasks_per_worker`, `threads_per_worker` | a number |
/// | `retry_panics` | `true` or `false` |
/// | `memory_limit` | bytes: `1000000`, `512K`, `512M` or `512MiB`, `1.5G`, of 1024 each |
/// | `output` | `inherit`, `null` or `lines` |
/// | `tracing` | `off`, `error`, `warn`, `info`, `debug` or `trace` |
/// | `env.NAME` | text without commas, for the environment variable `NAME` |
///
/// ```
/// use parallel::{AnyBackend, Parallel, delayed};
///
/// for name in ["sequential", "threads", "processes:timeout=5s,retries=1"] {
///     let parallel = Parallel::new(2).backend(AnyBackend::named(name)?);
///     assert_eq!(parallel.run((0..4u64).map(|i| delayed(|i| i * i, i)))?, [0, 1, 4, 9]);
/// }
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Clone)]
pub struct AnyBackend(Arc<Named>);

struct Named {
    /// By which another process of this program can make the same.
    portable_name: Option<String>,
    place: Place,
}

enum Place {
    Sequential(Sequential),
    Threads(Threads),
    #[cfg(target_os = "linux")]
    Processes(Processes),
    #[cfg(target_os = "linux")]
    Dask(Dask),
    #[cfg(target_os = "linux")]
    Ray(Ray),
    /// One that a user wrote.
    Own(Box<dyn Backend<AnyTask>>),
    /// The choice made no sense: what to tell whoever calls.
    Invalid(String),
}

impl AnyBackend {
    /// The backend of this name, with these options, as said [above](AnyBackend).
    ///
    /// # Errors
    /// If the name, an option or a value is not known; it lists those that are. A cluster is connected to, or started, here and
    /// now: if it does not answer, that is an error after some seconds.
    ///
    /// ```
    /// use parallel::AnyBackend;
    ///
    /// assert!(AnyBackend::named("processes:memory_limit=1G,env.OVEN=hot").is_ok());
    /// let error = AnyBackend::named("processes:timout=5s").unwrap_err();
    /// assert!(error.to_string().contains("has no option \"timout\": it has timeout, retries,"));
    /// ```
    pub fn named(name: &str) -> Result<Self, BackendError> {
        #[cfg(target_os = "linux")]
        if let Some(place) = clusters::named(name.trim()) {
            // Calls inside of tasks run on their node: of a cluster there is one.
            return Ok(Self::at(None, place?));
        }
        let spec = Spec::parse(name)?;
        let place = match spec.name() {
            "sequential" => Place::Sequential(spec.without_options(Sequential::new)?),
            "threads" | "threading" => Place::Threads(spec.without_options(Threads::new)?),
            "processes" | "loky" | "multiprocessing" => processes(&spec)?,
            "dask" | "ray" => {
                spec.without_options(|| ())?;
                return Err(spec.unknown());
            }
            _ => {
                let made = registry::make(&spec)?;
                return Ok(Self::at(None, Place::Own(made)));
            }
        };
        Ok(Self::at(Some(name.trim().to_owned()), place))
    }

    /// A backend of your own: one that is a [`Backend`] for every `Task + Send`, or for every
    /// [`Portable`]. Those of this library become an `AnyBackend` by `from`.
    ///
    /// ```
    /// use parallel::{AnyBackend, Backend, BackendError, Parallel, Task, Work, config};
    ///
    /// struct Here;
    ///
    /// impl<T: Task> Backend<T> for Here {
    ///     fn drive(&self, _lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
    ///         work.run_here();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mine = AnyBackend::new(Here);
    /// let numbers = config().backend(mine).scope(|| Parallel::configured().map(|i: i32| i + 1, 0..3));
    /// assert_eq!(numbers?, [1, 2, 3]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn new(backend: impl Backend<AnyTask> + 'static) -> Self {
        Self::at(None, Place::Own(Box::new(backend)))
    }

    /// What the environment variable `PARALLEL_BACKEND` names, with options, or else threads.
    ///
    /// It is made once, and shared by all who ask. If the name is not known, each call gives the error.
    ///
    /// ```
    /// use parallel::{AnyBackend, Parallel};
    ///
    /// let parallel = Parallel::new(2).backend(AnyBackend::from_env());
    /// assert_eq!(parallel.map(|i: i32| i + 1, 0..3)?, [1, 2, 3]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn from_env() -> Self {
        environment::backend().unwrap_or_else(Self::invalid)
    }

    fn at(portable_name: Option<String>, place: Place) -> Self {
        Self(Arc::new(Named {
            portable_name,
            place,
        }))
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "it is what a conversion of an error takes"
    )]
    fn invalid(error: BackendError) -> Self {
        Self::at(None, Place::Invalid(error.to_string()))
    }

    /// The name, with options, by which a worker process can make a backend like this one.
    pub(crate) fn portable_name(&self) -> Option<&str> {
        self.0.portable_name.as_deref()
    }
}

#[cfg(target_os = "linux")]
fn processes(spec: &Spec<'_>) -> Result<Place, BackendError> {
    processes::make(spec).map(Place::Processes)
}

#[cfg(not(target_os = "linux"))]
fn processes(spec: &Spec<'_>) -> Result<Place, BackendError> {
    Err(BackendError::new(format!(
        "the backend {:?} exists on Linux only: choose threads",
        spec.name()
    )))
}

impl<T: Portable> Backend<T> for AnyBackend
where
    T::Output: Send + 'static,
{
    fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
        match &self.0.place {
            Place::Sequential(backend) => backend.drive(lanes, work),
            Place::Threads(backend) => backend.drive(lanes, work),
            #[cfg(target_os = "linux")]
            Place::Processes(backend) => backend.drive(lanes, work),
            #[cfg(target_os = "linux")]
            Place::Dask(backend) => backend.drive(lanes, work),
            #[cfg(target_os = "linux")]
            Place::Ray(backend) => backend.drive(lanes, work),
            Place::Own(backend) => {
                let context = Arc::new(Context::of_tasks(lanes));
                backend.drive(lanes, &work.converted(Erasure { context }))
            }
            Place::Invalid(message) => Err(BackendError::new(message)),
        }
    }

    fn batch_time(&self) -> Duration {
        match &self.0.place {
            Place::Sequential(backend) => Backend::<T>::batch_time(backend),
            Place::Threads(backend) => Backend::<T>::batch_time(backend),
            #[cfg(target_os = "linux")]
            Place::Processes(backend) => Backend::<T>::batch_time(backend),
            #[cfg(target_os = "linux")]
            Place::Dask(backend) => Backend::<T>::batch_time(backend),
            #[cfg(target_os = "linux")]
            Place::Ray(backend) => Backend::<T>::batch_time(backend),
            Place::Own(backend) => backend.batch_time(),
            Place::Invalid(_) => Duration::ZERO,
        }
    }

    fn slots(&self) -> Option<usize> {
        match &self.0.place {
            #[cfg(target_os = "linux")]
            Place::Dask(backend) => Backend::<T>::slots(backend),
            #[cfg(target_os = "linux")]
            Place::Ray(backend) => Backend::<T>::slots(backend),
            Place::Own(backend) => backend.slots(),
            _ => None,
        }
    }
}

impl FromStr for AnyBackend {
    type Err = BackendError;

    /// As [`named`](Self::named).
    fn from_str(name: &str) -> Result<Self, BackendError> {
        Self::named(name)
    }
}

impl From<&str> for AnyBackend {
    /// As [`named`](Self::named); if the name is not known, each call gives the error.
    fn from(name: &str) -> Self {
        Self::named(name).unwrap_or_else(Self::invalid)
    }
}

impl From<String> for AnyBackend {
    /// As [`named`](Self::named); if the name is not known, each call gives the error.
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<Sequential> for AnyBackend {
    fn from(backend: Sequential) -> Self {
        let name = "sequential".to_owned();
        Self::at(Some(name), Place::Sequential(backend))
    }
}

impl From<Threads> for AnyBackend {
    fn from(backend: Threads) -> Self {
        Self::at(Some("threads".to_owned()), Place::Threads(backend))
    }
}

#[cfg(target_os = "linux")]
impl From<Dask> for AnyBackend {
    /// Calls inside of tasks do not follow this choice: they run on their node.
    fn from(backend: Dask) -> Self {
        Self::at(None, Place::Dask(backend))
    }
}

#[cfg(target_os = "linux")]
impl From<Ray> for AnyBackend {
    /// Calls inside of tasks do not follow this choice: they run on their node.
    fn from(backend: Ray) -> Self {
        Self::at(None, Place::Ray(backend))
    }
}

#[cfg(target_os = "linux")]
impl From<Processes> for AnyBackend {
    /// What has been set has no name that could be told elsewhere: calls inside of tasks in worker
    /// processes do not follow this choice.
    fn from(backend: Processes) -> Self {
        Self::at(None, Place::Processes(backend))
    }
}

impl fmt::Debug for AnyBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_tuple("AnyBackend");
        match &self.0.place {
            Place::Sequential(backend) => fields.field(backend),
            Place::Threads(backend) => fields.field(backend),
            #[cfg(target_os = "linux")]
            Place::Processes(backend) => fields.field(backend),
            #[cfg(target_os = "linux")]
            Place::Dask(backend) => fields.field(backend),
            #[cfg(target_os = "linux")]
            Place::Ray(backend) => fields.field(backend),
            Place::Own(_) => fields.field(&format_args!("one of a user's own")),
            Place::Invalid(message) => fields.field(&format_args!("invalid: {message}")),
        };
        fields.finish()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
