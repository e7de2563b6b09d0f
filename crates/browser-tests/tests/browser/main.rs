//! The page of a report as somebody sees it, in a real Chromium: `cargo xtask test-browser`.

mod chromium;
mod live;
mod pages;
mod tab;
