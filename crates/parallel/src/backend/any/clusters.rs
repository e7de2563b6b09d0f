//! Clusters, by the engine's name and where it is: `dask`, `dask://host:8786`, `dask=tls://host:8786`.

use super::Place;
use crate::backend::Dask;
use crate::error::BackendError;
use crate::jobs::cpu_share;

/// The cluster of this name; `None` if it is not the name of one.
pub(super) fn named(name: &str) -> Option<Result<Place, BackendError>> {
    let place = name.strip_prefix("dask")?;
    Some(match address(place, "tcp")? {
        None => Dask::local(cpu_share()).map(Place::Dask),
        Some(Ok(address)) => Dask::connect(address).map(Place::Dask),
        Some(Err(Wrong)) => Err(BackendError::new(format!(
            "{name:?} has no address of a cluster: write dask://host:8786, dask=tcp://host:8786 or \
             dask=tls://host:8786, or only dask for workers on this machine"
        ))),
    })
}

struct Wrong;

/// The address that follows an engine's name, if any; `None` if it is another name.
fn address(place: &str, scheme: &str) -> Option<Option<Result<String, Wrong>>> {
    if place.is_empty() {
        return Some(None);
    }
    let address = match place.strip_prefix('=') {
        Some(address) => address.to_owned(),
        None => format!("{scheme}://{}", place.strip_prefix("://")?),
    };
    let host = address.split_once("://").map(|(_, host)| host);
    let right = host.is_some_and(|host| !host.is_empty());
    Some(Some(if right { Ok(address) } else { Err(Wrong) }))
}
