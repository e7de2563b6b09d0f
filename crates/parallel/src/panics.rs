//! Catching a user's panic with all that it tells.
//!
//! `catch_unwind` hands over the message only. Where it happened is known to nobody but the panic
//! hook, so the first catch installs one. It keeps quiet about panics that somebody here is about to
//! catch and report, and passes every other one on to the hook that was there before.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::error::{Failure, PanicBacktrace};

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct Panic {
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) backtrace: Option<PanicBacktrace>,
}

impl Panic {
    /// As the outcome of the task that panicked.
    pub(crate) fn of_task(self) -> Failure {
        Failure::Panicked {
            message: self.message,
            location: self.location,
            backtrace: self.backtrace,
        }
    }

    /// As the outcome of the task that the input iterator did not give.
    pub(crate) fn of_source(self) -> Failure {
        Failure::Source {
            message: self.message,
            location: self.location,
        }
    }
}

thread_local! {
    /// Whether a panic on this thread is about to be caught by [`catch`].
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// What the hook saw last, on its way to [`catch`].
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// What only the hook can see of a panic.
struct Seen {
    /// By which it is known again: the user may have caught this one, and go on with one that no hook sees.
    message: Option<String>,
    location: Option<String>,
    backtrace: Option<PanicBacktrace>,
}

/// Calls `user`, whose panic is returned and not printed.
///
/// The caller promises to use nothing that `user` may have left half done.
///
/// The panic is in a box: what usually comes back is as small as the result itself.
#[inline]
pub(crate) fn catch<R>(user: impl FnOnce() -> R) -> Result<R, Box<Panic>> {
    let outer = begin_catching();
    let result = panic::catch_unwind(AssertUnwindSafe(user));
    set_catching(outer);
    result.map_err(caught)
}

/// A function of its own, as are the others here: [`catch`] is compiled anew for each of those whom it calls.
fn begin_catching() -> bool {
    install_hook();
    set_catching(true)
}

/// What it was before.
fn set_catching(now: bool) -> bool {
    CATCHING.replace(now)
}

/// Calls `user`, whose panic is printed and harms nothing.
pub(crate) fn print(user: impl FnOnce()) {
    let outer = set_catching(false);
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(user)) {
        discard_payload(payload);
    }
    set_catching(outer);
}

/// Drops what is a user's, of which each may panic as it goes: two of them at a time would abort.
pub(crate) fn discard<V>(values: Vec<V>) {
    if std::mem::needs_drop::<V>() {
        for value in values {
            let _ = catch(|| drop(value));
        }
    }
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) -> Box<Panic> {
    let message = message_of(&*payload);
    let seen = SEEN.try_with(RefCell::take).ok().flatten();
    discard_payload(payload);
    let (location, backtrace) = match seen {
        Some(seen) if seen.message == message => (seen.location, seen.backtrace),
        _ => (None, None),
    };
    let message = message.unwrap_or_else(|| "a panic whose payload is not text".to_owned());
    Box::new(Panic {
        message,
        location,
        backtrace,
    })
}

fn message_of(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.map(str::to_owned)
}

fn discard_payload(payload: Box<dyn Any + Send>) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // To drop this one may panic as well: it is let go of.
        std::mem::forget(payload);
    }
}

static INSTALLED: Once = Once::new();

#[inline]
fn install_hook() {
    if !INSTALLED.is_completed() {
        install_hook_now();
    }
}

#[cold]
fn install_hook_now() {
    // While a thread panics, hooks cannot be changed; it will be done at the next catch.
    if std::thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Where a panic aborts, nobody will come to report it.
            if !CATCHING.get() || cfg!(panic = "abort") {
                return previous(info);
            }
            let seen = Seen {
                message: info.payload_as_str().map(str::to_owned),
                location: info.location().map(ToString::to_string),
                backtrace: PanicBacktrace::capture(),
            };
            // Not so where this thread has come to its end.
            let _ = SEEN.try_with(|it| it.replace(Some(seen)));
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place() {
        let line = line!() + 1;
        let panic = catch(|| panic!("no {}", "salt")).unwrap_err();
        assert_eq!(panic.message, "no salt");
        let location = panic.location.expect("the hook was there");
        assert!(
            location.contains(&format!("panics.rs:{line}")),
            "{location}"
        );
    }

    #[test]
    fn a_payload_of_any_type_is_caught() {
        let panic = catch(|| panic::panic_any(7)).unwrap_err();
        assert_eq!(panic.message, "a panic whose payload is not text");
    }

    #[test]
    fn a_payload_is_dropped() {
        let held = Arc::new(());
        let payload = Arc::clone(&held);
        let panic = catch(|| panic::panic_any(payload)).unwrap_err();
        assert_eq!(panic.message, "a panic whose payload is not text");
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_caught() {
        struct Trap;
        impl Drop for Trap {
            fn drop(&mut self) {
                panic::panic_any(Self);
            }
        }
        let panic = catch(|| {
            let inner = catch(|| panic::panic_any(Trap));
            panic!("outer, {}", inner.unwrap_err().message);
        });
        let panic = panic.unwrap_err();
        assert_eq!(panic.message, "outer, a panic whose payload is not text");
    }

    #[test]
    fn no_panic_is_told_with_the_place_of_another() {
        let panic = catch(|| {
            let caught = panic::catch_unwind(|| panic!("the first"));
            assert!(caught.is_err());
            let other = std::thread::spawn(|| panic!("the second")).join();
            panic::resume_unwind(other.unwrap_err());
        });
        let panic = panic.unwrap_err();
        assert_eq!(
            (panic.message.as_str(), panic.location),
            ("the second", None)
        );
    }

    #[test]
    fn catching_nests() {
        let outer = catch(|| {
            assert!(catch(|| panic!("inner")).is_err());
            panic!("outer");
        });
        assert_eq!(outer.unwrap_err().message, "outer");
    }
}
