//! Charts as text: bars of eighths of a letter, lines of the dots of Braille letters, a panel for each series.
//!
//! Nothing is told apart by colours, so that it reads the same in a file.

use unicode_width::UnicodeWidthStr;

use super::chart::{Bars, Chart, Hist, Lines, Series, extent};
use super::ticks;
use crate::progress::grouped;

/// The rows of letters of a panel.
const PANEL_ROWS: usize = 12;
/// What a name beside a bar may take of the width.
const LABEL_MAX: usize = 28;

/// The chart in lines of about `width` letters.
pub fn draw(chart: &Chart, width: usize) -> String {
    let width = width.max(40);
    let body = match chart {
        Chart::Bars(bars) => of_bars(bars, width),
        Chart::Histogram(hist) => of_bars(&ranges(hist), width),
        Chart::Lines(lines) => of_lines(lines, width),
    };
    let body = if body.is_empty() { "(no rows)\n" } else { &body };
    format!("{}\n{body}", chart.title())
}

/// A histogram is bars, called by where they begin and end.
fn ranges(hist: &Hist) -> Bars {
    let edge = |index| format!("{}", hist.bins.edge(index));
    let counts = hist.bins.counts.iter();
    let labels =
        (0..hist.bins.counts.len()).map(|index| format!("{} – {}", edge(index), edge(index + 1)));
    let values = counts.map(|count| Some(*count as f64)).collect();
    Bars {
        title: String::new(),
        labels: labels.collect(),
        series: vec![Series { name: "count".into(), values }],
    }
}

fn of_bars(bars: &Bars, width: usize) -> String {
    let labels: Vec<String> = bars.labels.iter().map(|label| cut(label, LABEL_MAX)).collect();
    let label_width = labels.iter().map(|label| label.width()).max().unwrap_or(0);
    let name = |series: &Series| match bars.series.len() {
        1 => String::new(),
        _ => format!(" {}", cut(&series.name, LABEL_MAX)),
    };
    let names: Vec<String> = bars.series.iter().map(name).collect();
    let name_width = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let values = || bars.series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let text_width = values().map(|value| value_text(value).len()).max().unwrap_or(0);
    let scale = Scale::new(
        values(),
        width.saturating_sub(label_width + name_width + text_width + 4).max(10),
    );
    let mut out = String::new();
    for (row, label) in labels.iter().enumerate() {
        for (index, (series, name)) in bars.series.iter().zip(&names).enumerate() {
            let label = if index == 0 { label.as_str() } else { "" };
            let (bar, text) = match series.values[row] {
                Some(value) => (scale.bar(value), value_text(value)),
                None => (String::new(), "NULL".to_string()),
            };
            let line =
                format!("{}{} │{bar} {text}", padded(label, label_width), padded(name, name_width));
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

/// A value with the digits that matter.
fn value_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", grouped(value.abs() as u64));
    }
    let digits = (3.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// From values to letters.
struct Scale {
    min: f64,
    per_letter: f64,
    zero: usize,
}

impl Scale {
    fn new(values: impl Iterator<Item = f64>, width: usize) -> Self {
        let (min, max) = extent(values.chain([0.0])).unwrap_or_default();
        let per_letter = ((max - min) / width as f64).max(f64::MIN_POSITIVE);
        let zero = (-min / per_letter).round() as usize;
        Self { min, per_letter, zero }
    }

    fn bar(&self, value: f64) -> String {
        let eighths = (value.abs() / self.per_letter * 8.0).round() as usize;
        let whole = "█".repeat(eighths / 8);
        if value < 0.0 {
            let letters = eighths.div_ceil(8).min(self.zero);
            return " ".repeat(self.zero - letters) + &"█".repeat(letters);
        }
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        let before = if self.min < 0.0 { self.zero } else { 0 };
        format!("{}{whole}{rest}", " ".repeat(before))
    }
}

fn of_lines(lines: &Lines, width: usize) -> String {
    let points = || lines.series.iter().flat_map(|(_, points)| points);
    let Some(x) = extent(points().map(|point| point.0)) else { return String::new() };
    let mut out = String::new();
    let all_y: Vec<_> = lines.series.iter().map(|(_, points)| y_ticks(points)).collect();
    let margin = all_y.iter().flatten().map(|(_, text)| text.len()).max().unwrap_or(0);
    let columns = width.saturating_sub(margin + 3).max(20);
    for ((name, points), ticks) in lines.series.iter().zip(&all_y) {
        if lines.series.len() > 1 {
            out.push_str(&format!("{:margin$}  {name}\n", ""));
        }
        out.push_str(&panel(points, x, ticks, margin, columns));
    }
    let axis = match lines.x.is_time {
        true => ticks::of_times(x, columns / 16),
        false => ticks::of_numbers(x, columns / 12),
    };
    out.push_str(&x_axis(&axis, x, margin, columns));
    out.push_str(&format!("{:margin$}  {}\n", "", lines.x.name));
    out
}

fn y_ticks(points: &[(f64, f64)]) -> ticks::Ticks {
    let y = extent(points.iter().map(|point| point.1)).unwrap_or_default();
    match y.0 == y.1 {
        true => vec![(y.0, value_text(y.0))],
        false => ticks::of_numbers(y, 4),
    }
}

fn panel(
    points: &[(f64, f64)],
    x: (f64, f64),
    ticks: &ticks::Ticks,
    margin: usize,
    columns: usize,
) -> String {
    let y = extent(points.iter().map(|point| point.1)).unwrap_or_default();
    let mut dots = Dots::new(columns, PANEL_ROWS);
    let place = |point: &(f64, f64)| {
        let (wide, high) = (columns * 2 - 1, PANEL_ROWS * 4 - 1);
        (on(point.0, x, wide), high - on(point.1, y, high))
    };
    if let [only] = points {
        dots.line(place(only), place(only));
    }
    for pair in points.windows(2) {
        dots.line(place(&pair[0]), place(&pair[1]));
    }
    let mut out = String::new();
    for (row, line) in dots.rows().enumerate() {
        let here = |at: f64| PANEL_ROWS - 1 - on(at, y, PANEL_ROWS - 1) == row;
        let tick = ticks.iter().find(|(at, _)| here(*at)).map(|(_, text)| text.as_str());
        let side = if tick.is_some() { '┤' } else { '│' };
        let line = format!("{:>margin$} {side}{line}", tick.unwrap_or(""));
        out.push_str(line.trim_end_matches(['\u{2800}', ' ']));
        out.push('\n');
    }
    out
}

fn x_axis(ticks: &ticks::Ticks, x: (f64, f64), margin: usize, columns: usize) -> String {
    let mut rule: Vec<char> = vec!['─'; columns];
    let mut texts = String::new();
    for (at, text) in ticks {
        let column = on(*at, x, columns - 1);
        rule[column] = '┬';
        let start =
            column.saturating_sub(text.width() / 2).min(columns.saturating_sub(text.width()));
        let free = texts.width();
        if start > free || free == 0 {
            texts.push_str(&" ".repeat(start - free));
            texts.push_str(text);
        }
    }
    let rule: String = rule.into_iter().collect();
    format!("{:margin$} └{rule}\n{:margin$}  {texts}\n", "", "")
}

/// Where a value is among `steps` + 1 places.
fn on(value: f64, (min, max): (f64, f64), steps: usize) -> usize {
    let share = if max > min { (value - min) / (max - min) } else { 0.5 };
    ((share * steps as f64).round().max(0.0) as usize).min(steps)
}

/// Dots, two by four in each letter ("Braille Patterns", U+2800 to U+28FF).
struct Dots {
    columns: usize,
    letters: Vec<u8>,
}

impl Dots {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, letters: vec![0; columns * rows] }
    }

    fn set(&mut self, (x, y): (usize, usize)) {
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        self.letters[y / 4 * self.columns + x / 2] |= BITS[y % 4][x % 2];
    }

    fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        let between = |a: usize, b: usize, step: usize| {
            let share = step as f64 / steps as f64;
            (a as f64 + (b as f64 - a as f64) * share).round() as usize
        };
        for step in 0..=steps {
            self.set((between(from.0, to.0, step), between(from.1, to.1, step)));
        }
    }

    fn rows(&self) -> impl Iterator<Item = String> + '_ {
        let letter = |bits: &u8| char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ');
        self.letters.chunks(self.columns).map(move |row| row.iter().map(letter).collect())
    }
}

/// At most so wide.
fn cut(text: &str, width: usize) -> String {
    let text: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.width() <= width {
        return text;
    }
    let mut out = String::new();
    for letter in text.chars() {
        if out.width() + 2 > width {
            break;
        }
        out.push(letter);
    }
    out + "…"
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::chart::Axis;

    fn bars(values: &[Option<f64>]) -> Chart {
        let labels = (0..values.len()).map(|row| format!("row {row}")).collect();
        let series = vec![Series { name: "n".into(), values: values.to_vec() }];
        Chart::Bars(Bars { title: "n by row".into(), labels, series })
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let text = draw(&bars(&[Some(1000.0), Some(500.0), None, Some(0.0)]), 40);
        assert_eq!(
            text,
            "n by row\nrow 0 │██████████████████████████ 1,000\nrow 1 │█████████████ 500\nrow 2 │ NULL\nrow 3 │ 0\n"
        );
        let text = draw(&bars(&[Some(-10.0), Some(10.0)]), 40);
        assert_eq!(
            text,
            "n by row\nrow 0 │██████████████ -10\nrow 1 │              ██████████████ 10\n"
        );
        assert_eq!(draw(&bars(&[]), 40), "n by row\n(no rows)\n");
    }

    #[test]
    fn lines_go_from_corner_to_corner() {
        let x = Axis { name: "x".into(), is_time: false };
        let points = (0..=100).map(|x| (f64::from(x), f64::from(x))).collect();
        let chart = Lines { title: "y by x".into(), x, series: vec![("y".into(), points)] };
        let text = draw(&Chart::Lines(chart), 40);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("100 ┤") && lines[1].ends_with('⠋'), "{text}");
        assert!(lines[12].starts_with("  0 ┤⣠"), "{text}");
        assert_eq!(lines.len(), 1 + PANEL_ROWS + 3);
    }
}
