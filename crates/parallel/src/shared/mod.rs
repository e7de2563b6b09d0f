//! Large arrays that tasks have in common.
//!
//! | file | what it is |
//! |---|---|
//! | [`span`] | a part of an array, and who keeps the array |
//! | [`object`] | memory that several processes have as one |
//! | [`making`] | how an array gets there |
//! | [`file`] | arrays from files |
//! | [`travel`] | how one goes to another process |
//! | [`values`] | what it has in common with a slice |
//! | [`shape`] | arrays of several dimensions, with the feature `ndarray` |

mod file;
mod making;
#[cfg(target_os = "linux")]
mod object;
#[cfg(not(target_os = "linux"))]
#[path = "no_object.rs"]
mod object;
#[cfg(feature = "ndarray")]
mod shape;
mod span;
#[cfg(all(test, not(loom)))]
mod tests;
mod travel;
mod values;

use std::ops::{Bound, RangeBounds};

use bytemuck::{Pod, PodCastError};

pub(crate) use self::object::{Forget, Object};
use self::span::Span;

/// An array that tasks have in common: made once, cloned for free, read by all.
///
/// On threads it is what `Arc<[T]>` is. In worker processes it is memory that all of them map: it is there
/// once, however many have it, and a task that is given one costs no more than one that is given a number.
/// It may be anywhere within an argument or a result. It goes with its last clone, and nothing is left of
/// it in any file system, whoever is killed.
///
/// The elements are numbers, or what is made of them: [`bytemuck::Pod`]. It is a slice in every other way,
/// as it derefs to one.
///
/// ```
/// use parallel::{Parallel, Processes, Shared, delayed};
///
/// let samples: Shared<[f64]> = (0..1_000_000).map(f64::from).collect();
///
/// fn sum(part: Shared<[f64]>) -> f64 {
///     part.iter().sum()
/// }
///
/// // Each task gets a view of a tenth of it; no element is copied.
/// let parallel = Parallel::new(2).backend(Processes::new());
/// let sums = parallel.run(samples.slices(100_000).map(|part| delayed(sum, part)))?;
/// assert_eq!(sums.iter().sum::<f64>(), 499_999_500_000.0);
/// # Ok::<(), parallel::Error>(())
/// ```
///
/// Up to 64 KiB are simply copied to a worker. So is what could not be put into memory to be shared, because
/// the system has no descriptor left for it: each larger array takes one in each process that has it.
///
/// With serde, in a binary format, it is the bytes of its elements, as they are in this machine's memory. A
/// format for people, like JSON, gets an error: serialize the slice `&shared[..]` instead.
pub struct Shared<S: ?Sized + Elements>(Span<S::Item>);

/// What a [`Shared`] can be of: a slice of [`bytemuck::Pod`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared with other processes",
    label = "not a slice of plain numbers, or of what is made of them",
    note = "the elements must be `bytemuck::Pod`, `Send` and `Sync`: numbers, arrays of them, or a struct with \
            `#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)] #[repr(C)]`; no pointers, and so no \
            `String` and no `Vec`"
)]
pub trait Elements: sealed::Sealed {
    /// What it is a slice of.
    type Item: Pod + Send + Sync;
}

#[diagnostic::do_not_recommend]
impl<T: Pod + Send + Sync> Elements for [T] {
    type Item = T;
}

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for [T] {}
}

impl<T: Pod + Send + Sync> Shared<[T]> {
    /// A view of a part of it, which is shared too, and keeps the whole.
    ///
    /// # Panics
    /// If the range is not within the array, as slicing does.
    ///
    /// ```
    /// use parallel::Shared;
    ///
    /// let dishes = Shared::from(vec![1, 2, 3, 4]);
    /// assert_eq!(dishes.slice(1..3), [2, 3]);
    /// assert_eq!(dishes.slice(..).slice(3..), [4]);
    /// ```
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        Self(self.0.part(start..end))
    }

    /// Views of so many elements each, one after the other, of which the last one may have fewer.
    ///
    /// # Panics
    /// If `len` is 0, as [`chunks`](slice::chunks) does.
    ///
    /// ```
    /// use parallel::Shared;
    ///
    /// let dishes = Shared::from(vec![1, 2, 3, 4, 5]);
    /// assert!(dishes.slices(2).map(|part| part.len()).eq([2, 2, 1]));
    /// ```
    pub fn slices(&self, len: usize) -> impl ExactSizeIterator<Item = Self> + Send + 'static {
        assert!(len > 0, "a view of no elements would be given for ever");
        let whole = self.clone();
        (0..self.len().div_ceil(len)).map(move |i| {
            let start = i * len;
            whole.slice(start..whole.len().min(start.saturating_add(len)))
        })
    }

    /// The same memory as elements of another type: a file of bytes as numbers, say.
    ///
    /// # Errors
    /// If the memory does not begin where such an element may be, or is no whole number of them.
    ///
    /// ```
    /// use parallel::Shared;
    ///
    /// let bytes = Shared::from(7u64.to_ne_bytes().repeat(20_000));
    /// assert_eq!(bytes.cast::<u64>().unwrap()[19_999], 7);
    /// assert!(bytes.slice(1..).cast::<u64>().is_err());
    /// ```
    pub fn cast<U: Pod + Send + Sync>(&self) -> Result<Shared<[U]>, PodCastError> {
        const {
            assert!(
                size_of::<U>() > 0,
                "elements without a size need not be shared"
            );
        }
        // Wherever none of them begins.
        if self.is_empty() {
            return Ok(Shared::default());
        }
        self.0.cast().map(Shared)
    }
}
