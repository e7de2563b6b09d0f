//! A Dask scheduler and its workers.

use crate::program::{Program, words};

/// A scheduler and workers, on free ports of the loopback device.
///
/// # Panics
///
/// Its functions panic when something cannot be started, with what it printed.
pub struct DaskCluster {
    // Workers first: they would complain of a scheduler that has gone.
    workers: Vec<Program>,
    scheduler: Program,
    address: String,
    options: Vec<String>,
    threads: usize,
}

impl DaskCluster {
    /// A scheduler and two workers with one thread each.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(2, 1, &[])
    }

    /// A scheduler and so many workers, each with so many threads; `options` go to both, as `--tls-ca-file`
    /// does.
    #[must_use]
    pub fn start_with(workers: usize, threads: usize, options: &[&str]) -> Self {
        let mut arguments = words("scheduler --host 127.0.0.1 --port 0 --no-dashboard");
        arguments.extend(options.iter().map(Into::into));
        let dask = crate::command("dask");
        let scheduler = Program::start("the scheduler", dask, arguments, &[]);
        let address = scheduler.wait_for(|line| {
            let (_, address) = line.split_once("Scheduler at:")?;
            Some(address.trim().to_owned())
        });
        let mut cluster = Self {
            workers: Vec::new(),
            scheduler,
            address,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            threads,
        };
        // Together, as each needs a second to import what it needs.
        for _ in 0..workers {
            cluster.begin_worker();
        }
        cluster.workers.iter().for_each(wait_until_registered);
        cluster
    }

    /// Where the scheduler listens, as `tcp://127.0.0.1:8786`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(&self) -> &Program {
        &self.scheduler
    }

    /// The workers. The process itself is a nanny, which starts a new worker when the one it has ends.
    #[must_use]
    pub fn workers(&self) -> &[Program] {
        &self.workers
    }

    /// One worker more; its number.
    pub fn add_worker(&mut self) -> usize {
        self.begin_worker();
        let number = self.workers.len() - 1;
        wait_until_registered(&self.workers[number]);
        number
    }

    /// Ends a worker as a power cut does, with all that runs there. Those after it move up by one.
    pub fn remove_worker(&mut self, number: usize) {
        drop(self.workers.remove(number));
    }

    fn begin_worker(&mut self) {
        let fixed = "--host 127.0.0.1 --no-dashboard --memory-limit 0";
        let mut arguments = words("worker");
        arguments.push(self.address.clone().into());
        arguments.extend(words(&format!("--nthreads {}", self.threads)));
        arguments.extend(words(fixed));
        arguments.extend(self.options.iter().map(Into::into));
        let dask = crate::command("dask");
        self.workers
            .push(Program::start("a worker", dask, arguments, &[]));
    }
}

fn wait_until_registered(worker: &Program) {
    worker.wait_for(|line| line.contains("Registered to:").then_some(()));
}
