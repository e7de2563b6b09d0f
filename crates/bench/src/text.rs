//! Figures as a reader wants them.

use std::fmt::Write;

use crate::case::Unit;
use crate::figures::{Figures, Held, Verdict};

/// With three digits and a fitting unit.
pub(crate) fn amount(value: f64, unit: Unit) -> String {
    let steps: &[(f64, &str)] = match unit {
        Unit::Seconds => &[(1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s")],
        Unit::Bytes => &[
            (1.0, "B"),
            (1024.0, "KiB"),
            (1048576.0, "MiB"),
            (1073741824.0, "GiB"),
        ],
        Unit::Instructions => &[(1.0, "instructions")],
    };
    let fits = |&&(size, _): &&(f64, &str)| value >= size;
    let &(size, name) = steps.iter().rev().find(fits).unwrap_or(&steps[0]);
    format!("{} {name}", digits(value / size))
}

/// Three digits, as far as there are places after the point.
pub(crate) fn digits(value: f64) -> String {
    let places = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}

/// What should be, and what is.
pub(crate) fn verdict(verdict: &Verdict, unit: Unit) -> (String, String) {
    match &verdict.against {
        Some(against) => (
            format!("≤ {} × {against}", digits(verdict.limit)),
            format!("{} ×", digits(verdict.measured)),
        ),
        None => (
            format!("≤ {}", amount(verdict.limit, unit)),
            amount(verdict.measured, unit),
        ),
    }
}

/// Whether it is so.
pub(crate) fn held(verdict: &Verdict) -> &'static str {
    match verdict.held() {
        Held::Yes => "yes",
        Held::Within => "within noise",
        Held::No => "**no**",
    }
}

/// A case as lines for a terminal.
pub(crate) fn table(figures: &Figures) -> String {
    let mut text = format!("\n{} [{}]\n", figures.title, figures.name);
    for peer in &figures.peers {
        let median = peer.median();
        let (low, high) = peer.quartiles();
        let ratio = figures.ratio(&peer.name, &figures.peers[0].name);
        let _ = writeln!(
            text,
            "  {:<32} {:>12}  {:>12} … {:<12} {:>7} ×  {} rounds",
            peer.name,
            amount(median, figures.unit),
            amount(low, figures.unit),
            amount(high, figures.unit),
            digits(ratio.unwrap_or(f64::NAN)),
            peer.rounds.len(),
        );
    }
    for missing in &figures.missing {
        let _ = writeln!(text, "  missing: {missing}");
    }
    for each in &figures.verdicts {
        let (aim, measured) = verdict(each, figures.unit);
        let _ = writeln!(text, "  {:<12} {} {aim}: {measured}", held(each), each.who);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits() {
        let seconds = |value| amount(value, Unit::Seconds);
        assert_eq!(seconds(1.234e-9), "1.23 ns");
        assert_eq!(seconds(12.34e-6), "12.3 µs");
        assert_eq!(seconds(0.1234), "123 ms");
        assert_eq!(seconds(4e-11), "0.04 ns");
        assert_eq!(amount(3145728.0, Unit::Bytes), "3.00 MiB");
        assert_eq!(amount(25.0, Unit::Instructions), "25.0 instructions");
    }
}
