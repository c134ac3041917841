//! What a chart shows: numbers and names, in a bounded amount. It does not know how it is drawn.

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// A bar for each row and series.
    Bars(Bars),
    /// A line for each series.
    Lines(Lines),
    /// How often values are in which range.
    Histogram(Hist),
}

/// Bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// What the chart is called.
    pub title: String,
    /// What stands beside the bars of a row.
    pub labels: Vec<String>,
    /// Each with a value for each label.
    pub series: Vec<Series>,
}

/// The bars of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The column.
    pub name: String,
    /// Their lengths; nothing for NULL, NaN and infinities.
    pub values: Vec<Option<f64>>,
}

/// Lines over one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// What the chart is called.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// Name and points, from left to right.
    pub series: Vec<(String, Vec<(f64, f64)>)>,
}

/// What numbers on an axis are.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The column.
    pub name: String,
    /// Whether they are seconds since 1970.
    pub is_time: bool,
}

/// A histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Hist {
    /// What the chart is called.
    pub title: String,
    /// The column.
    pub name: String,
    /// The bins.
    pub bins: Bins,
}

/// Ranges of the same width, one after the other: a value at the border of two is in the second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bins {
    /// Where the first one begins.
    pub start: f64,
    /// How wide each is.
    pub width: f64,
    /// The values in each.
    pub counts: Vec<u64>,
}

impl Bins {
    /// Where a bin begins.
    pub fn edge(&self, index: usize) -> f64 {
        // Rounded, so that 0.1 + 0.2 is not written with all its digits.
        let digits = (3.0 - self.width.abs().log10().floor()).clamp(0.0, 15.0) as i32;
        let scale = 10_f64.powi(digits);
        let edge = self.start + self.width * index as f64;
        if edge.abs() * scale < 9e15 { (edge * scale).round() / scale } else { edge }
    }
}

impl Chart {
    /// What it is called.
    pub fn title(&self) -> &str {
        match self {
            Self::Bars(bars) => &bars.title,
            Self::Lines(lines) => &lines.title,
            Self::Histogram(hist) => &hist.title,
        }
    }
}

/// The least and the greatest of the values; `None` without any.
pub fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |extent, value| match extent {
        None => Some((value, value)),
        Some((min, max)) => Some((f64::min(min, value), f64::max(max, value))),
    })
}
