//! Tests only: see `tests/browser`.
