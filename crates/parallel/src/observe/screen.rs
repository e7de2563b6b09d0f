//! Standard error, if it is a terminal: the bars on it, which all calls of this program share, and what is
//! printed above them.

#[cfg(feature = "progress")]
mod shared {
    use std::io::{self, IsTerminal};
    use std::sync::OnceLock;

    use indicatif::{MultiProgress, ProgressDrawTarget};

    /// Two that draw on the same terminal would draw over each other.
    static BARS: OnceLock<Option<MultiProgress>> = OnceLock::new();

    /// Where bars are drawn; `None` if there is no terminal.
    pub(in crate::observe) fn bars() -> Option<MultiProgress> {
        let begin = || {
            // A terminal that says it is dumb cannot move the cursor.
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            (io::stderr().is_terminal() && !dumb)
                .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
        };
        BARS.get_or_init(begin).clone()
    }

    /// Takes the bars from the screen, if there are any, while `f` prints something.
    pub(in crate::observe) fn above_bars<R>(f: impl FnOnce() -> R) -> R {
        match BARS.get() {
            Some(Some(bars)) => bars.suspend(f),
            _ => f(),
        }
    }
}

#[cfg(feature = "progress")]
pub(super) use self::shared::{above_bars, bars};

/// There are none.
#[cfg(not(feature = "progress"))]
pub(super) fn above_bars<R>(f: impl FnOnce() -> R) -> R {
    f()
}
