//! What somebody who waits for a call sees of it.

use std::sync::Arc;

use super::Parallel;
#[cfg(feature = "progress")]
use crate::observe::Progress;
use crate::observe::{Observer, Verbose};

impl<B> Parallel<B> {
    /// Has lines printed on how far a call is: joblib's `verbose`.
    ///
    /// ```text
    /// [Parallel(n_jobs=3)]: Done 10 out of 100 | elapsed: 1.2s remaining: 10.8s
    /// [Parallel(n_jobs=3)]: Done 100 out of 100, 2 failed | elapsed: 12.0s finished
    /// ```
    ///
    /// With 0 there are none. The higher the level the more there are, and the longer a call goes on the
    /// further they are apart, as in joblib's [`_verbosity_filter`]: at level 1 there is a line after 1,
    /// 50, 200 and 450 tasks, at level 10 after 1, 2, 5 and 8. Above 10 there is one for each task. They
    /// go to standard error, from level 50 on to standard output.
    ///
    /// A call that ends with tasks left says `stopped` instead of `finished`. One of a single task, as each
    /// [`submit`](Self::submit) is, has a line above level 10 only.
    ///
    /// ```
    /// use parallel::{Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2).verbose(10);
    /// assert_eq!(parallel.run((0..100u64).map(|i| delayed(|i| i * i, i)))?.len(), 100);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    ///
    /// [`_verbosity_filter`]: https://github.com/joblib/joblib/blob/main/joblib/parallel.py
    #[must_use]
    pub fn verbose(mut self, level: u32) -> Self {
        let verbose = (level > 0).then(|| Arc::new(Verbose::new(level)) as Arc<dyn Observer>);
        self.observers.set("verbose", verbose);
        self
    }

    /// Shows a bar on standard error, or no longer.
    ///
    /// See [`Progress`] for what it shows. Needs the feature `progress`, which is a default one.
    ///
    /// ```
    /// use parallel::{Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2).progress(true);
    /// assert_eq!(parallel.run((0..100u64).map(|i| delayed(|i| i * i, i)))?.len(), 100);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[cfg(feature = "progress")]
    #[must_use]
    pub fn progress(mut self, shown: bool) -> Self {
        let progress = shown.then(|| Arc::new(Progress::new()) as Arc<dyn Observer>);
        self.observers.set("progress", progress);
        self
    }
}
