//! What is drawn of a call, in the form in which the page gets it: 32 bytes each.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A row takes so many bytes: 24 in base64, which is how the page gets them, so that nothing remains to be
/// converted when the call ends. They are when it began and how long it took, in seconds as `f64` and `f32`;
/// four bytes of which each kind of rows makes its own; the index of the task, as `u32`; its worker and what
/// is to be known besides, as `u16`. Little-endian.
pub(super) const ROW: usize = 32;

/// Rows beyond these are not drawn, so that a call that never ends does not fill the memory.
pub(super) const MOST_ROWS: usize = 1 << 22;

/// So many rows lie together, and travel together.
pub(super) const CHUNK: usize = 1 << 15;

/// So many different labels of parts are kept.
const MOST_LABELS: usize = 1 << 16;

pub(super) struct Row {
    pub(super) started: f64,
    pub(super) run: f32,
    pub(super) own: [u8; 4],
    pub(super) index: usize,
    pub(super) worker: usize,
    pub(super) flags: u16,
}

/// Rows, in chunks that are full but for the last one.
#[derive(Default)]
pub(super) struct Packed {
    pub(super) chunks: Vec<String>,
    pub(super) drawn: usize,
}

impl Packed {
    /// Whether there was room.
    pub(super) fn push(&mut self, row: &Row) -> bool {
        if self.drawn == MOST_ROWS {
            return false;
        }
        if self.drawn.is_multiple_of(CHUNK) {
            self.chunks.push(String::new());
        }
        let Some(chunk) = self.chunks.last_mut() else {
            return false;
        };
        let mut bytes = [0; ROW / 4 * 3];
        bytes[..8].copy_from_slice(&row.started.to_le_bytes());
        bytes[8..12].copy_from_slice(&row.run.to_le_bytes());
        bytes[12..16].copy_from_slice(&row.own);
        let index = u32::try_from(row.index).unwrap_or(u32::MAX);
        bytes[16..20].copy_from_slice(&index.to_le_bytes());
        let worker = u16::try_from(row.worker).unwrap_or(u16::MAX);
        bytes[20..22].copy_from_slice(&worker.to_le_bytes());
        bytes[22..].copy_from_slice(&row.flags.to_le_bytes());
        STANDARD.encode_string(bytes, chunk);
        self.drawn += 1;
        true
    }

    /// Those from this one on that lie together.
    pub(super) fn since(&self, from: usize) -> &str {
        let chunk = self.chunks.get(from / CHUNK).map_or("", String::as_str);
        chunk.get(from % CHUNK * ROW..).unwrap_or_default()
    }
}

/// Texts, of which each is kept once.
#[derive(Default)]
pub(super) struct Labels {
    pub(super) texts: Vec<String>,
    places: HashMap<String, u32>,
}

impl Labels {
    /// The place of a text among the others.
    pub(super) fn place(&mut self, label: String) -> u32 {
        if let Some(place) = self.places.get(&label) {
            return *place;
        }
        let place = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(label.clone());
        self.places.insert(label, place);
        place
    }

    /// The same, unless there are too many; none has then the place that is given.
    pub(super) fn place_if_few(&mut self, label: String) -> u32 {
        if self.texts.len() < MOST_LABELS || self.places.contains_key(&label) {
            self.place(label)
        } else {
            u32::MAX
        }
    }
}
