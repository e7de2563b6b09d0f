//! What is played on clusters, in a process of its own: see [`stage`](crate::stage).
//!
//! It is asked by lines of words, `ready WORDS`, then `round WORDS` and at last `drop WORDS`, and answers each by a
//! figure, or by `error` and why.
//!
//! | words | a figure is |
//! |---|---|
//! | `ENGINE tasks N MICROS` | the seconds a task of one call of so many that last so long |
//! | `ENGINE first` | the seconds from nothing to the first result of a new connection; with `node`, as programs on a node connect |
//! | `ENGINE memory N` | by how many bytes the Python process grows in so many tasks |
//! | `ENGINE python CLASS NUMBER…` | what that one says |

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use cluster_harness::{DaskCluster, RayCluster, RayOptions};
use parallel::{AnyBackend, Dask, Parallel, Ray, delayed};

use crate::case::{JOBS, Round};
use crate::python::Python;
use crate::tasks::each;

/// Answers until there are no more questions.
pub(crate) fn play(python: &Path) -> Result<(), String> {
    let stage = Stage {
        python: Python::at(python),
        dask: OnceCell::new(),
        ray: OnceCell::new(),
    };
    let mut rounds: HashMap<String, Round> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let (what, words) = line.split_once(' ').unwrap_or((&line, ""));
        // What cannot be started says so by a panic, with all that it printed.
        let figure = catch_unwind(AssertUnwindSafe(|| match what {
            "ready" => {
                let round = stage.round(words)?;
                rounds.insert(words.to_owned(), round);
                Ok(0.0)
            }
            "round" => {
                let round = rounds.get_mut(words).ok_or("it is not ready")?;
                Ok::<f64, String>(round())
            }
            "drop" => {
                rounds.remove(words);
                Ok(0.0)
            }
            _ => Err("it does not know what is asked".to_owned()),
        }));
        if what == "end" {
            break;
        }
        match figure {
            Ok(Ok(figure)) => println!("{figure}"),
            Ok(Err(why)) => println!("error {}", why.replace('\n', " ")),
            Err(_) => println!("error it panicked; its standard error says why"),
        }
        let _ = std::io::stdout().flush();
    }
    Ok(())
}

/// The clusters, each of which begins when it is needed first.
struct Stage {
    python: Python,
    dask: OnceCell<(Dask, DaskCluster)>,
    ray: OnceCell<(Ray, RayCluster)>,
}

impl Stage {
    fn round(&self, words: &str) -> Result<Round, String> {
        let words: Vec<&str> = words.split(' ').collect();
        let [engine, what, rest @ ..] = &words[..] else {
            return Err("too few words".to_owned());
        };
        let number = |at: usize| -> u64 {
            let word = rest.get(at).and_then(|word| word.parse().ok());
            word.unwrap_or_default()
        };
        let place = match *engine {
            "dask" => self.dask()?,
            _ => self.ray()?,
        };
        Ok(match *what {
            "tasks" => {
                let (n, micros) = (number(0), number(1));
                let parallel = Parallel::new(-1).backend(place.backend);
                Box::new(move || {
                    each(n, || {
                        parallel
                            .run((0..n).map(|i| delayed(nap, (i, micros))))
                            .unwrap()
                    })
                })
            }
            "first" => {
                let address = match rest {
                    ["node"] => place.address,
                    _ => place.client_address,
                };
                let name = format!("{engine}={address}");
                Box::new(move || {
                    let start = Instant::now();
                    let backend = AnyBackend::named(&name).unwrap();
                    let parallel = Parallel::new(1).backend(backend);
                    parallel.map(|i: u64| i + 1, 0..1).unwrap();
                    start.elapsed().as_secs_f64()
                })
            }
            "memory" => {
                let n = number(0);
                let parallel = Parallel::new(-1).backend(place.backend);
                Box::new(move || {
                    let run = |n| parallel.run((0..n).map(|i| delayed(nap, (i, 0)))).map(drop);
                    run(n / 10).unwrap();
                    let before = resident(place.bridge);
                    run(n).unwrap();
                    resident(place.bridge) - before
                })
            }
            "python" => {
                let [class, numbers @ ..] = rest else {
                    return Err("too few words".to_owned());
                };
                let numbers: Vec<f64> = numbers.iter().filter_map(|it| it.parse().ok()).collect();
                let environment = [
                    ("CLUSTER", place.address),
                    ("CLUSTER_FOR_CLIENTS", place.client_address),
                    ("SLOTS", JOBS.to_string()),
                ];
                self.python.env(&environment).start(class, &numbers)?
            }
            _ => return Err(format!("it does not know {what}")),
        })
    }

    fn dask(&self) -> Result<Place, String> {
        if self.dask.get().is_none() {
            let cluster = DaskCluster::start_with(JOBS, 1, &[]);
            let dask = Dask::connect(cluster.address()).map_err(|error| error.to_string())?;
            let _ = self.dask.set((dask, cluster));
        }
        let (dask, cluster) = self.dask.get().expect("it was set");
        Ok(Place {
            bridge: bridge_of(&format!("{dask:?}")),
            backend: dask.clone().into(),
            address: cluster.address().to_owned(),
            client_address: cluster.address().to_owned(),
        })
    }

    fn ray(&self) -> Result<Place, String> {
        if self.ray.get().is_none() {
            let cluster = RayCluster::start_with(RayOptions {
                cpus: Some(1),
                ..RayOptions::default()
            });
            let ray = Ray::connect(cluster.address()).map_err(|error| error.to_string())?;
            let _ = self.ray.set((ray, cluster));
        }
        let (ray, cluster) = self.ray.get().expect("it was set");
        Ok(Place {
            bridge: bridge_of(&format!("{ray:?}")),
            backend: ray.clone().into(),
            address: cluster.inner_address(),
            client_address: cluster.address(),
        })
    }
}

/// A cluster that runs.
struct Place {
    backend: AnyBackend,
    /// For who is on a node of it.
    address: String,
    /// For who is elsewhere.
    client_address: String,
    /// The Python process of the backend.
    bridge: u32,
}

/// A task that does nothing for so long. It sleeps: clusters have processors enough for their schedulers, and here
/// tasks that compute would have none left for those.
fn nap((i, micros): (u64, u64)) -> u64 {
    if micros > 0 {
        std::thread::sleep(Duration::from_micros(micros));
    }
    i
}

fn bridge_of(told: &str) -> u32 {
    let pid = told.split_once("pid: ").and_then(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    });
    pid.expect("the backend tells of its bridge")
}

/// What a process has in memory.
fn resident(pid: u32) -> f64 {
    crate::probe::bytes(&format!("/proc/{pid}/status"), "VmRSS").unwrap_or(f64::NAN)
}
