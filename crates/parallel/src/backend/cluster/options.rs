//! What can be set for the worker processes of a cluster: the same for each engine.

/// The methods of a backend that has a field `cluster`.
macro_rules! worker_options {
    ($backend:ident) => {
        impl $backend {
            /// How long a task may run, from its own start: see
            /// [`Processes::timeout`](crate::Processes::timeout). Its process on the node is killed.
            #[must_use]
            pub fn timeout(mut self, limit: std::time::Duration) -> Self {
                self.cluster.setup.timeout = Some(limit);
                self
            }

            /// How often a task is started again whose worker process died, that ran for too long or wanted too much memory; see
            /// [`Processes::retries`](crate::Processes::retries). By default not at all.
            ///
            /// What the cluster loses, with a node or with one of its own workers, runs again all the same, so
            /// that a task may run more than once. With `retries(0)`, said explicitly, it does not: it ends
            /// with [`Failure::Lost`](crate::Failure::Lost).
            #[must_use]
            pub fn retries(mut self, times: u32) -> Self {
                self.cluster.setup.retries = Some(times);
                self
            }

            /// Whether [`retries`](Self::retries) is for panics too; see
            /// [`Processes::retry_panics`](crate::Processes::retry_panics).
            #[must_use]
            pub fn retry_panics(mut self, yes: bool) -> Self {
                self.cluster.setup.retry_panics = yes;
                self
            }

            /// After how many tasks a worker process is replaced by a new one; see
            /// [`Processes::max_tasks_per_worker`](crate::Processes::max_tasks_per_worker).
            #[must_use]
            pub fn max_tasks_per_worker(mut self, tasks: u64) -> Self {
                self.cluster.setup.max_tasks_per_worker = Some(tasks.max(1));
                self
            }

            /// How many bytes of memory a worker process may have; see
            /// [`Processes::memory_limit`](crate::Processes::memory_limit).
            #[must_use]
            pub fn memory_limit(mut self, bytes: usize) -> Self {
                self.cluster.setup.memory_limit = Some(bytes as u64);
                self
            }

            /// How many threads libraries in a worker process shall use that bring threads of their own; see
            /// [`Processes::threads_per_worker`](crate::Processes::threads_per_worker).
            #[must_use]
            pub fn threads_per_worker(mut self, threads: usize) -> Self {
                self.cluster.setup.threads_per_worker = Some(threads.max(1) as u64);
                self
            }

            /// Sets an environment variable for the worker processes; see
            /// [`Processes::env`](crate::Processes::env). They have none of this program's otherwise, but
            /// those of the cluster's workers.
            #[must_use]
            pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.cluster.setup.env.push((name.into(), value.into()));
                self
            }

            /// What becomes of that which tasks print; see
            /// [`Processes::output`](crate::Processes::output). By default it goes where the cluster's own
            /// workers print.
            #[must_use]
            pub fn output(mut self, output: crate::Output) -> Self {
                self.cluster.setup.output = output.into();
                self
            }

            /// What each worker process does once, before its first task; see
            /// [`Processes::initializer`](crate::Processes::initializer).
            #[must_use]
            pub fn initializer<F>(mut self, _: F) -> Self
            where
                F: FnOnce() + crate::wire::CapturelessAction,
            {
                self.cluster
                    .begin_with(crate::backend::processes::Initializer::of_action::<F>());
                self
            }

            /// [`initializer`](Self::initializer) with arguments, which go to each node once; see
            /// [`Processes::initializer_with`](crate::Processes::initializer_with).
            #[must_use]
            pub fn initializer_with<T: crate::Portable<Output = ()>>(mut self, task: T) -> Self {
                self.cluster
                    .begin_with(crate::backend::processes::Initializer::of_task(task));
                self
            }

            /// Ships this file to the nodes, and not the one that runs here: one without debugging
            /// information, say. It must hold the same code at the same addresses.
            #[must_use]
            pub fn worker_exe(mut self, path: impl Into<std::path::PathBuf>) -> Self {
                self.cluster.ship_instead(path.into());
                self
            }

            /// How many tasks the cluster can run at a time, as far as is known: what `Parallel::new(-1)`
            /// means there.
            #[must_use]
            pub fn slots(&self) -> usize {
                self.cluster.slots()
            }
        }

        impl<T: crate::Portable> crate::Backend<T> for $backend
        where
            T::Output: Send + 'static,
        {
            fn drive(
                &self,
                lanes: usize,
                work: &crate::Work<'_, T>,
            ) -> Result<(), crate::BackendError> {
                self.cluster.drive(lanes, work)
            }

            fn batch_time(&self) -> std::time::Duration {
                self.cluster.batch_time()
            }

            fn slots(&self) -> Option<usize> {
                Some(self.cluster.slots())
            }
        }
    };
}

pub(super) use worker_options;
