//! The options of worker processes: each is a method of [`Processes`].

use std::str::FromStr;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::spec::Spec;
use crate::backend::{Output, Processes};
use crate::error::BackendError;

/// Sets an option to a value; the error says what a value is.
type Set = fn(Processes, &str) -> Result<Processes, &'static str>;

/// In the order in which they are told.
const OPTIONS: [(&str, Set); 9] = [
    ("timeout", |p, v| duration(v).map(|time| p.timeout(time))),
    ("retries", |p, v| number(v).map(|times| p.retries(times))),
    ("retry_panics", |p, v| yes(v).map(|yes| p.retry_panics(yes))),
    ("max_tasks_per_worker", |p, v| {
        number(v).map(|tasks| p.max_tasks_per_worker(tasks))
    }),
    ("memory_limit", |p, v| bytes(v).map(|n| p.memory_limit(n))),
    ("idle_timeout", |p, v| {
        duration(v).map(|time| p.idle_timeout(time))
    }),
    ("threads_per_worker", |p, v| {
        number(v).map(|threads| p.threads_per_worker(threads))
    }),
    ("output", |p, v| output(v).map(|output| p.output(output))),
    ("tracing", |p, v| level(v).map(|level| p.tracing(level))),
];

/// Before the name of an environment variable.
const ENV: &str = "env.";

pub(super) fn make(spec: &Spec<'_>) -> Result<Processes, BackendError> {
    let mut processes = Processes::new();
    for (option, value) in spec.options() {
        if let Some(variable) = option.strip_prefix(ENV).filter(|name| !name.is_empty()) {
            processes = processes.env(variable, value);
            continue;
        }
        let known = OPTIONS.iter().find(|(name, _)| *name == option);
        let (_, set) = known.ok_or_else(|| unknown(spec.name(), option))?;
        processes = set(processes, value).map_err(|wanted| {
            BackendError::new(format!(
                "the option {option} of the backend {} cannot be {value:?}: give it {wanted}",
                spec.name()
            ))
        })?;
    }
    Ok(processes)
}

fn unknown(backend: &str, option: &str) -> BackendError {
    let known: Vec<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
    let known = known.join(", ");
    BackendError::new(format!(
        "the backend {backend} has no option {option:?}: it has {known}, {ENV}NAME"
    ))
}

fn duration(value: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(value)
        .map_err(|_| "a time with its unit, as 5s, 1.5s, 200ms, 1m or 1h")
}

fn number<N: FromStr>(value: &str) -> Result<N, &'static str> {
    value.parse().map_err(|_| "a number, 0 or more")
}

fn yes(value: &str) -> Result<bool, &'static str> {
    value.parse().map_err(|_| "true or false")
}

/// 1K is 1024 bytes, as the system's tools have it.
fn bytes(value: &str) -> Result<usize, &'static str> {
    let bytes = parse_size::Config::new().with_binary().parse_size(value);
    let bytes = bytes.ok().and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or("a number of bytes, as 1000000, 512K, 512M, 512MiB or 1.5G")
}

fn level(value: &str) -> Result<LevelFilter, &'static str> {
    value
        .parse()
        .map_err(|_| "off, error, warn, info, debug or trace")
}

fn output(value: &str) -> Result<Output, &'static str> {
    match value {
        "inherit" => Ok(Output::Inherit),
        "null" => Ok(Output::Null),
        "lines" => Ok(Output::Lines),
        _ => Err("inherit, null or lines"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("5s", 5_000),
            ("200ms", 200),
            ("1m", 60_000),
            ("1h", 3_600_000),
            ("1.5s", 1_500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "-1s", "s", "5x", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_may_have_units_of_1024() {
        for (text, size) in [
            ("1000000", 1_000_000),
            ("512K", 512 << 10),
            ("512KiB", 512 << 10),
            ("3M", 3 << 20),
            ("3MiB", 3 << 20),
            ("1G", 1 << 30),
            ("1.5GiB", 3 << 29),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "M", "-1", "5X", "99999999999999999999G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
