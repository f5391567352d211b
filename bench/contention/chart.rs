//! The latency curves: one panel for each load, the wait by percentile, both axes logarithmic.

use std::fmt::Write;

use crate::Load;
use crate::measure::Figures;

const WIDTH: f64 = 940.0;
const PANEL: (f64, f64) = (380.0, 210.0);
const LEFT: f64 = 62.0;
const TOP: f64 = 92.0;
const GAP: (f64, f64) = (84.0, 84.0);

const OURS: &str = "#0b6e4f";
const STOCK: &str = "#c8553d";
const INK: &str = "#2b2b2b";
const FAINT: &str = "#8a8a8a";
const GRID: &str = "#e6e6e6";

/// Percentiles along the x axis, by how many nines they have.
const MARKS: [(f64, &str); 5] = [(0.3, "p50"), (1.0, "p90"), (2.0, "p99"), (3.0, "p99.9"), (4.0, "p99.99")];
const NINES: (f64, f64) = (0.0, 4.2);
/// Milliseconds, as powers of ten.
const DECADES: (i32, i32) = (-3, 4);

struct Panel {
    x: f64,
    y: f64,
}

impl Panel {
    fn across(&self, nines: f64) -> f64 {
        self.x + (nines - NINES.0) / (NINES.1 - NINES.0) * PANEL.0
    }

    fn up(&self, ms: f64) -> f64 {
        let (low, high) = (f64::from(DECADES.0), f64::from(DECADES.1));
        let power = ms.max(10f64.powi(DECADES.0)).log10().min(high);
        self.y + PANEL.1 - (power - low) / (high - low) * PANEL.1
    }

    fn axes(&self, out: &mut String, title: &str) {
        let (right, bottom) = (self.x + PANEL.0, self.y + PANEL.1);
        let _ = writeln!(out, "<text x='{:.1}' y='{:.1}' class='title'>{title}</text>", self.x, self.y - 14.0);
        for decade in DECADES.0..=DECADES.1 {
            let y = self.up(10f64.powi(decade));
            let label = match decade {
                -3 => "1 µs",
                -2 => "10 µs",
                -1 => "0.1 ms",
                0 => "1 ms",
                1 => "10 ms",
                2 => "0.1 s",
                3 => "1 s",
                _ => "10 s",
            };
            let _ = writeln!(out, "<path d='M{:.1} {y:.1}H{right:.1}' stroke='{GRID}'/>", self.x);
            let _ = writeln!(
                out,
                "<text x='{:.1}' y='{:.1}' class='axis' text-anchor='end'>{label}</text>",
                self.x - 8.0,
                y + 4.0
            );
        }
        for (nines, label) in MARKS {
            let x = self.across(nines);
            let _ = writeln!(out, "<path d='M{x:.1} {bottom:.1}v5' stroke='{FAINT}'/>");
            let _ = writeln!(
                out,
                "<text x='{x:.1}' y='{:.1}' class='axis' text-anchor='middle'>{label}</text>",
                bottom + 19.0
            );
        }
        let _ = writeln!(out, "<path d='M{:.1} {bottom:.1}H{right:.1}' stroke='{FAINT}'/>", self.x);
    }

    fn curve(&self, out: &mut String, side: &Figures, colour: &str) {
        let mut path = String::new();
        // As far as there are enough waits behind a percentile to mean something.
        let last = (side.waits.len() as f64 / 5.0).log10().min(NINES.1);
        for step in 0..=120 {
            let nines = NINES.0 + (last - NINES.0) * f64::from(step) / 120.0;
            let share = 1.0 - 10f64.powf(-nines);
            let command = if step == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", self.across(nines), self.up(side.wait_ms(share)));
        }
        let _ = writeln!(
            out,
            "<path d='{path}' fill='none' stroke='{colour}' stroke-width='2.2' stroke-linejoin='round'/>"
        );
        let (x, y) = (self.x + PANEL.0, self.up(side.wait_ms(1.0)));
        let _ = writeln!(out, "<circle cx='{x:.1}' cy='{y:.1}' r='4' fill='{colour}'/>");
    }
}

pub(crate) fn svg(figures: &[(Load, Figures, Figures)]) -> String {
    let rows = figures.len().div_ceil(2) as f64;
    let height = TOP + rows * PANEL.1 + (rows - 1.0) * GAP.1 + 66.0;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' role='img' \
         aria-label='The wait for the write lock by percentile'>\n\
         <style>text{{font-family:system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif;fill:{INK}}} \
         .head{{font-size:18px;font-weight:600}} .title{{font-size:13.5px;font-weight:600}} .axis{{font-size:11.5px;fill:#666}} \
         .key{{font-size:13px}}\n\
         @media (prefers-color-scheme:dark){{text{{fill:#f0f6fc}} .axis{{fill:#9198a1}} rect{{fill:#0d1117}} \
         path[stroke=\"{GRID}\"]{{stroke:#2a313c}} path[stroke=\"{OURS}\"]{{stroke:#3fb68b}} circle[fill=\"{OURS}\"]{{fill:#3fb68b}} \
         path[stroke=\"{STOCK}\"]{{stroke:#e8785d}} circle[fill=\"{STOCK}\"]{{fill:#e8785d}}}}</style>\n\
         <rect width='{WIDTH}' height='{height}' fill='#ffffff'/>\n\
         <text x='{LEFT}' y='30' class='head'>How long a writer waits for the write lock</text>"
    );
    for (x, colour, name) in [(LEFT, OURS, "litekeel (busy=fair)"), (LEFT + 190.0, STOCK, "sqlite3_busy_timeout")] {
        let _ = writeln!(out, "<path d='M{x} 52h22' stroke='{colour}' stroke-width='3'/>");
        let _ = writeln!(out, "<text x='{}' y='56.5' class='key'>{name}</text>", x + 30.0);
    }
    let _ = writeln!(out, "<circle cx='{}' cy='52' r='4' fill='{FAINT}'/>", LEFT + 398.0);
    let _ = writeln!(out, "<text x='{}' y='56.5' class='key'>the longest wait</text>", LEFT + 410.0);
    let _ =
        writeln!(out, "<text x='{}' y='56.5' class='key' text-anchor='end'>↓ shorter is better</text>", WIDTH - 16.0);
    for (number, (load, ours, stock)) in figures.iter().enumerate() {
        let (column, row) = ((number % 2) as f64, (number / 2) as f64);
        let panel = Panel { x: LEFT + column * (PANEL.0 + GAP.0), y: TOP + 14.0 + row * (PANEL.1 + GAP.1) };
        panel.axes(&mut out, &load.title());
        panel.curve(&mut out, stock, STOCK);
        panel.curve(&mut out, ours, OURS);
    }
    let (x, y) = (WIDTH / 2.0, height - 12.0);
    let _ = writeln!(
        out,
        "<text x='{x}' y='{y}' class='axis' text-anchor='middle'>percentile of the waits: at p99, 99 of 100 waits are shorter \
         (both axes logarithmic)</text>"
    );
    out.push_str("</svg>\n");
    out
}
