//! Vectors whose encoding is their memory: copied as a whole, where serde would walk them.
//!
//! The bytes are the same either way, so this is nothing that the two sides must agree on.

use std::any::{Any, TypeId};

use bytemuck::Pod;

use super::value::Appender;

/// Appends the value to `out` if it is such a vector; whether it was.
pub(super) fn encode<V: 'static>(value: &V, out: &mut Vec<u8>) -> bool {
    let value: &dyn Any = value;
    let memory = slice::<u8>(value)
        .or_else(|| slice::<f32>(value))
        .or_else(|| slice::<f64>(value));
    let Some((len, bytes)) = memory else {
        return false;
    };
    let before = out.len();
    if postcard::serialize_with_flavor(&len, Appender(out)).is_err() {
        out.truncate(before);
        return false;
    }
    out.extend_from_slice(bytes);
    true
}

/// A value of all of `bytes`, if it is to be such a vector and they are one.
pub(super) fn decode<V: 'static>(bytes: &[u8]) -> Option<V> {
    vector::<u8, V>(bytes)
        .or_else(|| vector::<f32, V>(bytes))
        .or_else(|| vector::<f64, V>(bytes))
}

/// Numbers are encoded with their low bytes first.
const IN_MEMORY_AS_ENCODED: bool = cfg!(target_endian = "little");

fn slice<E: Pod>(value: &dyn Any) -> Option<(usize, &[u8])> {
    let vector = value
        .downcast_ref::<Vec<E>>()
        .filter(|_| IN_MEMORY_AS_ENCODED)?;
    Some((vector.len(), bytemuck::cast_slice(vector)))
}

fn vector<E: Pod, V: 'static>(bytes: &[u8]) -> Option<V> {
    if TypeId::of::<V>() != TypeId::of::<Vec<E>>() || !IN_MEMORY_AS_ENCODED {
        return None;
    }
    let (len, elements) = postcard::take_from_bytes::<usize>(bytes).ok()?;
    if len.checked_mul(size_of::<E>()) != Some(elements.len()) {
        return None;
    }
    let vector: Vec<E> = bytemuck::pod_collect_to_vec(elements);
    let vector: Box<dyn Any> = Box::new(vector);
    vector.downcast().ok().map(|vector| *vector)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::{Serialize, de::DeserializeOwned};

    fn plain<V: Serialize>(value: &V) -> Vec<u8> {
        let mut bytes = Vec::new();
        postcard::serialize_with_flavor(value, Appender(&mut bytes)).unwrap();
        bytes
    }

    /// The bytes are those that serde would have written, and make the same value.
    fn check<V: Serialize + DeserializeOwned + 'static>(value: &V) {
        let mut bytes = b"before".to_vec();
        assert!(encode(value, &mut bytes));
        assert_eq!(&bytes[6..], plain(value));
        let back: V = decode(&bytes[6..]).unwrap();
        // By their bytes: a number may be none.
        assert_eq!(plain(&back), plain(value));
        assert!(decode::<V>(&bytes[6..bytes.len() - 1]).is_none());
        bytes.push(0);
        assert!(decode::<V>(&bytes[6..]).is_none());
    }

    proptest! {
        #[test]
        fn the_encoding_is_the_same(
            bytes: Vec<u8>,
            singles in prop::collection::vec(any::<f32>(), 0..40),
            doubles in prop::collection::vec(any::<f64>(), 0..40),
        ) {
            check(&bytes);
            check(&singles);
            check(&doubles);
        }
    }

    #[test]
    fn other_values_are_left_alone() {
        let mut bytes = Vec::new();
        assert!(!encode(&vec![1u16], &mut bytes));
        assert!(!encode(&7u8, &mut bytes));
        assert!(bytes.is_empty());
        assert!(decode::<Vec<u16>>(&[0]).is_none());
    }
}
