//! A function that captures nothing, named by its address.
//!
//! For each function type `F` of size zero there is one entry point, compiled into the executable.
//! Its address relative to the executable's start is the same in every process that runs the same
//! file, so that number is the function's name. Whoever sends or receives one checks it against the
//! executable's text (see `backend/processes/image.rs`).
//!
//! The promise this file keeps: an `F` is made out of nothing only where a value of it was handed in
//! before, as `delayed(func, …)`, and only where a copy of that value would have been legal.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::parcel::{self, Parcel};
use super::value::{OwnedValue, encode, receive};
use super::{attachments, laps};
use crate::error::Failure;

/// A call by its encoded argument: decodes it, makes the call, appends the encoded result.
pub type EntryPoint = fn(&[u8], &mut Vec<u8>) -> Result<(), Failure>;

/// A function, or a closure that captures nothing.
#[diagnostic::on_unimplemented(
    message = "this function captures variables, so it cannot be called in another process",
    label = "only a plain function, or a closure that captures nothing, has a name elsewhere",
    note = "pass what it captures as the argument: `delayed(|(captured, x)| …, (captured, x))`, or \
            `delayed!(function(captured, x))`"
)]
pub trait Captureless: Copy + Send + 'static {}

// Whether it is zero-sized no trait can ask; `Nothing` does.
#[diagnostic::do_not_recommend]
impl<F: Copy + Send + 'static> Captureless for F {}

/// The same, of one that is an initializer: what it captures goes elsewhere.
#[diagnostic::on_unimplemented(
    message = "this initializer captures variables, so it cannot be called in another process",
    label = "only a plain function, or a closure that captures nothing, has a name elsewhere",
    note = "pass what it captures as arguments: `initializer_with(delayed!(function(captured, …)))` instead of \
            `initializer(…)`"
)]
pub trait CapturelessAction: Captureless {}

#[diagnostic::do_not_recommend]
impl<F: Captureless> CapturelessAction for F {}

/// The entry point of calls of `F`.
pub(crate) fn entry_point<F, A, R>() -> EntryPoint
where
    F: FnOnce(A) -> R + Captureless,
    A: OwnedValue,
    R: OwnedValue,
{
    |argument, result| {
        let open = parcel::is_open();
        let argument: A = receive(argument)?;
        laps::decoded();
        let mut value = attachments::outside(|| Nothing::<F>::AS_TASK.into_value()(argument));
        laps::returned();
        if open {
            value = match Parcel::pack(value) {
                Ok(parcel) => {
                    parcel::leave(parcel);
                    return Ok(());
                }
                Err(value) => value,
            };
        }
        encode(&value, result)
    }
}

/// The entry point of a function that takes nothing and gives nothing.
pub(crate) fn entry_point_of_action<F: FnOnce() + CapturelessAction>() -> EntryPoint {
    |_, _| {
        Nothing::<F>::AS_INITIALIZER.into_value()();
        Ok(())
    }
}

/// What an `F` is made of that captures nothing. There is one only where that was checked, when it was
/// compiled.
struct Nothing<F>(PhantomData<F>);

impl<F: Captureless> Nothing<F> {
    const AS_TASK: Self = {
        assert!(
            size_of::<F>() == 0,
            "this is a closure that captures variables, or a function pointer, so it cannot be called in \
             another process. What a closure captures, pass as the argument: `delayed(|(captured, x)| …, \
             (captured, x))` or `delayed!(function(captured, x))`. Instead of a function pointer, a value of \
             type `fn(…)`, pass the function itself, by its name"
        );
        Self(PhantomData)
    };

    const AS_INITIALIZER: Self = {
        assert!(
            size_of::<F>() == 0,
            "this initializer is a closure that captures variables, or a function pointer, so it cannot be \
             called in another process. What a closure captures, pass as arguments: \
             `initializer_with(delayed!(function(captured, …)))`. Instead of a function pointer, a value of \
             type `fn()`, pass the function itself, by its name"
        );
        Self(PhantomData)
    };

    /// A function of which somebody handed in a value, and that captures nothing.
    fn into_value(self) -> F {
        // SAFETY: `F` has no bytes to read (asserted where this came from), so an aligned pointer to it is a
        // valid one. A value of it exists: entry points are made only where one was handed in, in this
        // process or in the one that sent the name. It is `Copy`, so one more is no stronger than a copy of
        // that one, and `Send + 'static`, so it may be used here and now.
        unsafe { NonNull::<F>::dangling().read() }
    }
}
