//! The plots of a report, as SVG.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::case::{Kind, Unit};
use crate::figures::Figures;
use crate::report::{GroupFigures, Report};
use crate::text::{amount, digits};

type Drawn = Result<(), Box<dyn Error>>;

/// Where plots are, seen from the page.
const FOLDER: &str = "images";

/// Draws all plots into the folder of the page.
pub(crate) fn draw(report: &Report, docs: &Path) -> Drawn {
    for group in &report.groups {
        if let Some(file) = peers_file(group) {
            peers(group, &docs.join(file))?;
        }
        for case in &group.cases {
            if let Some(file) = lines_file(case) {
                lines(case, &docs.join(file))?;
            }
        }
    }
    Ok(())
}

/// The plot of a case whose figures are on lines.
pub(crate) fn lines_file(case: &Figures) -> Option<String> {
    let drawn = case.peers.iter().any(|peer| peer.point.is_some());
    drawn.then(|| format!("{FOLDER}/benchmarks-{}.svg", case.name))
}

/// The plot of the other cases of a group.
pub(crate) fn peers_file(group: &GroupFigures) -> Option<String> {
    let name = group.title.to_lowercase().replace(' ', "-");
    (!compared(group).is_empty()).then(|| format!("{FOLDER}/benchmarks-{name}.svg"))
}

/// The cases in which ours is first and others come after it.
fn compared(group: &GroupFigures) -> Vec<&Figures> {
    let cases = group.cases.iter().filter(|case| lines_file(case).is_none());
    cases.filter(|case| case.peers.len() > 1).collect()
}

const WIDTH: u32 = 960;

/// A row for each case, and in it a dot for each peer: how many times as long it takes as ours.
fn peers(group: &GroupFigures, file: &Path) -> Drawn {
    let cases = compared(group);
    let mut names: Vec<&str> = Vec::new();
    let mut dots: Vec<(usize, usize, f64)> = Vec::new();
    for (row, case) in cases.iter().enumerate() {
        for peer in case
            .peers
            .iter()
            .skip(1)
            .filter(|peer| peer.kind != Kind::Derived)
        {
            let seen = names.iter().position(|name| *name == peer.name);
            let name = seen.unwrap_or_else(|| {
                names.push(&peer.name);
                names.len() - 1
            });
            if let Some(ratio) = case.ratio(&peer.name, &case.peers[0].name) {
                dots.push((row, name, ratio));
            }
        }
    }
    let height = 90 + 46 * cases.len().max(names.len() / 2 + 1) as u32;
    let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let ratios = dots.iter().map(|dot| dot.2);
    let (low, high) = reach(ratios.chain([0.8, 1.25]));
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(220)
        .x_label_area_size(44)
        .y_label_area_size(220)
        .build_cartesian_2d((low..high).log_scale(), (0..cases.len()).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_desc("times as long as parallel takes: to the right of 1 is slower than ours")
        .x_label_formatter(&|x| digits(*x))
        .y_labels(cases.len())
        .y_label_formatter(&|y| match y {
            SegmentValue::CenterOf(row) => cases
                .get(cases.len() - 1 - row)
                .map_or(String::new(), |case| case.name.clone()),
            _ => String::new(),
        })
        .draw()?;
    let (bottom, top) = (SegmentValue::Exact(0), SegmentValue::Exact(cases.len()));
    chart.draw_series([PathElement::new(
        [(1.0, bottom), (1.0, top)],
        BLACK.stroke_width(2),
    )])?;
    for (place, name) in names.iter().enumerate() {
        let colour = Palette99::pick(place).to_rgba();
        let rows = dots.iter().filter(|dot| dot.1 == place);
        let spots =
            rows.map(|&(row, _, ratio)| (ratio, SegmentValue::CenterOf(cases.len() - 1 - row)));
        chart.draw_series(spots.map(|spot| Circle::new(spot, 6, colour.filled())))?;
        legend(&root, place, name)?;
    }
    root.present()?;
    Ok(())
}

/// Both axes are logarithmic: what is flat does not grow.
fn lines(case: &Figures, file: &Path) -> Drawn {
    let points = case.peers.iter().filter_map(|peer| {
        let (line, x) = peer.point.as_ref()?;
        Some((line.as_str(), *x, peer.median()))
    });
    let points: Vec<(&str, f64, f64)> = points.collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _, _) in &points {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let (left, right) = reach(points.iter().map(|point| point.1));
    let (low, high) = reach(points.iter().map(|point| point.2));
    let root = SVGBackend::new(file, (WIDTH, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(220)
        .x_label_area_size(44)
        .y_label_area_size(90)
        .build_cartesian_2d((left..right).log_scale(), (low / 2.0..high).log_scale())?;
    chart
        .configure_mesh()
        .x_desc(if right > 100.0 { "tasks" } else { "jobs" })
        .x_label_formatter(&|x| count(*x))
        .y_label_formatter(&|y| amount(*y, case.unit))
        .y_desc(match case.unit {
            Unit::Seconds => "time of a task",
            Unit::Bytes => "memory",
            Unit::Instructions => "instructions of a task",
        })
        .draw()?;
    for (place, name) in names.iter().enumerate() {
        let colour = Palette99::pick(place).to_rgba();
        let line = points.iter().filter(|point| point.0 == *name);
        let line = line.map(|&(_, x, y)| (x, y));
        chart.draw_series(LineSeries::new(line, colour.stroke_width(2)).point_size(4))?;
        legend(&root, place, name)?;
    }
    root.present()?;
    Ok(())
}

/// Says what a colour stands for, beside the chart.
fn legend(root: &DrawingArea<SVGBackend<'_>, Shift>, place: usize, name: &str) -> Drawn {
    let (x, y) = (WIDTH as i32 - 205, 24 + 20 * place as i32);
    let colour = Palette99::pick(place).to_rgba();
    root.draw(&Circle::new((x, y), 6, colour.filled()))?;
    root.draw(&Text::new(name, (x + 14, y - 7), ("sans-serif", 14)))?;
    Ok(())
}

/// From the least to the greatest, and somewhat further.
fn reach(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    (ends.0 / 1.25, ends.1 * 1.25)
}

/// Powers of ten as such.
fn count(x: f64) -> String {
    if x >= 1000.0 {
        format!("{x:.0e}")
    } else {
        format!("{x:.0}")
    }
}
