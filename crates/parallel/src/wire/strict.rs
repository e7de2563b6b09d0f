//! Refuses what the format would get wrong without noticing.
//!
//! `#[serde(skip_serializing_if = …)]` leaves a field out, and whoever reads it back takes the next bytes
//! for it: mostly that is an error, at times it is another value. serde's derive tells the serializer that
//! it leaves a field out, so it can be refused here. What a type's own implementation says as it refuses,
//! which postcard forgets, is kept as well.
//!
//! What is nested without end, such as a list of boxes, would overflow the stack, which ends the program. So
//! there is a limit, which is the writer's: the reader's stack may be the smaller one.

use std::cell::RefCell;
use std::fmt::{self, Display};

use serde::ser::{self, Error as _, Serialize, Serializer};

use super::value::WAY_OUT;

thread_local! {
    /// What was said last by one who refused.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What was said by one who refused, since this was asked last.
pub(super) fn said() -> Option<String> {
    SAID.take()
}

/// Values are nested no deeper. Reading takes most where nothing is optimized: a level of a tree or a list
/// took 0.4 to 1 KiB of stack there, and a thread of Rust has 2 MiB.
const DEEPEST: usize = 1000;

/// What is said of a value that is nested deeper.
const TOO_DEEP: &str = "it is nested more than 1000 levels deep, and whoever reads that may run out of \
     stack. Pass it flat: a list as a `Vec`, a tree as a `Vec` of nodes that name each other by their place in it";

/// A serializer that passes on to another one all but what it refuses.
pub(super) struct Strict<S> {
    inner: S,
    depth: usize,
}

impl<S> Strict<S> {
    /// What lies within that which is written here.
    #[inline]
    fn part<'a, T: ?Sized>(&self, value: &'a T) -> Checked<'a, T> {
        Checked {
            value,
            depth: self.depth + 1,
        }
    }
}

/// A value whose parts go through [`Strict`].
pub(super) struct Checked<'a, T: ?Sized> {
    value: &'a T,
    depth: usize,
}

impl<'a, T: ?Sized> Checked<'a, T> {
    /// A value that is part of no other.
    pub(super) fn whole(value: &'a T) -> Self {
        Self { value, depth: 0 }
    }
}

impl<T: Serialize + ?Sized> Serialize for Checked<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.depth > DEEPEST {
            return Err(too_deep());
        }
        let strict = Strict {
            inner: serializer,
            depth: self.depth,
        };
        self.value.serialize(strict).map_err(|error| error.0)
    }
}

#[cold]
fn too_deep<E: ser::Error>() -> E {
    Noted::custom(TOO_DEEP).0
}

/// The other one's error, whose text is kept.
#[derive(Debug)]
pub(super) struct Noted<E>(E);

impl<E: ser::Error> ser::Error for Noted<E> {
    fn custom<M: Display>(message: M) -> Self {
        let message = message.to_string();
        let error = E::custom(&message);
        SAID.set(Some(message));
        Self(error)
    }
}

impl<E: ser::Error> ser::StdError for Noted<E> {}

impl<E: Display> Display for Noted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn left_out<E: ser::Error>(field: &str) -> Noted<E> {
    Noted::custom(format_args!(
        "the field `{field}` is left out by `skip_serializing_if`. {WAY_OUT}"
    ))
}

/// What has parts at this depth.
fn within<S, E>(inner: Result<S, E>, depth: usize) -> Result<Strict<S>, Noted<E>> {
    inner.map(|inner| Strict { inner, depth }).map_err(Noted)
}

macro_rules! plain {
    ($($method:ident: $type:ty,)*) => { $(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, Self::Error> {
            self.inner.$method(value).map_err(Noted)
        }
    )* };
}

impl<S: Serializer> Serializer for Strict<S> {
    type Ok = S::Ok;
    type Error = Noted<S::Error>;
    type SerializeSeq = Strict<S::SerializeSeq>;
    type SerializeTuple = Strict<S::SerializeTuple>;
    type SerializeTupleStruct = Strict<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Strict<S::SerializeTupleVariant>;
    type SerializeMap = Strict<S::SerializeMap>;
    type SerializeStruct = Strict<S::SerializeStruct>;
    type SerializeStructVariant = Strict<S::SerializeStructVariant>;

    plain! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
    }

    fn serialize_none(self) -> Result<S::Ok, Self::Error> {
        self.inner.serialize_none().map_err(Noted)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, Self::Error> {
        let part = self.part(value);
        self.inner.serialize_some(&part).map_err(Noted)
    }

    fn serialize_unit(self) -> Result<S::Ok, Self::Error> {
        self.inner.serialize_unit().map_err(Noted)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, Self::Error> {
        self.inner.serialize_unit_struct(name).map_err(Noted)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, Self::Error> {
        let unit = self.inner.serialize_unit_variant(name, index, variant);
        unit.map_err(Noted)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, Self::Error> {
        let part = self.part(value);
        let inner = self.inner.serialize_newtype_struct(name, &part);
        inner.map_err(Noted)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, Self::Error> {
        let part = self.part(value);
        let inner = self
            .inner
            .serialize_newtype_variant(name, index, variant, &part);
        inner.map_err(Noted)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, Self::Error> {
        let depth = self.depth;
        within(self.inner.serialize_seq(len), depth)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, Self::Error> {
        let depth = self.depth;
        within(self.inner.serialize_tuple(len), depth)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        let depth = self.depth;
        within(self.inner.serialize_tuple_struct(name, len), depth)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, Self::Error> {
        let depth = self.depth;
        within(
            self.inner
                .serialize_tuple_variant(name, index, variant, len),
            depth,
        )
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        let depth = self.depth;
        within(self.inner.serialize_map(len), depth)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, Self::Error> {
        let depth = self.depth;
        within(self.inner.serialize_struct(name, len), depth)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, Self::Error> {
        let depth = self.depth;
        within(
            self.inner
                .serialize_struct_variant(name, index, variant, len),
            depth,
        )
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! elements {
    ($($kind:ident: $method:ident,)*) => { $(
        impl<S: ser::$kind> ser::$kind for Strict<S> {
            type Ok = S::Ok;
            type Error = Noted<S::Error>;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
                let part = self.part(value);
                self.inner.$method(&part).map_err(Noted)
            }

            fn end(self) -> Result<S::Ok, Self::Error> {
                self.inner.end().map_err(Noted)
            }
        }
    )* };
}

elements! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! fields {
    ($($kind:ident)*) => { $(
        impl<S: ser::$kind> ser::$kind for Strict<S> {
            type Ok = S::Ok;
            type Error = Noted<S::Error>;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Self::Error> {
                let part = self.part(value);
                self.inner.serialize_field(key, &part).map_err(Noted)
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), Self::Error> {
                Err(left_out(key))
            }

            fn end(self) -> Result<S::Ok, Self::Error> {
                self.inner.end().map_err(Noted)
            }
        }
    )* };
}

fields! { SerializeStruct SerializeStructVariant }

impl<S: ser::SerializeMap> ser::SerializeMap for Strict<S> {
    type Ok = S::Ok;
    type Error = Noted<S::Error>;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Self::Error> {
        let part = self.part(key);
        self.inner.serialize_key(&part).map_err(Noted)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        let part = self.part(value);
        self.inner.serialize_value(&part).map_err(Noted)
    }

    fn end(self) -> Result<S::Ok, Self::Error> {
        self.inner.end().map_err(Noted)
    }
}
