//! Functions that travel: how a call is named and written so that another process of the same
//! executable can make it.

pub(crate) mod attachments;
mod bulk;
pub(crate) mod frame;
mod identity;
pub(crate) mod inbox;
pub(crate) mod laps;
pub(crate) mod parcel;
mod strict;
mod value;

pub use identity::EntryPoint;
pub(crate) use identity::{Captureless, CapturelessAction, entry_point, entry_point_of_action};
pub use parcel::{Contents, Parcel};
pub(crate) use value::{OwnedValue, decode, encode, receive};
