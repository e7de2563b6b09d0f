//! Calls that have not happened yet.

use crate::error::Failure;
use crate::panics;
use crate::wire::{self, EntryPoint};

/// Anything that can be called once, here.
///
/// [`Delayed`] is the usual one. Implement it for a type of your own when a call is more than a
/// function and its argument.
///
/// ```
/// use parallel::{Parallel, Task};
///
/// struct Square(u64);
///
/// impl Task for Square {
///     type Output = u64;
///     fn call(self) -> u64 {
///         self.0 * self.0
///     }
/// }
///
/// assert_eq!(Parallel::new(2).run((1..4).map(Square))?, [1, 4, 9]);
/// # Ok::<(), parallel::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not a call that has not happened yet",
    note = "write `delayed(function, argument)` or `delayed!(function(arguments))` for each task; `map(function, \
            inputs)` calls one function on each input"
)]
pub trait Task: Sized {
    /// What the call gives back.
    type Output;

    /// Makes the call.
    fn call(self) -> Self::Output;

    /// Makes the call and catches its panic, which is told with its place: what a
    /// [`Backend`](crate::Backend) does with a task.
    ///
    /// # Errors
    /// [`Failure::Panicked`] if the call panics.
    ///
    /// ```
    /// use parallel::{Task, delayed};
    ///
    /// assert_eq!(delayed(|i| i + 1, 1).attempt().unwrap(), 2);
    /// let failure = delayed(|i: u32| 1 / i, 0).attempt().unwrap_err();
    /// assert!(failure.to_string().ends_with("attempt to divide by zero"));
    /// ```
    fn attempt(self) -> Result<Self::Output, Failure> {
        panics::catch(|| self.call()).map_err(|panic| panic.of_task())
    }
}

/// A task that can also be called *elsewhere*: it names its function, encodes its argument and
/// decodes its result.
///
/// [`Delayed`] is one when its function is a plain function or a closure that captures nothing, and
/// its argument and result can be serialized by serde. Anything else that such a call needs is passed
/// as part of the argument.
///
/// ```
/// use parallel::{Portable, delayed};
///
/// let task = delayed(|dish: String| dish.len(), "Pizza".to_owned());
///
/// // What another process does with the bytes, were it the same executable:
/// let (mut there, mut back) = (Vec::new(), Vec::new());
/// task.encode(&mut there).unwrap();
/// task.entry_point()(&there, &mut back).unwrap();
/// assert_eq!(decoded(&task, &back), 5);
///
/// fn decoded<T: Portable<Output = usize>>(_: &T, bytes: &[u8]) -> usize {
///     T::decode(bytes).unwrap()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called in another process",
    note = "use `delayed(function, argument)` or `delayed!(function(arguments))` with a plain function \
            or a closure that captures nothing, and owned, serializable arguments"
)]
pub trait Portable: Task + Send + 'static
where
    Self::Output: Send + 'static,
{
    /// The function that makes this call from its encoded argument, in any process that runs the
    /// same executable. It must be compiled into the executable, not into a shared library.
    fn entry_point(&self) -> EntryPoint;

    /// Appends the encoded argument to `out`.
    ///
    /// # Errors
    /// [`Failure::Encode`] if the argument has no encoding; `out` may then hold a part of it.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Failure>;

    /// Makes the result from the bytes that the entry point appended.
    ///
    /// # Errors
    /// [`Failure::Decode`] if `bytes` are not what the entry point writes.
    fn decode(bytes: &[u8]) -> Result<Self::Output, Failure>;

    /// The argument if it can travel as it is in memory, beside the bytes, which then are none.
    #[doc(hidden)]
    fn contents(&self) -> Option<wire::Contents<'_>> {
        None
    }

    /// Takes out of the argument what `contents` gives, for good: the memory is wanted for the result.
    #[doc(hidden)]
    fn take_contents(&mut self) -> Option<wire::Parcel> {
        None
    }

    /// Whether `decode`, called where the result came in, takes one that travelled in that way.
    #[doc(hidden)]
    fn takes_contents(&self) -> bool {
        false
    }
}

/// A function and its argument: what [`delayed`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Delayed<F, A> {
    func: F,
    arg: A,
}

/// The call `func(arg)`, put off until a [`Parallel`](crate::Parallel) makes it.
///
/// Joblib's `delayed(func)(arg)`. For several arguments there is [`delayed!`](crate::delayed!).
///
/// ```
/// use parallel::{Parallel, delayed};
///
/// let names = ["Flour", "Yeast"].map(String::from);
/// // Tasks on threads may borrow.
/// let lengths = Parallel::new(2).run(names.iter().map(|name| delayed(String::len, name)))?;
/// assert_eq!(lengths, [5, 5]);
/// # Ok::<(), parallel::Error>(())
/// ```
pub fn delayed<F, A, R>(func: F, arg: A) -> Delayed<F, A>
where
    F: FnOnce(A) -> R,
{
    Delayed { func, arg }
}

impl<F, A, R> Task for Delayed<F, A>
where
    F: FnOnce(A) -> R,
{
    type Output = R;

    #[inline]
    fn call(self) -> R {
        (self.func)(self.arg)
    }
}

impl<F, A, R> Portable for Delayed<F, A>
where
    F: FnOnce(A) -> R + wire::Captureless,
    A: wire::OwnedValue,
    R: wire::OwnedValue,
{
    fn entry_point(&self) -> EntryPoint {
        wire::entry_point::<F, A, R>()
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        wire::encode(&self.arg, out)
    }

    #[inline]
    fn decode(bytes: &[u8]) -> Result<R, Failure> {
        wire::receive(bytes)
    }

    fn contents(&self) -> Option<wire::Contents<'_>> {
        wire::parcel::contents(&self.arg)
    }

    fn take_contents(&mut self) -> Option<wire::Parcel> {
        wire::Parcel::take_from(&mut self.arg)
    }

    fn takes_contents(&self) -> bool {
        true
    }
}

/// [`delayed`] with any number of arguments, written like the call itself.
///
/// The arguments are evaluated now, the function is called later. `delayed!(f(a, b))` is
/// `delayed(|(a, b)| f(a, b), (a, b))`.
///
/// ```
/// use parallel::{Parallel, delayed};
///
/// let powers = Parallel::new(2).run((0..4).map(|i| delayed!(f64::powi(2.0, i))))?;
/// assert_eq!(powers, [1.0, 2.0, 4.0, 8.0]);
/// # Ok::<(), parallel::Error>(())
/// ```
#[macro_export]
macro_rules! delayed {
    ($($call:tt)+) => { $crate::__delayed!([] $($call)+) };
}

/// First finds the parenthesis that ends the call, then gives each argument a name of its own: `arg`
/// is another identifier in each step of a macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __delayed {
    ([$($path:tt)+] ($($arg:expr),* $(,)?)) => {
        $crate::__delayed!(@name [$($path)+] [] [] $($arg,)*)
    };
    ([$($path:tt)*] $next:tt $($rest:tt)+) => {
        $crate::__delayed!([$($path)* $next] $($rest)+)
    };
    ([$($path:tt)*] $($rest:tt)*) => {
        ::core::compile_error!("delayed! takes a call of a function by its path: delayed!(path::function(argument, …))")
    };
    (@name [$($path:tt)+] [$($name:ident)*] [$($value:expr,)*] $arg:expr, $($rest:expr,)*) => {
        $crate::__delayed!(@name [$($path)+] [$($name)* arg] [$($value,)* $arg,] $($rest,)*)
    };
    (@name [$($path:tt)+] [$($name:ident)*] [$($value:expr,)*]) => {
        $crate::delayed(|($($name,)*)| $($path)+($($name),*), ($($value,)*))
    };
}
