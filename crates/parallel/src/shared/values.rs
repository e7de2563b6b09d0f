//! What an array has in common with a slice, and with an `Arc` of one.

use std::any::type_name;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::slice::Iter;

use bytemuck::Pod;

use super::{Elements, Shared};

impl<S: ?Sized + Elements> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Pod + Send + Sync> Deref for Shared<[T]> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        self.0.elements()
    }
}

impl<T: Pod + Send + Sync> AsRef<[T]> for Shared<[T]> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: Pod + Send + Sync> Borrow<[T]> for Shared<[T]> {
    fn borrow(&self) -> &[T] {
        self
    }
}

impl<'a, T: Pod + Send + Sync> IntoIterator for &'a Shared<[T]> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T: Pod + Send + Sync> Default for Shared<[T]> {
    fn default() -> Self {
        Self::of_vec(Vec::new())
    }
}

/// What it is, and not what is in it: an array has a million elements or more.
impl<T: Pod + Send + Sync> fmt::Debug for Shared<[T]> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared<[{}; {}]>", type_name::<T>(), self.len())
    }
}

impl<T: Pod + Send + Sync + PartialEq> PartialEq for Shared<[T]> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Pod + Send + Sync + Eq> Eq for Shared<[T]> {}

macro_rules! equals {
    ($([$($generics:tt)*] $other:ty,)*) => { $(
        impl<T: Pod + Send + Sync + PartialEq, $($generics)*> PartialEq<$other> for Shared<[T]> {
            fn eq(&self, other: &$other) -> bool {
                **self == other[..]
            }
        }

        impl<T: Pod + Send + Sync + PartialEq, $($generics)*> PartialEq<Shared<[T]>> for $other {
            fn eq(&self, other: &Shared<[T]>) -> bool {
                self[..] == **other
            }
        }
    )* };
}

equals! {
    [] [T],
    [] &[T],
    [] Vec<T>,
    [const N: usize] [T; N],
}

impl<T: Pod + Send + Sync + PartialOrd> PartialOrd for Shared<[T]> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: Pod + Send + Sync + Ord> Ord for Shared<[T]> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: Pod + Send + Sync + Hash> Hash for Shared<[T]> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
