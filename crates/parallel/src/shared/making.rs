//! How an array gets into memory that can be shared.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use bytemuck::Pod;

use super::Shared;
use super::object::Object;
use super::span::Span;

/// No array up to this is worth a descriptor: to copy it takes 10 µs.
pub(super) const SMALL: usize = 1 << 16;

/// So many bytes of an input are gathered before they are moved on.
const GATHER: usize = 1 << 18;

/// A mapping begins where a page does.
const PAGE: usize = 4096;

impl<T: Pod + Send + Sync> Shared<[T]> {
    /// An array with these elements, which are copied once.
    ///
    /// ```
    /// use parallel::Shared;
    ///
    /// assert_eq!(Shared::new(&[1.5, 2.5]).len(), 2);
    /// ```
    #[must_use]
    pub fn new(elements: &[T]) -> Self {
        Self::in_object(elements).unwrap_or_else(|| Self::of_vec(elements.to_vec()))
    }

    /// An array in memory of this process alone.
    pub(super) fn of_vec(elements: Vec<T>) -> Self {
        const {
            assert!(
                size_of::<T>() > 0,
                "elements without a size need not be shared"
            );
        }
        Self(Span::of_vec(elements))
    }

    /// A whole object as an array.
    pub(super) fn of_object(object: Arc<Object>) -> Option<Self> {
        let len = object.bytes().len() / size_of::<T>();
        Span::of_object(object, 0, len).map(Self)
    }

    /// The elements in memory that can be shared, if they are many and the system has some.
    fn in_object(elements: &[T]) -> Option<Self> {
        if size_of_val(elements) <= SMALL || align_of::<T>() > PAGE {
            return None;
        }
        let mut filling = Object::blank(size_of_val(elements) as u64).ok()?;
        filling.write_all(bytemuck::cast_slice(elements)).ok()?;
        Self::of_object(Object::seal(filling).ok()?)
    }
}

impl<T: Pod + Send + Sync> From<Vec<T>> for Shared<[T]> {
    fn from(elements: Vec<T>) -> Self {
        Self::in_object(&elements).unwrap_or_else(|| Self::of_vec(elements))
    }
}

impl<T: Pod + Send + Sync> From<Box<[T]>> for Shared<[T]> {
    fn from(elements: Box<[T]>) -> Self {
        Self::from(elements.into_vec())
    }
}

impl<T: Pod + Send + Sync> From<&[T]> for Shared<[T]> {
    fn from(elements: &[T]) -> Self {
        Self::new(elements)
    }
}

impl<T: Pod + Send + Sync, const N: usize> From<[T; N]> for Shared<[T]> {
    fn from(elements: [T; N]) -> Self {
        Self::new(&elements)
    }
}

/// Elements are moved on as they come, so that a large array is never in memory twice.
impl<T: Pod + Send + Sync> FromIterator<T> for Shared<[T]> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut elements = elements.into_iter();
        let most = (GATHER / size_of::<T>().max(1)).max(1);
        let mut gathered: Vec<T> = elements.by_ref().take(most).collect();
        if gathered.len() < most || align_of::<T>() > PAGE {
            gathered.extend(elements);
            return Self::from(gathered);
        }
        let Ok(mut filling) = Object::blank(size_of_val(&*gathered) as u64) else {
            gathered.extend(elements);
            return Self::of_vec(gathered);
        };
        let mut written = 0;
        while !gathered.is_empty() {
            let bytes = (written + gathered.len()) * size_of::<T>();
            let fits = Object::fits(bytes as u64);
            if !fits || filling.write_all(bytemuck::cast_slice(&gathered)).is_err() {
                // Likely there is no memory left. What was written is not lost.
                let mut all = read_back(&mut filling, written).expect("it is in memory");
                all.extend(gathered);
                all.extend(elements);
                return Self::of_vec(all);
            }
            written += gathered.len();
            gathered.clear();
            gathered.extend(elements.by_ref().take(most));
        }
        let whole = filling.try_clone().and_then(Object::seal);
        whole.ok().and_then(Self::of_object).unwrap_or_else(|| {
            Self::of_vec(read_back(&mut filling, written).expect("it is in memory"))
        })
    }
}

/// The first so many elements of a file.
fn read_back<T: Pod>(file: &mut File, len: usize) -> io::Result<Vec<T>> {
    let mut elements = vec![T::zeroed(); len];
    file.rewind()?;
    file.read_exact(bytemuck::cast_slice_mut(&mut elements))?;
    Ok(elements)
}
