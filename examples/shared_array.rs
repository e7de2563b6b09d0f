//! Many workers compute over one large array, which is in memory once: each task looks in all of it for
//! the point that is nearest to a place. Run it with `cargo run --release --example shared_array`; a
//! number of MiB makes the array so large: `… --example shared_array 1024`.

use std::process;
use std::time::Instant;

use parallel::{Parallel, Processes, Shared, delayed};

/// A point's coordinates.
type Point = [f32; 4];

/// The number of the point that is nearest to a place, and the square of its distance.
fn nearest((points, place): (Shared<[Point]>, Point)) -> (usize, f32) {
    let distance = |point: &Point| -> f32 {
        let squares = point.iter().zip(place).map(|(a, b)| (a - b) * (a - b));
        squares.sum()
    };
    let distances = points.iter().map(distance).enumerate();
    distances
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .expect("there are points")
}

/// The middle of a part of the points.
fn middle(part: Shared<[Point]>) -> Point {
    let mut sum = [0f64; 4];
    for point in &part {
        sum.iter_mut()
            .zip(point)
            .for_each(|(s, x)| *s += f64::from(*x));
    }
    sum.map(|s| (s / part.len() as f64) as f32)
}

/// This process's memory in KiB: what it has of the array alone, and all that it has mapped of it.
fn memory() -> (u64, u64) {
    let map = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let (mut of_array, mut share, mut all) = (false, 0, 0);
    for line in map.lines() {
        let mut words = line.split_whitespace();
        match (
            words.next(),
            words.next().and_then(|n| n.parse::<u64>().ok()),
        ) {
            (Some("Pss:"), Some(kib)) if of_array => share += kib,
            (Some("Rss:"), Some(kib)) if of_array => all += kib,
            (Some(range), None) if range.contains('-') => {
                of_array = line.contains("memfd:parallel-shared");
            }
            _ => {}
        }
    }
    (share, all)
}

fn main() -> Result<(), parallel::Error> {
    let mib: usize = std::env::args()
        .nth(1)
        .map_or(16, |mib| mib.parse().expect("a number of MiB"));
    let count = (mib << 20) / size_of::<Point>();
    // Points that look as if they were anywhere.
    let coordinate = |n: usize| (n.wrapping_mul(0x9e37_79b9) % 65_536) as f32 / 65_536.0;
    let made = Instant::now();
    let points: Shared<[Point]> = (0..count)
        .map(|i| std::array::from_fn(|axis| coordinate(i * 7 + axis * i + axis)))
        .collect();
    println!("{points:?}, {mib} MiB, made in {:?}", made.elapsed());

    let parallel = Parallel::new(4).backend(Processes::new());
    // To each task goes the name of the array, and a place.
    let places = (0..16).map(|i| [i as f32 / 16.0; 4]);
    let tasks = places
        .clone()
        .map(|place| delayed(nearest, (points.clone(), place)));
    let start = Instant::now();
    let found = parallel.run(tasks)?;
    println!(
        "16 times the nearest point, by 4 workers: {:?}",
        start.elapsed()
    );
    for (place, (number, square)) in places.zip(&found).take(3) {
        println!(
            "  nearest to {:.3}: point {number}, {:.4} away",
            place[0],
            square.sqrt()
        );
    }
    let here = nearest((points.clone(), [0.25; 4]));
    assert_eq!(found[4], here, "who computes it does not matter");

    // What a call costs of which the tasks just look at the array.
    for call in ["first", "second", "third"] {
        let tasks = (0..100).map(|i| {
            delayed(
                |(p, i): (Shared<[Point]>, usize)| p[i][0],
                (points.clone(), i),
            )
        });
        let start = Instant::now();
        parallel.run(tasks)?;
        println!(
            "a call of 100 tasks that read one element, the {call}: {:?}",
            start.elapsed()
        );
    }

    // Each task gets a view of a sixteenth.
    let middles = parallel.map(middle, points.slices(count.div_ceil(16)))?;
    println!("the middles of 16 parts lie around {:.2}", middles[0][0]);

    let there = parallel.map(
        |_: Shared<[Point]>| (process::id(), memory()),
        vec![points.clone(); 64],
    )?;
    let mut workers: Vec<_> = there;
    workers.sort_unstable();
    workers.dedup_by_key(|(pid, _)| *pid);
    let (share, all) = workers
        .iter()
        .fold((memory().0, memory().1), |sum, (_, memory)| {
            (sum.0 + memory.0, sum.1 + memory.1)
        });
    println!(
        "this process and {} workers have mapped {} MiB of it, in {} MiB of memory",
        workers.len(),
        all >> 10,
        share >> 10
    );
    Ok(())
}
