//! Pages in files.

use std::path::Path;
use std::time::{Duration, Instant};

use parallel::{Event, Failure, Observer, Report, Totals};
use serde_json::json;
use tempfile::TempDir;

use crate::tab::Tab;

const WORKERS: usize = 4;

/// Says something that would be a script if it could.
const NASTY: &str =
    "</script><script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>";

/// Tells of so many tasks of 100 µs, of which each thousandth fails.
fn tell(report: &Report, tasks: usize) {
    let run = 1;
    let known = Some(tasks);
    report.event(&Event::RunStarted {
        run,
        tasks: known,
        n_jobs: WORKERS,
    });
    let origin = Instant::now();
    for worker in 0..WORKERS {
        let pid = None;
        report.event(&Event::WorkerStarted { run, worker, pid });
    }
    for tasks in [1, 2, 4, 64] {
        report.event(&Event::BatchSize { run, tasks });
    }
    for index in 0..tasks {
        let place = u32::try_from(index / WORKERS).unwrap();
        let failure = (index % 1000 == 7).then(|| Failure::Backend {
            message: NASTY.to_owned(),
        });
        report.event(&Event::TaskFinished {
            run,
            index,
            attempt: 1,
            worker: index % WORKERS,
            started: origin + Duration::from_micros(110) * place,
            run_time: Duration::from_micros(100),
            wait_time: Duration::from_micros(10),
            failure,
        });
    }
    let mut totals = Totals::default();
    totals.wall = Duration::from_micros(110) * u32::try_from(tasks.div_ceil(WORKERS)).unwrap();
    report.event(&Event::RunFinished { run, totals });
}

fn page(folder: &TempDir, tasks: usize) -> String {
    let path = folder.path().join("report.html");
    let report = Report::html(&path)
        .unwrap()
        .title("A <kitchen>")
        .label(|index| ["Pizza", NASTY][index % 2]);
    tell(&report, tasks);
    url(&path)
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// The middle of a task in the window, if it is drawn.
fn place_of(tab: &mut Tab, row: usize, task: usize) -> (f64, f64) {
    tab.value("canvas.scrollIntoView({ block: 'center' })");
    let middle = format!("run.lanes[{row}].start[{task}] + run.lanes[{row}].run[{task}] / 2");
    let x = tab.number(&format!(
        "canvas.getBoundingClientRect().left + layout.left
            + ({middle} - view.range().from) / (view.range().to - view.range().from) * layout.width"
    ));
    let y = tab.number(&format!(
        "canvas.getBoundingClientRect().top + AXIS + ({row} + 0.5) * layout.laneHeight"
    ));
    (x, y)
}

#[test]
fn the_task_under_the_pointer_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut tab = Tab::open(&page(&folder, 40));
    tab.drawn();
    for (row, task) in [(0, 0), (2, 3), (3, 1)] {
        let (x, y) = place_of(&mut tab, row, task);
        tab.mouse("mouseMoved", x, y, json!({}));
        tab.wait_for("!tip.hidden");
        let tip = tab.text("#tip");
        let index = task * WORKERS + row;
        assert!(tip.starts_with(&format!("Task {index} (")), "{tip}");
        assert!(tip.contains("ran 100 µs, waited 10 µs"), "{tip}");
        assert!(tip.contains(&format!("Worker {row}")), "{tip}");
        assert_eq!(index == 7, tip.contains("Failed: was not run"), "{tip}");
    }
    tab.has_nothing_to_complain_of();
}

#[test]
fn parts_of_a_task_are_blocks_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let report = Report::html(&path).unwrap();
    let (run, worker, attempt) = (1, 0, 1);
    let begun = Event::RunStarted {
        run,
        tasks: Some(2),
        n_jobs: 1,
    };
    report.event(&begun);
    // So long that it does not show when this is held up before it has the time.
    let (origin, step) = (Instant::now(), Duration::from_secs(1));
    for index in 0..2_u32 {
        // Told as they end: what lies within is told first.
        for (name, depth, from, steps) in [("boil", 1, 0, 1), ("cook", 0, 0, 2), ("serve", 0, 2, 1)]
        {
            report.event(&Event::Span {
                run,
                index: index as usize,
                attempt,
                worker,
                name: name.to_owned(),
                fields: vec![("what".to_owned(), NASTY.to_owned())],
                depth,
                started: origin + step * (4 * index + from),
                run_time: step * steps,
            });
        }
        report.event(&Event::TaskFinished {
            run,
            index: index as usize,
            attempt,
            worker,
            started: origin + step * 4 * index,
            run_time: step * 3,
            wait_time: Duration::ZERO,
            failure: None,
        });
    }
    let totals = Totals::default();
    report.event(&Event::RunFinished { run, totals });

    let mut tab = Tab::open(&url(&path));
    tab.drawn();
    assert_eq!(tab.number("run.partsDrawn"), 6.0);
    // Below the first task there are two rows: of what lies in it, and of what lies in that. Where there is
    // nothing is the colour of the lane, as at the end of the lane.
    let mut drawn = |share: f64, row: f64| {
        let color = |share: f64| {
            format!(
                "canvas.getContext('2d').getImageData((layout.left + layout.width * {share}) * devicePixelRatio,
                    (AXIS + 28 + PART_HEIGHT * {row} + 2) * devicePixelRatio, 1, 1).data.join()"
            )
        };
        let lane = tab.value(&color(0.5));
        tab.value(&color(share)) != lane
    };
    let rows = [0.0, 1.0].map(|row| [0.1, 0.2, 0.36].map(|share| drawn(share, row)));
    assert_eq!(rows, [[true, true, true], [true, false, false]]);
    let (x, y) = place_of(&mut tab, 0, 0);
    tab.mouse("mouseMoved", x, y, json!({}));
    tab.wait_for("!tip.hidden");
    let tip = tab.text("#tip");
    assert!(tip.contains(&format!("cook {}", &NASTY[..20])), "{tip}");
    assert!(tip.contains(": 2 s"), "{tip}");
    // Without a pointer as well.
    tab.value("canvas.focus()");
    tab.key(".");
    let told = tab.text("#selected");
    assert!(
        told.contains("In it: cook ") && told.contains("serve "),
        "{told}"
    );
    assert_eq!(tab.value("typeof window.hurt"), "undefined");
    tab.has_nothing_to_complain_of();
}

#[test]
fn nothing_of_a_task_becomes_markup() {
    let folder = tempfile::tempdir().unwrap();
    let mut tab = Tab::open(&page(&folder, 40));
    tab.drawn();
    assert_eq!(tab.text("h1"), "A <kitchen>");
    assert!(tab.text("#failures").contains(NASTY));
    assert!(tab.text("#slowest").contains(NASTY));
    assert_eq!(tab.value("typeof window.hurt"), "undefined");
    assert_eq!(tab.value("document.images.length"), 0);
    tab.has_nothing_to_complain_of();
}

#[test]
fn wheel_buttons_keys_and_dragging_choose_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut tab = Tab::open(&page(&folder, 4000));
    tab.drawn();
    let length = "view.range().to - view.range().from";
    let whole = tab.number(length);
    let (x, y) = place_of(&mut tab, 1, 500);
    let wheel = json!({ "deltaX": 0, "deltaY": -300 });
    tab.mouse("mouseWheel", x, y, wheel);
    tab.wait_for(&format!("{length} < {}", whole * 0.5));
    // What was under the pointer still is.
    let (now, _) = place_of(&mut tab, 1, 500);
    assert!((now - x).abs() < 3.0, "{now} {x}");

    let from = tab.number("view.range().from");
    let button = json!({ "button": "left", "buttons": 1, "clickCount": 1 });
    tab.mouse("mousePressed", x, y, button.clone());
    tab.mouse("mouseMoved", x - 100.0, y, button.clone());
    tab.mouse("mouseReleased", x - 100.0, y, button);
    assert!(tab.number("view.range().from") > from);

    tab.value("document.getElementById('whole').click()");
    assert!((tab.number(length) - whole).abs() < 1e-9);
    tab.value("document.getElementById('zoom-in').click()");
    assert!(tab.number(length) < whole * 0.7);

    tab.value("canvas.focus()");
    tab.key("0");
    assert!((tab.number(length) - whole).abs() < 1e-9);
    tab.key("+");
    let from = tab.number("view.range().from");
    tab.key("ArrowRight");
    assert!(tab.number("view.range().from") > from);
    // What is chosen is told to those who cannot see it, and can be seen.
    tab.key(".");
    tab.key(".");
    let told = tab.text("#selected[aria-live=polite]");
    assert!(
        told.starts_with("Task ") && told.contains("Worker 0"),
        "{told}"
    );
    tab.key("ArrowDown");
    assert!(tab.text("#selected").contains("Worker 1"));
    tab.has_nothing_to_complain_of();
}

#[test]
fn both_themes_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let url = page(&folder, 40);
    let mut tab = Tab::new();
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        tab.prefers(scheme);
        tab.go(&url);
        tab.drawn();
        papers.push(tab.value("getComputedStyle(document.body).backgroundColor"));
        // As the accessibility guidelines ask: 4.5 to 1.
        for (text, ground) in [
            ("ink", "paper"),
            ("ink", "card"),
            ("soft", "card"),
            ("soft", "paper"),
            ("bad", "card"),
            ("accent", "card"),
        ] {
            let contrast = tab.number(&format!(
                "(() => {{
                    const light = (name) => {{
                        const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
                        const full = hex.length === 3 ? [...hex].map((c) => c + c).join('') : hex;
                        const [r, g, b] = [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16) / 255)
                            .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
                    }};
                    const [a, b] = [light('--{text}'), light('--{ground}')];
                    return Math.max(a, b) / Math.min(a, b);
                }})()"
            ));
            assert!(contrast >= 4.5, "{scheme}: {text} on {ground}: {contrast}");
        }
    }
    assert_ne!(papers[0], papers[1]);
    // The switch overrules the system.
    tab.value("(themes.value = 'light', themes.dispatchEvent(new Event('change')))");
    assert_eq!(
        tab.value("getComputedStyle(document.body).backgroundColor"),
        papers[0]
    );
    tab.has_nothing_to_complain_of();
}

#[test]
fn everything_has_a_name_and_the_picture_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut tab = Tab::open(&page(&folder, 40));
    tab.drawn();
    let tree = tab.call("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().unwrap().clone();
    let mut roles = Vec::new();
    for node in nodes.iter().filter(|node| node["ignored"] == false) {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        roles.push(role.to_owned());
        if ["button", "combobox", "application", "region", "image"].contains(&role) {
            let name = node["name"]["value"].as_str().unwrap_or_default();
            assert!(!name.is_empty(), "nameless: {node}");
        }
    }
    for role in [
        "main",
        "banner",
        "heading",
        "application",
        "table",
        "status",
    ] {
        assert!(roles.iter().any(|r| r == role), "no {role}: {roles:?}");
    }
    assert_eq!(tab.value("document.documentElement.lang"), "en");
    let table = tab.text("#workers");
    assert!((0..WORKERS).all(|worker| table.contains(&format!("Worker {worker}"))));
}

#[test]
fn each_task_may_have_a_label_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let report = Report::html(&path).unwrap();
    tell(&report.label(|index| format!("dish {index}")), 300_000);
    let mut tab = Tab::open(&url(&path));
    tab.drawn();
    assert_eq!(tab.number("run.drawn"), 3e5);
    assert_eq!(
        tab.value("run.labels[run.lanes[3].label[74_999]]"),
        "dish 299999"
    );
    tab.has_nothing_to_complain_of();
}

/// What the script does is counted, since how long it takes is the machine's as well.
#[test]
fn a_million_tasks_open_and_move_in_few_steps() {
    const TASKS: usize = 1_000_000;
    const MOVES: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let url = page(&folder, TASKS);
    let mut tab = Tab::new();
    tab.count_steps();
    tab.go(&url);
    tab.drawn();
    assert_eq!(tab.number("run.drawn"), 1e6);
    let opening = tab.steps() as usize;
    tab.value("canvas.focus()");
    for key in ["+", "ArrowLeft"] {
        for _ in 0..MOVES / 2 {
            tab.key(key);
            tab.drawn();
        }
    }
    let (x, y) = place_of(&mut tab, 2, TASKS / WORKERS / 2);
    tab.mouse("mouseMoved", x, y, json!({}));
    tab.key("0");
    tab.drawn();
    let moving = tab.steps() as usize / MOVES;
    let columns = tab.number("layout.width") as usize * WORKERS;
    let script = tab.metric("ScriptDuration");
    println!(
        "{TASKS} tasks: {:.1} steps a task to open, {:.1} a column to move; {script:.2} s of script, counted",
        opening as f64 / TASKS as f64,
        moving as f64 / columns as f64,
    );
    assert!(opening < 20 * TASKS, "{opening}");
    assert!(moving < 20 * columns, "{moving} for {columns} columns");
    tab.has_nothing_to_complain_of();
}
