//! Charts: SVG of plain rectangles, which stretch with the page while the words beside them do not.
//!
//! Coordinates are integers in a box of 10,000 by 10,000. Every chart has a table of the same figures
//! behind it, so it is one picture with one description for whoever cannot see it.

use std::fmt::Write as _;

/// The sides of every chart's box.
const BOX: u64 = 10_000;

/// One part of a bar: how its colour is called, what it is, how much.
pub(crate) struct Part {
    pub(crate) colour: &'static str,
    pub(crate) label: String,
    pub(crate) amount: u64,
}

/// One bar of parts, as wide as the whole.
pub(crate) fn bar(description: &str, parts: &[Part], whole: u64) -> String {
    let (mut x, mut rects) = (0, String::new());
    for part in parts.iter().filter(|part| part.amount > 0) {
        let width = scaled(part.amount, whole);
        let (colour, label) = (part.colour, text(&part.label));
        let _ = write!(
            rects,
            "<rect class=\"{colour}\" x=\"{x}\" width=\"{width}\" height=\"{BOX}\"><title>{label}</title></rect>"
        );
        x += width;
    }
    svg("bar", description, &rects)
}

/// Columns side by side, each with its label and amount, under a scale that ends at `top`.
pub(crate) fn columns(description: &str, columns: &[(String, u64)], top: u64) -> String {
    let mut marks = String::new();
    for line in 0..=4 {
        let y = BOX * line / 4;
        let class = if line == 4 { "base" } else { "grid" };
        let _ = write!(marks, "<line class=\"{class}\" x2=\"{BOX}\" y1=\"{y}\" y2=\"{y}\"/>");
    }
    let pitch = BOX / (columns.len() as u64).max(1);
    // Few columns would be broad walls.
    let width = (pitch * 7 / 10).min(700);
    for (n, (label, amount)) in (0..).zip(columns) {
        let x = pitch * n + (pitch - width) / 2;
        // What is there is seen, however little.
        let height = if *amount > 0 { scaled(*amount, top).max(60) } else { 0 };
        let (y, label) = (BOX - height, text(label));
        let _ = write!(
            marks,
            "<g><title>{label}</title><rect class=\"hit\" x=\"{}\" width=\"{pitch}\" height=\"{BOX}\"/>\
             <rect class=\"main\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/></g>",
            pitch * n
        );
    }
    svg("columns", description, &marks)
}

fn svg(class: &str, description: &str, content: &str) -> String {
    format!(
        "<svg class=\"{class}\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {BOX} {BOX}\" \
         preserveAspectRatio=\"none\">{content}</svg>",
        text(description)
    )
}

fn scaled(amount: u64, whole: u64) -> u64 {
    let part = (u128::from(amount) * u128::from(BOX)).checked_div(whole.into()).unwrap_or(0);
    u64::try_from(part).unwrap_or(BOX).min(BOX)
}

/// The end of a scale: the next 1, 2, 4 or 8 times a power of ten (of 1,024 and ten for bytes), so
/// that its quarters are round too.
pub(crate) fn top(greatest: u64, unit: u64) -> u64 {
    let mut step = unit.max(1);
    loop {
        for times in [1, 2, 4, 8] {
            let end = step.saturating_mul(times).max(4);
            if end >= greatest || end == u64::MAX {
                return end;
            }
        }
        step = step.saturating_mul(10);
    }
}

/// Words that came from elsewhere, as text of a page or of an attribute.
pub(crate) fn text(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
