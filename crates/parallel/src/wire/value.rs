//! Values as bytes: serde with postcard, and errors that name the type and the way out.

use std::any::type_name;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::parcel::{self, Parcel};
use super::strict::{self, Checked};
use super::{attachments, bulk};
use crate::error::Failure;

/// A value that can travel to another process and back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel to another process",
    label = "neither an argument nor a result of a task that runs in another process",
    note = "an argument and a result must be owned (no references: pass a clone, or `.to_owned()`), and \
            serializable: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait OwnedValue: Serialize + for<'any> NotBorrowed<'any> + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<V: Serialize + for<'any> NotBorrowed<'any> + Send + 'static> OwnedValue for V {}

/// Serde's `Deserialize`, by a name that says what is wrong: of a `&str`, which serde reads only from bytes that
/// stay, the compiler says no more than that its implementation of this trait "is not general enough".
pub trait NotBorrowed<'any>: Deserialize<'any> {}

#[diagnostic::do_not_recommend]
impl<'any, V: Deserialize<'any>> NotBorrowed<'any> for V {}

/// Appends `value` to `out`.
#[inline]
pub(crate) fn encode<V: Serialize + 'static>(value: &V, out: &mut Vec<u8>) -> Result<(), Failure> {
    if bulk::encode(value, out) {
        return Ok(());
    }
    let encoded = postcard::serialize_with_flavor(&Checked::whole(value), Appender(out));
    encoded.map_err(|error| cannot_encode(type_name::<V>(), error))
}

#[cold]
fn cannot_encode(type_name: &str, error: postcard::Error) -> Failure {
    // A type may have been refused by one of its parts, and have written another one instead.
    let said = strict::said().filter(|_| error == postcard::Error::SerdeSerCustom);
    let refusal = attachments::refusal().or(said);
    Failure::Encode {
        type_name: type_name.to_owned(),
        message: refusal.unwrap_or_else(|| explain(error)),
    }
}

/// Makes a value of all of `bytes`, or of what lies beside them.
#[inline]
pub(crate) fn receive<V: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<V, Failure> {
    match parcel::take().filter(|_| bytes.is_empty()) {
        None => decode(bytes),
        Some(parcel) => unpack(parcel),
    }
}

#[inline(never)]
fn unpack<V: 'static>(parcel: Parcel) -> Result<V, Failure> {
    parcel.unpack().ok_or_else(|| Failure::Decode {
        type_name: type_name::<V>().to_owned(),
        message: "numbers came that it is not made of".to_owned(),
    })
}

/// Makes a value of all of `bytes`.
#[inline]
pub(crate) fn decode<V: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<V, Failure> {
    if let Some(value) = bulk::decode(bytes) {
        return Ok(value);
    }
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(cannot_decode(type_name::<V>(), Ok(rest.len()))),
        Err(error) => Err(cannot_decode(type_name::<V>(), Err(error))),
    }
}

/// So many bytes were left over, or it came to this error.
#[cold]
fn cannot_decode(type_name: &str, left_over: Result<usize, postcard::Error>) -> Failure {
    Failure::Decode {
        type_name: type_name.to_owned(),
        message: match left_over {
            Ok(bytes) => format!("{bytes} bytes are left over. {WAY_OUT}"),
            Err(error) => attachments::refusal().unwrap_or_else(|| explain(error)),
        },
    }
}

/// What to do where the format is at fault.
pub(super) const WAY_OUT: &str = "The format does not describe itself, so what `Serialize` writes `Deserialize` must read \
     back field by field: `#[serde(flatten)]`, `untagged`, `tag = …` and `skip_serializing_if` cannot do \
     that. Pass a type without them, or a `String` of JSON";

fn explain(error: postcard::Error) -> String {
    use postcard::Error::{SerdeDeCustom, SerdeSerCustom};
    match error {
        SerdeSerCustom | SerdeDeCustom => {
            format!("its own serde implementation refused. {WAY_OUT}")
        }
        error => format!("{error}. {WAY_OUT}"),
    }
}

/// Where postcard writes: behind what the vector already holds.
pub(super) struct Appender<'a>(pub(super) &'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Appender<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_the_journey() {
        let mut bytes = b"before".to_vec();
        encode(&("Pizza".to_owned(), Some(3.5f64)), &mut bytes).unwrap();
        let back: (String, Option<f64>) = decode(&bytes[6..]).unwrap();
        assert_eq!(back, ("Pizza".to_owned(), Some(3.5)));
    }

    #[derive(Serialize, Deserialize, Debug)]
    struct Asymmetric {
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<u8>,
        seats: u8,
    }

    #[test]
    fn what_the_format_cannot_do_is_an_error_that_names_the_type() {
        // What is left out at any depth would be read as something else.
        let value = |note| vec![Some(Asymmetric { note, seats: 4 })];
        let error = encode(&value(None), &mut Vec::new()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("Asymmetric"), "{error}");
        assert!(error.contains("the field `note` is left out"), "{error}");
        assert!(error.ends_with(WAY_OUT), "{error}");
        assert!(encode(&value(Some(1)), &mut Vec::new()).is_ok());
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Skipping {
        #[serde(skip)]
        cache: u32,
        seats: u8,
    }

    #[test]
    fn a_field_that_neither_side_has_is_no_trouble() {
        let (value, mut bytes) = (Skipping { cache: 7, seats: 4 }, Vec::new());
        encode(&value, &mut bytes).unwrap();
        let back: Skipping = decode(&bytes).unwrap();
        assert_eq!(back, Skipping { cache: 0, seats: 4 });
    }

    #[test]
    fn what_a_type_says_as_it_refuses_is_told() {
        struct Shy;
        impl Serialize for Shy {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("not in public"))
            }
        }
        let error = encode(&Some(Shy), &mut Vec::new()).unwrap_err();
        // It knows better than we what to do.
        assert!(error.to_string().ends_with(": not in public"), "{error}");
    }

    #[test]
    fn what_was_said_and_did_not_matter_is_not_told() {
        struct Bold;
        impl Serialize for Bold {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                let _: S::Error = serde::ser::Error::custom("not in public");
                out.serialize_seq(None).map(drop)?;
                unreachable!("the format wants to know how long it is");
            }
        }
        let error = encode(&Bold, &mut Vec::new()).unwrap_err().to_string();
        assert!(!error.contains("not in public"), "{error}");
        assert!(error.ends_with(WAY_OUT), "{error}");
    }

    /// A list whose end takes no stack to drop.
    #[derive(Serialize, serde::Deserialize)]
    struct List(Option<Box<List>>);

    impl List {
        fn of(len: usize) -> Self {
            (0..len).fold(Self(None), |list, _| Self(Some(Box::new(list))))
        }
    }

    impl Drop for List {
        fn drop(&mut self) {
            while let Some(mut next) = self.0.take() {
                self.0 = next.0.take();
            }
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_an_error_and_what_is_not_can_be_read_back() {
        let mut bytes = Vec::new();
        encode(&List::of(499), &mut bytes).unwrap();
        let list: List = decode(&bytes).unwrap();
        drop(list);
        for len in [500, 1_000_000] {
            let error = encode(&List::of(len), &mut Vec::new()).unwrap_err();
            assert!(error.to_string().contains("Pass it flat"), "{error}");
        }
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let error = decode::<u8>(&[1, 2, 3]).unwrap_err().to_string();
        assert!(error.contains("2 bytes are left over"), "{error}");
    }
}
