//! An element of a trace, as the trace-event format has it.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// One event of the format. What each field is called, and which an event must have, is up to the
/// format: <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.
#[derive(Debug, Serialize)]
pub(super) struct Record<'a> {
    pub(super) name: &'a str,
    #[serde(rename = "cat", skip_serializing_if = "str::is_empty")]
    pub(super) category: &'static str,
    #[serde(rename = "ph")]
    pub(super) phase: Phase,
    #[serde(rename = "ts", serialize_with = "microseconds")]
    pub(super) time: u64,
    #[serde(
        rename = "dur",
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe"
    )]
    pub(super) duration: Option<u64>,
    /// A group of rows.
    pub(super) pid: usize,
    /// A row.
    pub(super) tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) args: Value,
}

/// What kind of event.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) enum Phase {
    /// A block, from its beginning to its end.
    #[serde(rename = "X")]
    Complete,
    #[serde(rename = "i")]
    Instant,
    #[serde(rename = "C")]
    Counter,
    /// What a row or a group of them is called.
    #[serde(rename = "M")]
    Metadata,
    /// The beginning of something that may overlap others.
    #[serde(rename = "b")]
    AsyncBegin,
    #[serde(rename = "e")]
    AsyncEnd,
}

fn microseconds<S: Serializer>(nanoseconds: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(*nanoseconds as f64 / 1000.0)
}

fn maybe<S: Serializer>(nanoseconds: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    microseconds(&nanoseconds.unwrap_or_default(), to)
}
