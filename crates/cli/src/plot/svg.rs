//! Charts as SVG, drawn by `plotters`: its vector backend alone, which takes three small crates and needs no fonts.
//!
//! Colours are the light ones; a style in the file gives each its counterpart where the reader's system is dark.
//! There is no PNG: its text would need a rasteriser of fonts, and every browser makes one of an SVG.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::chart::{Bars, Chart, Hist, Lines, extent};
use super::ticks::{self, Ticks};

const WIDTH: u32 = 960;
const HEIGHT: u32 = 540;
/// The height of a bar with its gap.
const BAR: u32 = 22;
/// Ground, text, grid, and what replaces them in the dark.
const GROUND: RGBColor = RGBColor(0xff, 0xff, 0xfe);
const TEXT: RGBColor = RGBColor(0x33, 0x3a, 0x45);
const GRID: RGBColor = RGBColor(0xe3, 0xe6, 0xea);
const SERIES: [RGBColor; 8] = [
    RGBColor(0x2f, 0x6f, 0xd0),
    RGBColor(0xd9, 0x7a, 0x1e),
    RGBColor(0x2a, 0x9d, 0x6f),
    RGBColor(0xc2, 0x3b, 0x52),
    RGBColor(0x7d, 0x5b, 0xc4),
    RGBColor(0x8a, 0x6d, 0x3b),
    RGBColor(0x1b, 0x9a, 0xaa),
    RGBColor(0x6b, 0x76, 0x85),
];
const DARK: [(&str, &str); 3] =
    [("#FFFFFE", "#16191d"), ("#333A45", "#d5dae1"), ("#E3E6EA", "#333942")];

/// Why a chart cannot be drawn: it is too small for what is in it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The chart as a file.
pub fn draw(chart: &Chart) -> Result<String, Failure> {
    let mut svg = String::new();
    let height = match chart {
        Chart::Bars(bars) => {
            let count = bars.labels.len() * (bars.series.len()).max(1);
            (count as u32 * BAR + 110).max(200)
        }
        _ => HEIGHT,
    };
    let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    let drawn = match chart {
        Chart::Bars(bars) => draw_bars(&root, bars),
        Chart::Lines(lines) => draw_lines(&root, lines),
        Chart::Histogram(hist) => draw_histogram(&root, hist),
    };
    let presented = drawn.and_then(|()| Ok(root.present()?));
    drop(root);
    presented?;
    Ok(in_the_dark(&svg))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Plain<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// A style after the opening tag: attributes give way to it.
fn in_the_dark(svg: &str) -> String {
    let rule = |(light, dark): (&str, &str)| {
        format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
    };
    let rules: String = DARK.into_iter().map(rule).collect();
    let style = format!(
        "<style>text{{font-family:system-ui,sans-serif}}@media(prefers-color-scheme:dark){{{rules}}}</style>"
    );
    match svg.find("xmlns=\"http://www.w3.org/2000/svg\">") {
        Some(at) => {
            let end = at + "xmlns=\"http://www.w3.org/2000/svg\">".len();
            format!("{}\n{style}{}", &svg[..end], &svg[end..])
        }
        None => svg.to_string(),
    }
}

/// An axis with ticks of our own.
struct Axis {
    range: Range<f64>,
    ticks: Ticks,
}

impl Axis {
    fn new((min, max): (f64, f64), ticks: Ticks) -> Self {
        let (min, max) = if min < max { (min, max) } else { (min - 0.5, max + 0.5) };
        Self { range: min..max, ticks }
    }

    fn of_values(extent: (f64, f64), wanted: usize) -> Self {
        let extent = if extent.0 < extent.1 { extent } else { (extent.0 - 0.5, extent.1 + 0.5) };
        let room = (extent.1 - extent.0) * 0.04;
        let low = if extent.0 == 0.0 { 0.0 } else { extent.0 - room };
        let high = if extent.1 == 0.0 { 0.0 } else { extent.1 + room };
        Self::new((low, high), ticks::of_numbers((low, high), wanted))
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (low, high): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        low + (f64::from(high - low) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| at == value);
        tick.map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&TEXT)
}

fn frame<'a, 'b>(
    root: &'a Area<'b>,
    title: &str,
    (x, y): (Axis, Axis),
    (label_width, x_name): (u32, &str),
) -> Result<Plain<'a, 'b>, Failure> {
    root.fill(&GROUND)?;
    let mut chart = ChartBuilder::on(root)
        .caption(title, font(20))
        .margin(18)
        .x_label_area_size(if x_name.is_empty() { 30 } else { 48 })
        .y_label_area_size(label_width)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(TEXT)
        .label_style(font(13))
        .x_desc(x_name)
        .axis_desc_style(font(14))
        .draw()?;
    Ok(chart)
}

fn legend<'a, 'b: 'a>(
    chart: &mut Plain<'a, 'b>,
    place: SeriesLabelPosition,
) -> Result<(), Failure> {
    chart
        .configure_series_labels()
        .position(place)
        .background_style(GROUND)
        .border_style(GRID)
        .label_font(font(13))
        .draw()?;
    Ok(())
}

fn draw_bars(root: &Area<'_>, bars: &Bars) -> Result<(), Failure> {
    let (rows, count) = (bars.labels.len(), bars.series.len());
    let values = bars.series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let extent = extent(values.chain([0.0])).unwrap_or_default();
    // The first row is at the top.
    let middle = |row: usize| (rows - row) as f64 - 0.5;
    let labels: Vec<String> = bars.labels.iter().map(|label| shortened(label)).collect();
    let label_width = labels.iter().map(|label| label.chars().count() as u32 * 8 + 16).max();
    let y = labels.into_iter().enumerate().map(|(row, label)| (middle(row), label)).collect();
    let y = Axis::new((0.0, rows as f64), y);
    let x = Axis::of_values(extent, 8);
    let name = if count == 1 { bars.series[0].name.as_str() } else { "" };
    let mut chart = frame(root, &bars.title, (x, y), (label_width.unwrap_or(40), name))?;
    for (index, series) in bars.series.iter().enumerate() {
        let color = SERIES[index % SERIES.len()];
        let high = 0.8 / count as f64;
        let bars = series.values.iter().enumerate().filter_map(|(row, value)| {
            let top = middle(row) + 0.4 - high * index as f64;
            Some(Rectangle::new([(0.0, top), ((*value)?, top - high * 0.95)], color.filled()))
        });
        let drawn = chart.draw_series(bars)?;
        if count > 1 {
            drawn.label(series.name.clone()).legend(move |at| swatch(at, color));
        }
    }
    // Bars are often sorted, the longest first.
    if count > 1 { legend(&mut chart, SeriesLabelPosition::LowerRight) } else { Ok(()) }
}

fn swatch((x, y): (i32, i32), color: RGBColor) -> Rectangle<(i32, i32)> {
    Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.filled())
}

fn draw_lines(root: &Area<'_>, lines: &Lines) -> Result<(), Failure> {
    let points = || lines.series.iter().flat_map(|(_, points)| points);
    let x = extent(points().map(|point| point.0)).unwrap_or_default();
    let y = extent(points().map(|point| point.1)).unwrap_or_default();
    let ticks = match lines.x.is_time {
        true => ticks::of_times(x, 9),
        false => ticks::of_numbers(x, 9),
    };
    let axes = (Axis::new(x, ticks), Axis::of_values(y, 8));
    let mut chart = frame(root, &lines.title, axes, (64, &lines.x.name))?;
    for (index, (name, points)) in lines.series.iter().enumerate() {
        let color = SERIES[index % SERIES.len()];
        let drawn =
            chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
        if lines.series.len() > 1 {
            drawn.label(name.clone()).legend(move |at| swatch(at, color));
        }
    }
    match lines.series.len() {
        0 | 1 => Ok(()),
        _ => legend(&mut chart, SeriesLabelPosition::UpperRight),
    }
}

fn draw_histogram(root: &Area<'_>, hist: &Hist) -> Result<(), Failure> {
    let bins = &hist.bins;
    let x = (bins.edge(0), bins.edge(bins.counts.len()));
    let most = bins.counts.iter().max().copied().unwrap_or(0) as f64;
    let axes = (Axis::new(x, ticks::of_numbers(x, 12)), Axis::of_values((0.0, most), 8));
    let mut chart = frame(root, &hist.title, axes, (64, &hist.name))?;
    let gap = bins.width * 0.03;
    chart.draw_series(bins.counts.iter().enumerate().map(|(index, count)| {
        let corners = [(bins.edge(index) + gap, 0.0), (bins.edge(index + 1) - gap, *count as f64)];
        Rectangle::new(corners, SERIES[0].filled())
    }))?;
    Ok(())
}

fn shortened(label: &str) -> String {
    match label.char_indices().nth(24) {
        Some((at, _)) => format!("{}…", &label[..at]),
        None => label.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::chart::{Bins, Series};

    #[test]
    fn a_chart_has_its_names_and_a_dark_side() {
        let values = vec![Some(3.0), None];
        let series = vec![
            Series { name: "n".into(), values: values.clone() },
            Series { name: "m".into(), values },
        ];
        let labels = vec!["<Ulm>".to_string(), "Köln".to_string()];
        let svg = draw(&Chart::Bars(Bars { title: "n by town".into(), labels, series })).unwrap();
        for part in ["n by town", "&lt;Ulm&gt;", "Köln", "prefers-color-scheme:dark", "#2F6FD0"] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
    }

    #[test]
    fn empty_charts_are_drawn() {
        let hist = Hist { title: "x".into(), name: "x".into(), bins: Bins::default() };
        for chart in [Chart::Histogram(hist), Chart::Bars(Bars::default())] {
            assert!(draw(&chart).unwrap().ends_with("</svg>\n"));
        }
    }
}
