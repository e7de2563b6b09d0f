//! Large vectors of numbers, which travel as they are in memory: from the vector of one process into that
//! of the other, and nowhere in between.
//!
//! ```text
//!   sender                                    receiver
//!   its vector ──► ring ─────────────────────► a parcel, which becomes its vector
//!   no payload ──► ring ──► argument, result   entry point or `Portable::decode`: takes the parcel
//! ```
//!
//! A call has bytes for its argument and its result. What goes beside them is laid down for the thread
//! that makes the call, by [`exchange`], and is gone when it returns.

use std::any::Any;
use std::cell::Cell;

/// Vectors with fewer bytes are encoded with the rest: they are copied before one process hears from the
/// other.
const LARGE: usize = 1 << 16;

/// The memory of a large vector of numbers.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    pub(crate) bytes: &'a [u8],
    /// The size of a number, in bytes.
    pub(crate) width: usize,
}

impl Contents<'_> {
    /// Whether so many bytes of numbers of this width can take the place of these, and make good use of the
    /// memory: who keeps a result shall not keep much more than that.
    pub(crate) fn can_become(&self, bytes: usize, width: u64) -> bool {
        let rest = self.bytes.len().checked_sub(bytes);
        self.width as u64 == width && rest.is_some_and(|rest| rest <= bytes / 8)
    }
}

/// A vector of numbers whose type is known by its width only.
#[doc(hidden)]
#[derive(Debug)]
pub enum Parcel {
    Bytes(Vec<u8>),
    Pairs(Vec<u16>),
    Fours(Vec<u32>),
    Eights(Vec<u64>),
}

/// Does the same to the vector of a parcel, whatever it holds.
macro_rules! with_vector {
    ($parcel:expr, $vector:ident => $do:expr) => {
        match $parcel {
            Parcel::Bytes($vector) => $do,
            Parcel::Pairs($vector) => $do,
            Parcel::Fours($vector) => $do,
            Parcel::Eights($vector) => $do,
        }
    };
}

impl Parcel {
    /// An empty one for numbers of this width, if there are such.
    pub(crate) fn of_width(width: u64) -> Option<Self> {
        Some(match width {
            1 => Self::Bytes(Vec::new()),
            2 => Self::Pairs(Vec::new()),
            4 => Self::Fours(Vec::new()),
            8 => Self::Eights(Vec::new()),
            _ => return None,
        })
    }

    pub(crate) fn contents(&self) -> Contents<'_> {
        with_vector!(self, vector => Contents {
            bytes: bytemuck::cast_slice(vector),
            width: width_of(vector),
        })
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        with_vector!(self, vector => bytemuck::cast_slice_mut(vector))
    }

    /// How many bytes it has room for.
    pub(crate) fn capacity(&self) -> usize {
        with_vector!(self, vector => vector.capacity() * width_of(vector))
    }

    /// Where its memory begins.
    pub(crate) fn start(&self) -> *const u8 {
        with_vector!(self, vector => vector.as_ptr().cast())
    }

    /// Makes room for so many bytes in all, which are a number of whole numbers.
    pub(crate) fn reserve_exact(&mut self, bytes: usize) {
        with_vector!(self, vector => {
            let more = bytes.div_ceil(width_of(vector)).saturating_sub(vector.len());
            vector.reserve_exact(more);
        });
    }

    /// Has it hold so many bytes, and the rest of the last number; new ones are 0.
    pub(crate) fn resize(&mut self, bytes: usize) {
        with_vector!(self, vector => vector.resize(bytes.div_ceil(width_of(vector)), 0));
    }
}

fn width_of<E>(_: &[E]) -> usize {
    size_of::<E>()
}

/// For each type of number the parcel that can be a vector of it.
macro_rules! numbers {
    ($($number:ty => $parcel:ident,)*) => {
        /// The memory of `value` if it is a large vector of numbers.
        pub(crate) fn contents<V: 'static>(value: &V) -> Option<Contents<'_>> {
            let value: &dyn Any = value;
            $(if let Some(vector) = value.downcast_ref::<Vec<$number>>() {
                let contents = Contents { bytes: bytemuck::cast_slice(vector), width: size_of::<$number>() };
                return (contents.bytes.len() >= LARGE).then_some(contents);
            })*
            None
        }

        impl Parcel {
            /// Makes one of a large vector of numbers, and gives back anything else.
            pub(crate) fn pack<V: 'static>(mut value: V) -> Result<Self, V> {
                Self::take_from(&mut value).ok_or(value)
            }

            /// Makes one of a large vector of numbers, and leaves an empty vector in its place.
            pub(crate) fn take_from<V: 'static>(value: &mut V) -> Option<Self> {
                contents(value)?;
                let value: &mut dyn Any = value;
                $(if let Some(vector) = value.downcast_mut::<Vec<$number>>() {
                    return Some(Self::$parcel(bytemuck::cast_vec(std::mem::take(vector))));
                })*
                None
            }

            /// The vector that it is, if it can be this one.
            pub(crate) fn unpack<V: 'static>(self) -> Option<V> {
                let vector: Box<dyn Any> = match self {
                    $(Self::$parcel(vector) if is::<V, Vec<$number>>() => {
                        Box::new(bytemuck::cast_vec::<_, $number>(vector))
                    })*
                    _ => return None,
                };
                vector.downcast().ok().map(|vector| *vector)
            }
        }
    };
}

numbers! {
    u8 => Bytes,
    i8 => Bytes,
    u16 => Pairs,
    i16 => Pairs,
    u32 => Fours,
    i32 => Fours,
    f32 => Fours,
    u64 => Eights,
    i64 => Eights,
    f64 => Eights,
}

fn is<V: 'static, W: 'static>() -> bool {
    std::any::TypeId::of::<V>() == std::any::TypeId::of::<W>()
}

thread_local! {
    /// Whether the call that is about to begin may leave its result as a parcel.
    static OPEN: Cell<bool> = const { Cell::new(false) };
    /// Whether anything lies beside the bytes of a call. It costs less to ask than the parcel itself.
    static ANY: Cell<bool> = const { Cell::new(false) };
    /// What lies there.
    static PARCEL: Cell<Option<Parcel>> = const { Cell::new(None) };
}

/// Makes a call that finds `parcel`, if there is one, beside its bytes, and may leave one there if `open`.
#[inline]
pub(crate) fn exchange<R>(parcel: &mut Option<Parcel>, open: bool, call: impl FnOnce() -> R) -> R {
    OPEN.with(|it| it.set(open));
    if let Some(parcel) = parcel.take() {
        leave(parcel);
    }
    let result = call();
    OPEN.with(|it| it.set(false));
    if ANY.get() {
        *parcel = take();
    }
    result
}

/// In a call, first thing: whether it may leave its result as a parcel. Calls that are made by what it calls
/// may not.
#[inline]
pub(super) fn is_open() -> bool {
    OPEN.replace(false)
}

/// What lies beside the bytes.
#[inline]
pub(crate) fn take() -> Option<Parcel> {
    if ANY.replace(false) {
        PARCEL.take()
    } else {
        None
    }
}

/// Lays something down beside the bytes of a result.
pub(super) fn leave(parcel: Parcel) {
    ANY.set(true);
    PARCEL.set(Some(parcel));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<V: PartialEq + Clone + std::fmt::Debug + 'static>(value: V) {
        let copy = value.clone();
        let packed = Parcel::pack(value).unwrap();
        let mut other = Parcel::of_width(packed.contents().width as u64).unwrap();
        other.resize(packed.contents().bytes.len());
        other.bytes_mut().copy_from_slice(packed.contents().bytes);
        assert_eq!(packed.unpack::<V>().as_ref(), Some(&copy));
        assert_eq!(other.unpack::<V>(), Some(copy));
    }

    #[test]
    fn large_vectors_of_numbers_come_back() {
        there_and_back(vec![-7i8; LARGE]);
        there_and_back((0..=u16::MAX).collect::<Vec<u16>>());
        there_and_back(vec![1.5f32; LARGE]);
        there_and_back(vec![f64::MAX; LARGE]);
        there_and_back(vec![i64::MIN; LARGE / 8]);
    }

    #[test]
    fn what_else_there_is_is_left_alone() {
        assert_eq!(
            Parcel::pack(vec![1u8; LARGE - 1]).unwrap_err().len(),
            LARGE - 1
        );
        assert!(Parcel::pack((vec![1u8; LARGE],)).is_err());
        assert!(Parcel::pack(vec![true; LARGE]).is_err());
        let other_width = Parcel::pack(vec![1u8; LARGE]).unwrap();
        assert!(other_width.unpack::<Vec<u16>>().is_none());
        let numbers = Parcel::pack(vec![1u32; LARGE]).unwrap();
        assert!(numbers.unpack::<String>().is_none());
        assert!(Parcel::of_width(3).is_none());
    }

    #[test]
    fn nothing_is_left_lying_about() {
        let mut parcel = Parcel::pack(vec![1u8; LARGE]).ok();
        let open = exchange(&mut parcel, true, || {
            assert!(take().is_some());
            let open = is_open();
            assert!(!is_open());
            open
        });
        assert!(open && parcel.is_none());
        parcel = Parcel::pack(vec![1u8; LARGE]).ok();
        exchange(&mut parcel, false, || ());
        assert!(parcel.is_some() && take().is_none());
    }
}
