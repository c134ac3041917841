//! The task graph as a picture that any browser shows: a box per stage, no task drawn one by one.
//!
//! ```text
//!   level 0   [ scan 96 tasks ]   [ scan 12 tasks ]
//!                     \               /
//!   level 1           [ combine 14 tasks ]          a stage stands below all that it reads
//! ```
//!
//! Its size follows the number of stages, so 10,000 tasks read as well as ten. It does not know how a
//! run went; no outside program draws.

use std::collections::BTreeSet;
use std::fmt::Write;

use dframe_core::size::format_bytes;

use crate::describe::{pattern, projected_bytes, reads};
use crate::task::{Stage, StageGraph};

/// Pixels: height of a box, space between boxes, space between levels, the width of a letter.
const HEIGHT: usize = 64;
const GAP: usize = 32;
const LEVEL_GAP: usize = 48;
const LETTER: usize = 8;

/// A self-contained SVG: a box for each stage with its name, pattern, tasks, and the memory of its
/// largest task; an arrow from each stage to those that read it.
pub fn svg(graph: &StageGraph) -> String {
    let boxes = layout(graph);
    let width = boxes.iter().map(|b| b.x + b.width).max().unwrap_or(0) + GAP;
    let height = boxes.iter().map(|b| b.y + HEIGHT).max().unwrap_or(0) + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <defs><marker id=\"arrow\" markerWidth=\"8\" markerHeight=\"8\" refX=\"8\" refY=\"4\" \
         orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"#555\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for to in &boxes {
        to.needs.iter().for_each(|from| draw_arrow(&mut svg, &boxes[*from], to));
    }
    boxes.iter().for_each(|one| draw_box(&mut svg, one));
    svg.push_str("</svg>\n");
    svg
}

/// A stage and its place.
struct StageBox {
    lines: [String; 3],
    title: String,
    /// The stages that it reads.
    needs: BTreeSet<usize>,
    level: usize,
    x: usize,
    y: usize,
    width: usize,
}

/// Levels from the top, boxes of a level from the left, in the order of the graph.
fn layout(graph: &StageGraph) -> Vec<StageBox> {
    let mut boxes: Vec<StageBox> = Vec::new();
    let mut ends: Vec<usize> = Vec::new();
    for (position, stage) in graph.stages().iter().enumerate() {
        let mut one = StageBox::new(position, stage.as_ref());
        one.level = one.needs.iter().map(|on| boxes[*on].level + 1).max().unwrap_or(0);
        ends.resize(ends.len().max(one.level + 1), 0);
        one.x = ends[one.level] + GAP;
        one.y = GAP + one.level * (HEIGHT + LEVEL_GAP);
        ends[one.level] = one.x + one.width;
        boxes.push(one);
    }
    boxes
}

impl StageBox {
    fn new(position: usize, stage: &dyn Stage) -> Self {
        let tasks = stage.task_count();
        let counted = format!("{tasks} {}", if tasks == 1 { "task" } else { "tasks" });
        let memory = match projected_bytes(stage) {
            0 => String::new(),
            bytes => format!(", {}", format_bytes(bytes as u64)),
        };
        let lines = [
            format!("{position}: {}", stage.name()),
            pattern(stage.pattern()).to_string(),
            format!("{counted}{memory}"),
        ];
        let letters = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let needed = (0..tasks).flat_map(|index| stage.dependencies(index));
        Self {
            title: reads(stage),
            needs: needed.filter(|on| !on.tasks.is_empty()).map(|on| on.stage).collect(),
            width: letters * LETTER + 24,
            lines,
            level: 0,
            x: 0,
            y: 0,
        }
    }

    fn middle(&self) -> usize {
        self.x + self.width / 2
    }
}

fn draw_box(svg: &mut String, one: &StageBox) {
    let StageBox { x, y, width, lines, title, .. } = one;
    let _ = write!(
        svg,
        "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" \
         rx=\"8\" fill=\"#eef4fb\" stroke=\"#36c\"/>",
        escape(title)
    );
    for (index, line) in lines.iter().enumerate() {
        let (middle, line_y) = (one.middle(), y + 20 + 18 * index);
        let _ = write!(
            svg,
            "<text x=\"{middle}\" y=\"{line_y}\" text-anchor=\"middle\">{}</text>",
            escape(line)
        );
    }
    svg.push_str("</g>\n");
}

fn draw_arrow(svg: &mut String, from: &StageBox, to: &StageBox) {
    let _ = writeln!(
        svg,
        "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"#555\" marker-end=\"url(#arrow)\"/>",
        from.middle(),
        from.y + HEIGHT,
        to.middle(),
        to.y
    );
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Control characters may not appear in XML at all.
    text.replace('"', "&quot;").replace(|letter: char| letter.is_control(), " ")
}
