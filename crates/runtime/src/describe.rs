//! The task graph for people: a line per stage, a drawing in the DOT language, or a picture.

use std::collections::BTreeMap;
use std::fmt::Write;

use dframe_core::size::format_bytes;

pub use crate::svg::svg;
use crate::task::{Pattern, Stage, StageGraph};
use crate::tasks::Bound;

/// Tasks of a stage that are drawn one by one.
const DRAWN: usize = 12;

/// A line per stage: position, name, pattern, tasks, projected memory of the largest (`-` where tasks
/// reserve as they go), what each reads.
///
/// ```text
/// stage 0  scan+partial aggregate  blockwise    96 tasks  64 MiB
/// stage 1  combine                 tree reduce  12 tasks  16 MiB  each reads 8 of stage 0
/// ```
pub fn text(graph: &StageGraph) -> String {
    let rows: Vec<[String; 6]> = graph.stages().iter().enumerate().map(row).collect();
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row((position, stage): (usize, &std::sync::Arc<dyn Stage>)) -> [String; 6] {
    let tasks = stage.task_count();
    [
        format!("stage {position}"),
        stage.name().to_string(),
        pattern(stage.pattern()).to_string(),
        format!("{tasks} {}", if tasks == 1 { "task" } else { "tasks" }),
        match projected_bytes(stage.as_ref()) {
            0 => "-".to_string(),
            bytes => format_bytes(bytes as u64),
        },
        reads(stage.as_ref()),
    ]
}

/// The projected memory of the stage's largest task.
pub(crate) fn projected_bytes(stage: &dyn Stage) -> usize {
    (0..stage.task_count()).map(|index| stage.projected_bytes(index)).max().unwrap_or(0)
}

/// `each reads 8 of stage 0, 1-2 of stage 1`.
pub(crate) fn reads(stage: &dyn Stage) -> String {
    let mut counts: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for index in 0..stage.task_count() {
        let mut own: BTreeMap<usize, usize> = BTreeMap::new();
        for dependency in stage.dependencies(index) {
            *own.entry(dependency.stage).or_default() += dependency.tasks.len();
        }
        for (on, count) in own {
            let (least, most) = counts.entry(on).or_insert((count, count));
            *least = count.min(*least);
            *most = count.max(*most);
        }
    }
    let one = |(on, (least, most)): (usize, (usize, usize))| match least == most {
        true => format!("{most} of stage {on}"),
        false => format!("{least}-{most} of stage {on}"),
    };
    match counts.is_empty() {
        true => String::new(),
        false => {
            format!("each reads {}", counts.into_iter().map(one).collect::<Vec<_>>().join(", "))
        }
    }
}

pub(crate) fn pattern(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Blockwise => "blockwise",
        Pattern::TreeReduce => "tree reduce",
        Pattern::Shuffle => "shuffle",
        Pattern::User(Bound::Cpu) => "CPU-bound",
        Pattern::User(Bound::Io) => "I/O-bound",
    }
}

/// A drawing for Graphviz: a box per stage with its first tasks, and one node for all the others.
pub fn dot(graph: &StageGraph) -> String {
    let mut dot =
        String::from("digraph tasks {\n  rankdir=BT;\n  node [shape=box, style=rounded];\n");
    for (position, stage) in graph.stages().iter().enumerate() {
        draw_stage(&mut dot, position, stage.as_ref());
    }
    for (position, stage) in graph.stages().iter().enumerate() {
        draw_edges(&mut dot, position, stage.as_ref());
    }
    dot.push_str("}\n");
    dot
}

fn draw_stage(dot: &mut String, position: usize, stage: &dyn Stage) {
    let tasks = stage.task_count();
    let name = escape(stage.name());
    let kind = pattern(stage.pattern());
    let _ = writeln!(dot, "  subgraph cluster_{position} {{");
    let _ = writeln!(dot, "    label=\"stage {position}: {name}\\n{kind}, {tasks} tasks\";");
    for index in 0..tasks.min(DRAWN) {
        let bytes = match stage.projected_bytes(index) {
            0 => String::new(),
            bytes => format!("\\n{}", format_bytes(bytes as u64)),
        };
        let _ = writeln!(dot, "    s{position}_{index} [label=\"{index}{bytes}\"];");
    }
    if tasks > DRAWN {
        let more = tasks - DRAWN;
        let _ = writeln!(dot, "    s{position}_{DRAWN} [label=\"… {more} more\", style=dashed];");
    }
    dot.push_str("  }\n");
}

/// Edges of the drawn tasks; those from tasks that are not drawn come from the node that stands for them.
fn draw_edges(dot: &mut String, position: usize, stage: &dyn Stage) {
    for index in 0..stage.task_count().min(DRAWN) {
        for dependency in stage.dependencies(index) {
            let tasks = dependency.tasks;
            let hidden = tasks.end > DRAWN;
            let drawn = tasks.start.min(DRAWN)..tasks.end.min(DRAWN);
            for from in drawn.chain(hidden.then_some(DRAWN)) {
                let _ = writeln!(dot, "  s{}_{from} -> s{position}_{index};", dependency.stage);
            }
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dframe_core::Result;

    use super::*;
    use crate::task::{Dependency, Task};

    struct Shape(&'static str, Pattern, usize, usize);

    impl Stage for Shape {
        fn name(&self) -> &str {
            self.0
        }
        fn pattern(&self) -> Pattern {
            self.1
        }
        fn task_count(&self) -> usize {
            self.2
        }
        fn dependencies(&self, index: usize) -> Vec<Dependency> {
            let tasks = index * self.3..((index + 1) * self.3).min(20);
            if self.3 == 0 { vec![] } else { vec![Dependency { stage: 0, tasks }] }
        }
        fn projected_bytes(&self, index: usize) -> usize {
            (index + 1) << 10
        }
        fn task(&self, _index: usize) -> Result<Box<dyn Task>> {
            Err(dframe_core::Error::internal("never made"))
        }
    }

    fn graph() -> StageGraph {
        let mut graph = StageGraph::new();
        graph.push(Arc::new(Shape("scan \"a\"", Pattern::Blockwise, 20, 0)));
        graph.push(Arc::new(Shape("combine", Pattern::TreeReduce, 3, 8)));
        graph
    }

    #[test]
    fn a_line_per_stage() {
        let expected = "stage 0  scan \"a\"  blockwise    20 tasks  20 KiB\n\
                        stage 1  combine   tree reduce  3 tasks   3.0 KiB  each reads 4-8 of stage 0\n";
        assert_eq!(text(&graph()), expected);
    }

    #[test]
    fn a_drawing_stays_small() {
        let dot = dot(&graph());
        assert!(dot.contains("label=\"stage 0: scan \\\"a\\\"\\nblockwise, 20 tasks\""), "{dot}");
        assert!(dot.contains("s0_12 [label=\"… 8 more\", style=dashed]"), "{dot}");
        assert!(dot.contains("s0_7 -> s1_0;") && dot.contains("s0_11 -> s1_1;"), "{dot}");
        assert!(dot.contains("s0_12 -> s1_1;") && dot.contains("s0_12 -> s1_2;"), "{dot}");
        assert_eq!(dot.matches("->").count(), 8 + 4 + 1 + 1);
    }

    #[test]
    fn a_picture_shows_each_stage_once() {
        let svg = svg(&graph());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(svg.contains(">0: scan &quot;a&quot;</text>"), "{svg}");
        assert!(svg.contains(">20 tasks, 20 KiB</text>"), "{svg}");
        assert!(svg.contains("<title>each reads 4-8 of stage 0</title>"), "{svg}");
        assert_eq!((svg.matches("<g>").count(), svg.matches("<line ").count()), (2, 1));
    }

    #[test]
    fn a_picture_does_not_grow_with_tasks_and_stands_below_what_it_reads() {
        let mut graph = StageGraph::new();
        graph.push(Arc::new(Shape("a<b & c>\u{1}", Pattern::Blockwise, 10_000, 0)));
        graph.push(Arc::new(Shape("other", Pattern::Blockwise, 10_000, 0)));
        graph.push(Arc::new(Shape("combine", Pattern::TreeReduce, 10_000, 1)));
        let svg = svg(&graph);
        assert!(svg.len() < 4096, "{}", svg.len());
        assert!(svg.contains(">0: a&lt;b &amp; c&gt; </text>"), "{svg}");
        let tops: Vec<&str> =
            svg.split("<title>").skip(1).map(|g| g.split(" y=").nth(1).unwrap()).collect();
        assert_eq!(
            tops.iter().map(|top| &top[..4]).collect::<Vec<_>>(),
            ["\"32\"", "\"32\"", "\"144"]
        );
        assert_eq!(super::svg(&StageGraph::new()).matches("<g>").count(), 0);
    }
}
