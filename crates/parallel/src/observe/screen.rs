//! Standard error, if it is a terminal: the bars on it, which all calls of this program share, and what is
//! printed above them.

#[cfg(feature = "progress")]
mod shared {
    use std::cell::Cell;
    use std::io::{self, IsTerminal};
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::OnceLock;

    use console::{Term, is_dumb};
    use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};
    use parking_lot::Mutex;

    /// Two that draw on the same terminal would draw over each other.
    static BARS: OnceLock<Option<MultiProgress>> = OnceLock::new();

    /// So often in a second they are drawn at most, as is usual.
    const RATE: u8 = 20;

    thread_local! {
        /// Whether this thread prints something above the bars.
        static ABOVE: Cell<bool> = const { Cell::new(false) };
    }

    /// Where bars are drawn; `None` if there is no terminal.
    pub(in crate::observe) fn bars() -> Option<MultiProgress> {
        let begin = || {
            // A terminal that says it is dumb cannot move the cursor.
            (io::stderr().is_terminal() && !is_dumb()).then(|| {
                let screen = Screen(Mutex::new(Term::buffered_stderr()));
                let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen), RATE);
                MultiProgress::with_draw_target(target)
            })
        };
        BARS.get_or_init(begin).clone()
    }

    /// Takes the bars from the screen, if there are any, while `f` prints something.
    pub(in crate::observe) fn above_bars<R>(f: impl FnOnce() -> R) -> R {
        match BARS.get() {
            Some(Some(bars)) if !ABOVE.replace(true) => {
                // A panic must not come out of `suspend`, whose lock it would poison: whatever uses the bars then ends the
                // program.
                let result = bars.suspend(|| catch_unwind(AssertUnwindSafe(f)));
                ABOVE.set(false);
                result.unwrap_or_else(|panic| resume_unwind(panic))
            }
            // They are off the screen already, and their lock is this thread's.
            _ => f(),
        }
    }

    /// A terminal that may go while the program stays. Indicatif panics, with a lock, if it cannot print.
    #[derive(Debug)]
    struct Screen(Mutex<Term>);

    // All but `flush` writes into a buffer.
    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.0.lock().size().1
        }

        fn height(&self) -> u16 {
            self.0.lock().size().0
        }

        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            self.0.lock().move_cursor_up(n)
        }

        fn move_cursor_down(&self, n: usize) -> io::Result<()> {
            self.0.lock().move_cursor_down(n)
        }

        fn move_cursor_right(&self, n: usize) -> io::Result<()> {
            self.0.lock().move_cursor_right(n)
        }

        fn move_cursor_left(&self, n: usize) -> io::Result<()> {
            self.0.lock().move_cursor_left(n)
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.0.lock().write_line(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().write_str(text)
        }

        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().clear_line()
        }

        /// Whether anybody sees it changes nothing.
        fn flush(&self) -> io::Result<()> {
            let mut term = self.0.lock();
            if term.flush().is_err() {
                // The buffer keeps what could not be printed, and would grow.
                *term = Term::buffered_stderr();
            }
            Ok(())
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
