//! A part of an array, and who keeps the array.
//!
//! The promise of the `unsafe` here: a span points into memory that its keeper keeps, in one place and
//! unchanged, as long as the span is there. So to read an element costs no more than with a slice.
#![allow(unsafe_code)]

use std::any::Any;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use bytemuck::{Pod, PodCastError};

use super::object::Object;

#[derive(Clone)]
enum Keeper {
    /// A vector, which nobody changes any more.
    Heap {
        _vector: Arc<dyn Any + Send + Sync>,
    },
    Object(Arc<Object>),
}

pub(super) struct Span<T> {
    start: NonNull<T>,
    len: usize,
    keeper: Keeper,
}

// SAFETY: it is a `&[T]` into memory that nobody writes to, and an `Arc` of what may be sent and shared.
unsafe impl<T: Send + Sync> Send for Span<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Span<T> {}

impl<T: Pod + Send + Sync> Span<T> {
    pub(super) fn of_vec(elements: Vec<T>) -> Self {
        let elements = Arc::new(elements);
        // A vector's elements stay where they are when its handle is moved.
        let keeper = Keeper::Heap {
            _vector: Arc::clone(&elements) as _,
        };
        Self::new(&elements, keeper)
    }

    /// So many elements of an object, from this byte on; `None` if it does not have them, or not there.
    pub(super) fn of_object(object: Arc<Object>, start: usize, len: usize) -> Option<Self> {
        let end = len.checked_mul(size_of::<T>())?.checked_add(start)?;
        let bytes = object.bytes().get(start..end)?;
        let elements = bytemuck::try_cast_slice(bytes).ok()?;
        Some(Self::new(elements, Keeper::Object(Arc::clone(&object))))
    }

    /// `elements` must be the keeper's.
    fn new(elements: &[T], keeper: Keeper) -> Self {
        Self {
            start: NonNull::from(elements).cast(),
            len: elements.len(),
            keeper,
        }
    }

    /// A part of it. Panics if it is none.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        Self::new(&self.elements()[range], self.keeper.clone())
    }

    /// The same memory as elements of another type.
    pub(super) fn cast<U: Pod + Send + Sync>(&self) -> Result<Span<U>, PodCastError> {
        let elements = bytemuck::try_cast_slice(self.elements())?;
        Ok(Span::new(elements, self.keeper.clone()))
    }

    /// The object, and from which byte on it is meant.
    pub(super) fn object(&self) -> Option<(&Arc<Object>, usize)> {
        match &self.keeper {
            Keeper::Heap { .. } => None,
            Keeper::Object(object) => {
                let start = self.start.addr().get() - object.bytes().as_ptr().addr();
                Some((object, start))
            }
        }
    }
}

impl<T> Span<T> {
    pub(super) fn elements(&self) -> &[T] {
        // SAFETY: `new` was given a slice of this start and length, of memory that the keeper keeps
        // unchanged; it does so as long as `self` is there.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> Clone for Span<T> {
    fn clone(&self) -> Self {
        Self {
            start: self.start,
            len: self.len,
            keeper: self.keeper.clone(),
        }
    }
}
