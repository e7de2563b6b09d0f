//! The page of a report, and the table of the front page, as Markdown.

use std::fmt::Write;

use crate::case::Kind;
use crate::figures::{Figures, Held};
use crate::machine::Machine;
use crate::report::Report;
use crate::text::{amount, digits, held, verdict};

/// `docs/benchmarks.md`.
pub(crate) fn page(report: &Report) -> String {
    let mut page = String::new();
    let _ = page.write_str(INTRODUCTION);
    machine(&mut page, &report.machine);
    aims(&mut page, report);
    for group in &report.groups {
        let _ = writeln!(page, "\n## {}", group.title);
        if let Some(file) = crate::plot::peers_file(group) {
            let _ = writeln!(page, "\n![How many times as long each peer takes]({file})");
        }
        for figures in &group.cases {
            case(&mut page, figures);
        }
    }
    page
}

const INTRODUCTION: &str = "\
# Benchmarks

The library beside its peers, on the same tasks. `cargo xtask bench` has measured all of this and written
this page; nothing in it was written by hand.

All peers of a case run in turn, round after round, so that what slows the machine down for a while slows
all of them down. A figure is the median of all rounds but the first few. *Times ours* is the median of the
rounds' own ratios. An aim that is missed *within noise* is missed by less than the rounds differ: the
interval in which the median of many more rounds would be, at odds of 19 to 1, has the limit in it.
All peers have two jobs unless a case is about their number. The raw figures are in `docs/benchmarks.json`.
";

fn machine(page: &mut String, machine: &Machine) {
    let python = machine.python.as_deref();
    let rows = [
        ("measured", machine.date.as_str()),
        ("of commit", &machine.commit),
        ("CPU", &format!("{} × {}", machine.cpus, machine.cpu)),
        ("memory", &machine.memory),
        ("Linux", &machine.kernel),
        ("compiler", &machine.rustc),
        ("Rust peers", &machine.peers),
        ("Python peers", python.unwrap_or("left out (`--no-python`)")),
        (
            "load before and after",
            &format!("{}, {}", machine.load.0, machine.load.1),
        ),
        (
            "rounds",
            if machine.quick {
                "few (`--quick`)"
            } else {
                "many"
            },
        ),
    ];
    let _ = writeln!(page, "\n| | |\n|---|---|");
    for (name, value) in rows {
        let _ = writeln!(page, "| {name} | {value} |");
    }
}

fn aims(page: &mut String, report: &Report) {
    let _ = writeln!(page, "\n## Aims\n");
    let count = |held: &[Held]| {
        let verdicts = report.cases().flat_map(|case| &case.verdicts);
        verdicts
            .filter(|verdict| held.contains(&verdict.held()))
            .count()
    };
    let _ = writeln!(
        page,
        "Of {} aims {} are missed, and {} within noise.\n",
        count(&[Held::Yes, Held::Within, Held::No]),
        count(&[Held::No]),
        count(&[Held::Within])
    );
    let _ = writeln!(
        page,
        "| case | who | aim | measured | holds |\n|---|---|---|---|---|"
    );
    for case in report.cases() {
        for each in &case.verdicts {
            let (aim, measured) = verdict(each, case.unit);
            let _ = writeln!(
                page,
                "| [{}](#{}) | {} | {aim} | {measured} | {} |",
                case.title,
                anchor(&case.title),
                each.who,
                held(each)
            );
        }
    }
    missing(page, report);
}

/// Those that could not be measured, and so are in no aim either.
fn missing(page: &mut String, report: &Report) {
    let each = report.missing().map(|(case, who)| {
        let (title, anchor) = (&case.title, anchor(&case.title));
        format!("- [{title}](#{anchor}): {who}\n")
    });
    let all: String = each.collect();
    if !all.is_empty() {
        let _ = write!(page, "\nNot measured:\n\n{all}");
    }
}

fn case(page: &mut String, case: &Figures) {
    let _ = writeln!(
        page,
        "\n### {}\n\n{} `--only {}`",
        case.title, case.about, case.name
    );
    if let Some(file) = crate::plot::lines_file(case) {
        let _ = writeln!(page, "\n![{}]({file})", case.title);
    }
    let _ = writeln!(
        page,
        "\n| | median | half of the rounds | times ours | rounds |\n|---|---|---|---|---|"
    );
    for peer in &case.peers {
        let (low, high) = peer.quartiles();
        let ratio = case.ratio(&peer.name, &case.peers[0].name);
        let _ = writeln!(
            page,
            "| {} | {} | {} … {} | {} | {} |",
            peer.name,
            amount(peer.median(), case.unit),
            amount(low, case.unit),
            amount(high, case.unit),
            ratio.map_or("–".to_owned(), digits),
            peer.rounds.len()
        );
    }
    for missing in &case.missing {
        let _ = writeln!(page, "\nMissing: {missing}.");
    }
}

/// How a heading is linked to, on GitHub and in the book.
fn anchor(title: &str) -> String {
    let kept = title
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The cases that the front page shows, as it calls them.
pub(crate) const FRONT: [(&str, &str); 15] = [
    ("threads-0ns", "a task that does nothing, threads"),
    ("threads-100ns", "a task of 100 ns, threads"),
    ("threads-warm-10", "a call of ten tasks of 1.5 µs, threads"),
    ("uneven-last", "ten thousand tasks, long ones last, threads"),
    ("stream", "a result of a stream, threads"),
    ("processes-noop", "a task that does nothing, processes"),
    ("processes-one-by-one", "the same, one at a time"),
    ("processes-cold", "the first call, processes"),
    ("processes-warm", "a later call of one task, processes"),
    ("large-16mib-f64", "16 MiB of numbers to a process and back"),
    (
        "large-256mib-f64",
        "256 MiB of numbers to a process and back",
    ),
    (
        "shared-1gib",
        "100 tasks that read an array of 1 GiB, processes",
    ),
    ("memory-idle", "memory of an idle worker process"),
    ("cluster-dask-noop", "a task that does nothing, on Dask"),
    ("cluster-ray-noop", "a task that does nothing, on Ray"),
];

/// The table for the front page: ours, and the best of the others.
pub(crate) fn front(report: &Report) -> String {
    let mut table =
        "| | `parallel` | best peer in Rust | best in Python |\n|---|---|---|---|\n".to_owned();
    for (name, label) in FRONT {
        let Some(case) = report.case(name) else {
            continue;
        };
        // Clusters may have been left out.
        let Some(ours) = case.peers.first() else {
            continue;
        };
        let ours = ours.median();
        let _ = writeln!(
            table,
            "| {label} | {} | {} | {} |",
            amount(ours, case.unit),
            best(case, Kind::Rust),
            best(case, Kind::Python)
        );
    }
    let machine = &report.machine;
    let _ = writeln!(
        table,
        "\nMedians of one run of `cargo xtask bench` at {} on {} × {}, two jobs. All cases, what is aimed at and \
         what is missed: [Benchmarks](docs/benchmarks.md).",
        machine.date, machine.cpus, machine.cpu
    );
    table
}

fn best(case: &Figures, kind: Kind) -> String {
    let peers = case.peers.iter().filter(|peer| peer.kind == kind);
    let best = peers.min_by(|a, b| a.median().total_cmp(&b.median()));
    best.map_or("–".to_owned(), |peer| {
        format!("{} ({})", amount(peer.median(), case.unit), peer.name)
    })
}

/// Between these, the front page has the table.
const MARKS: (&str, &str) = (
    "<!-- cargo xtask bench: begin -->\n",
    "<!-- cargo xtask bench: end -->",
);

/// The front page with this table instead of the one it has.
pub(crate) fn with_front(readme: &str, table: &str) -> Option<String> {
    let (before, rest) = readme.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    Some([before, MARKS.0, "\n", table, "\n", MARKS.1, after].concat())
}
