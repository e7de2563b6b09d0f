//! How an array goes to another process.
//!
//! In a session (see [`attachments`]) what is written of it is the name of its object and which part
//! is meant; whoever carries the value carries the object. Small arrays, and all of them elsewhere, are
//! written with their elements.

use std::fmt;
use std::marker::PhantomData;

use bytemuck::Pod;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Shared;
use super::span::Span;
use crate::wire::attachments::{self, Id};

/// What is written of an array.
#[derive(Serialize, Deserialize)]
#[serde(
    rename = "Shared",
    bound(serialize = "B: Serialize", deserialize = "B: Deserialize<'de>")
)]
enum Form<B> {
    /// Its elements.
    Elements(B),
    /// So many elements of an object, from this byte on.
    Part { id: Id, start: u64, len: u64 },
}

/// Elements, written as bytes.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<T: Pod + Send + Sync> Serialize for Shared<[T]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return Err(S::Error::custom(
                "a `Shared` array is written in binary formats only: for this one serialize its elements, \
                 `&shared[..]`, and collect them to read them back",
            ));
        }
        let Some((object, start)) = self.0.object() else {
            return self.elements().serialize(serializer);
        };
        let goes_along = object.check().and_then(|()| attachments::attach(object));
        let goes_along = goes_along.map_err(|why| {
            attachments::refuse(&why);
            S::Error::custom(why)
        })?;
        if !goes_along {
            return self.elements().serialize(serializer);
        }
        let part = Form::<Bytes<'_>>::Part {
            id: object.id(),
            start: start as u64,
            len: self.len() as u64,
        };
        part.serialize(serializer)
    }
}

impl<T: Pod + Send + Sync> Shared<[T]> {
    fn elements(&self) -> Form<Bytes<'_>> {
        Form::Elements(Bytes(bytemuck::cast_slice(self)))
    }
}

impl<'de, T: Pod + Send + Sync> Deserialize<'de> for Shared<[T]> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refused = |why: String| {
            let why = format!("a `Shared` array could not be received: {why}");
            attachments::refuse(&why);
            D::Error::custom(why)
        };
        match Form::<Gathered<T>>::deserialize(deserializer)? {
            Form::Elements(gathered) => Ok(Self::from(gathered.0)),
            Form::Part { id, start, len } => {
                let object = attachments::resolve(id).map_err(refused)?;
                let there = object.bytes().len();
                let part = usize::try_from(start)
                    .ok()
                    .zip(usize::try_from(len).ok())
                    .and_then(|(start, len)| Span::of_object(object, start, len));
                part.map(Self).ok_or_else(|| {
                    refused(format!(
                        "{len} elements from byte {start} on are not within its {there} bytes"
                    ))
                })
            }
        }
    }
}

/// Elements, read from bytes.
struct Gathered<T>(Vec<T>);

impl<'de, T: Pod> Deserialize<'de> for Gathered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(FromBytes(PhantomData))
    }
}

struct FromBytes<T>(PhantomData<T>);

impl<'de, T: Pod> Visitor<'de> for FromBytes<T> {
    type Value = Gathered<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes of elements of {} bytes each", size_of::<T>())
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Gathered<T>, E> {
        // No division by zero: elements have a size.
        if bytes.len().is_multiple_of(size_of::<T>()) {
            Ok(Gathered(bytemuck::pod_collect_to_vec(bytes)))
        } else {
            Err(E::invalid_length(bytes.len(), &self))
        }
    }

    /// For formats that do not tell bytes from a sequence of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Gathered<T>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}
