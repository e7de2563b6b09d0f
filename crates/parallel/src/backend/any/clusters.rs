//! Clusters, by the engine's name and where it is: `dask`, `dask://host:8786`, `dask=tls://host:8786`, and as
//! much for `ray`.

use super::Place;
use crate::backend::{Dask, Ray};
use crate::error::BackendError;
use crate::jobs::cpu_share;

/// The cluster of this name; `None` if it is not the name of one.
pub(super) fn named(name: &str) -> Option<Result<Place, BackendError>> {
    let (engine, place) = ["dask", "ray"]
        .into_iter()
        .find_map(|engine| Some((engine, name.strip_prefix(engine)?)))?;
    let address = address(engine, place)?;
    Some(match (engine, address) {
        ("dask", Where::Here) => Dask::local(cpu_share()).map(Place::Dask),
        ("dask", Where::At(address)) => Dask::connect(address).map(Place::Dask),
        (_, Where::Here) => Ray::local(cpu_share()).map(Place::Ray),
        (_, Where::At(address)) => Ray::connect(address).map(Place::Ray),
        (_, Where::Nowhere) => Err(BackendError::new(format!(
            "{name:?} has no address of a cluster: write dask://host:8786 or dask=tls://host:8786, \
             ray://host:10001 or ray=host:6379, or only dask or ray for one on this machine"
        ))),
    })
}

enum Where {
    Here,
    At(String),
    Nowhere,
}

/// What follows an engine's name; `None` if that is the beginning of another name.
fn address(engine: &str, place: &str) -> Option<Where> {
    if place.is_empty() {
        return Some(Where::Here);
    }
    let scheme = if engine == "dask" { "tcp" } else { "ray" };
    let address = match place.strip_prefix('=') {
        Some(address) => address.to_owned(),
        None => format!("{scheme}://{}", place.strip_prefix("://")?),
    };
    let host = address.rsplit("://").next().unwrap_or_default();
    Some(if host.is_empty() {
        Where::Nowhere
    } else {
        Where::At(address)
    })
}
