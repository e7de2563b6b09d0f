use cluster_harness::RayCluster;
use parallel::{Parallel, Ray, delayed};

#[test]
fn smoke() {
    let t = std::time::Instant::now();
    let cluster = RayCluster::start();
    eprintln!("{:?} cluster", t.elapsed());
    let t = std::time::Instant::now();
    let ray = Ray::connect(cluster.address()).unwrap();
    eprintln!("{:?} connected {ray:?}", t.elapsed());
    let parallel = Parallel::new(2).backend(ray);
    let t = std::time::Instant::now();
    assert_eq!(parallel.map(|i: u64| i + 1, 0..3).unwrap(), [1, 2, 3]);
    eprintln!("{:?} first", t.elapsed());
    let t = std::time::Instant::now();
    assert_eq!(parallel.map(|i: u64| i + 1, 0..3).unwrap(), [1, 2, 3]);
    eprintln!("{:?} second", t.elapsed());
    let t = std::time::Instant::now();
    let n = 1_000_000;
    assert_eq!(parallel.map(|i: u64| i + 1, 0..n).unwrap().len() as u64, n);
    eprintln!("{:?} {n} no-ops", t.elapsed());
    let t = std::time::Instant::now();
    let outcomes = parallel
        .outcomes((0..4u64).map(|i| {
            delayed(
                |i| {
                    if i == 1 {
                        std::process::abort()
                    } else if i == 2 {
                        panic!("oh {i}")
                    } else {
                        i
                    }
                },
                i,
            )
        }))
        .unwrap();
    eprintln!("{:?} {outcomes:#?}", t.elapsed());
    let t = std::time::Instant::now();
    drop(parallel);
    eprintln!("{:?} dropped", t.elapsed());
    let left: Vec<_> = cluster
        .processes()
        .into_iter()
        .filter(|p| !p.command.contains("ray"))
        .collect();
    eprintln!("{left:#?}");
    for p in cluster.processes() {
        eprintln!(
            "{} {} {}",
            p.pid,
            p.executable.display(),
            p.command.chars().take(80).collect::<String>()
        );
    }
}
