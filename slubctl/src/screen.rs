//! What `top` shows, and how it is drawn.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Sparkline, Wrap};
use slubctl::read::{self, Depth};
use slubctl::snapshot::{Heap, Snapshot};
use slubctl::totals::Totals;
use slubctl::view;
use slubctl::view::top::{self, Grouping, Row, Shape, Sort};

use crate::looks::{self, Looks};
use crate::top::Options;

/// Looks that are in the picture of the last minutes.
const REMEMBERED: usize = 600;

/// Lines of that picture.
const PAST_LINES: u16 = 4;

/// What the keys do.
const KEYS: &str = "q quit  space now  tab next table  sort: a active  b objs/slab  c cache  l slabs  n name  o objects  s size  u use  r rate";
/// What they do where rows are processes, and where they are pools.
const KEYS_OF_PROCESSES: &str = "q quit  space now  sort: a in use  b threads  c held  l cache nodes  n name  o cached  s resident  u use  r free";
const KEYS_OF_POOLS: &str = "q quit  space now  tab caches  sort: a used  c slabs  l large  n name  o own  s at hand  u use of the limit";

/// What is on the screen.
pub(crate) struct Screen {
    pub(crate) options: Options,
    pub(crate) title: String,
    pub(crate) head: String,
    rows: Vec<Row>,
    /// What other groupings show, and all processes.
    seen_last: Snapshot,
    all: Vec<Snapshot>,
    pub(crate) lines: Vec<String>,
    /// What is said of processes that cannot be read.
    pub(crate) complaints: Vec<String>,
    /// Bytes in use.
    history: VecDeque<u64>,
    pub(crate) seen: Instant,
    pub(crate) first_line: usize,
    /// Columns of the terminal.
    width: usize,
}

impl Screen {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            title: String::new(),
            head: String::new(),
            rows: Vec::new(),
            seen_last: Snapshot::default(),
            all: Vec::new(),
            lines: Vec::new(),
            complaints: Vec::new(),
            history: VecDeque::new(),
            seen: Instant::now(),
            first_line: 0,
            width: usize::MAX,
        }
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.options.delay)
    }

    /// Looks again.
    pub(crate) fn look(&mut self) -> Result<()> {
        let seconds = self.seen.elapsed().as_secs_f64();
        self.seen = Instant::now();
        let Some(pid) = self.options.pid else {
            return self.look_at_all();
        };
        let snapshot = read::process(pid, Depth::Resident)?;
        let totals = Totals::of_all(&snapshot);
        self.title = format!(
            "slubctl: {pid} ({}): {} resident, {} held, {} in use, {} cached, {} free, {:.0}% fragmented, {}{}",
            snapshot.command,
            resident(&snapshot).map_or_else(|| "?".to_owned(), view::human),
            view::human(totals.held()),
            view::human(totals.in_use()),
            view::human(totals.cached()),
            view::human(totals.free()),
            100.0 * totals.fragmented(),
            view::counted(snapshot.threads(), "thread"),
            if snapshot.heaps.iter().any(|heap| heap.is_approximate) {
                " (approximate)"
            } else {
                ""
            }
        );
        let before = std::mem::take(&mut self.rows);
        self.rows = top::rows(&snapshot, self.options.grouping, &before, seconds);
        self.head = top::head(&self.rows);
        self.complaints = looks::unread(&snapshot).collect();
        self.note(totals.in_use());
        self.seen_last = snapshot;
        self.sort_rows();
        Ok(())
    }

    fn look_at_all(&mut self) -> Result<()> {
        let looks = Looks::at_all()?;
        let complaints = looks.complaints();
        let all = looks.found;
        if all.is_empty() && self.history.is_empty() {
            let complaints = complaints.iter().map(|it| format!("; {it}"));
            let complaints: String = complaints.collect();
            bail!("no process that may be read uses slubmalloc{complaints}");
        }
        self.title = format!(
            "slubctl: {}",
            match all.len() {
                1 => "1 process".to_owned(),
                count => format!("{count} processes"),
            }
        );
        self.complaints = complaints;
        self.note(all.iter().map(|it| Totals::of_all(it).in_use()).sum());
        self.all = all;
        self.sort_rows();
        Ok(())
    }

    fn note(&mut self, in_use: u64) {
        self.history.push_back(in_use);
        if self.history.len() > REMEMBERED {
            self.history.pop_front();
        }
    }

    pub(crate) fn columns(&self) -> String {
        match (self.options.pid, self.options.grouping) {
            (Some(_), Grouping::Nodes) => top::NODE_COLUMNS.to_owned(),
            (Some(_), Grouping::Pools) => view::POOL_COLUMNS.to_owned(),
            (Some(_), _) => self.shape().columns(),
            (None, _) => view::ps_within(&[], self.width).trim_end().to_owned(),
        }
    }

    fn shape(&self) -> Shape {
        Shape::of(self.options.grouping, self.width)
    }

    /// Has lines fit into a number of columns.
    pub(crate) fn fit(&mut self, width: u16) {
        let width = usize::from(width);
        if width != self.width {
            self.width = width;
            self.sort_rows();
        }
    }

    /// Shows caches, cache nodes, nodes and pools in turn.
    pub(crate) fn group(&mut self) -> Result<()> {
        self.options.grouping = self.options.grouping.next();
        self.first_line = 0;
        self.look()
    }

    pub(crate) fn sort(&mut self, letter: char) {
        if let Some(sort) = Sort::from_letter(letter) {
            self.options.sort = sort;
            self.sort_rows();
        }
    }

    fn sort_rows(&mut self) {
        let sort = self.options.sort;
        self.lines = match (self.options.pid, self.options.grouping) {
            (None, _) => {
                sort.apply_to_processes(&mut self.all);
                view::ps_within(&self.all, self.width)
                    .lines()
                    .skip(1)
                    .map(str::to_owned)
                    .collect()
            }
            (Some(_), Grouping::Nodes) => top::nodes(&self.seen_last),
            (Some(_), Grouping::Pools) => view::pools(&self.seen_last, sort),
            (Some(_), _) => {
                sort.apply(&mut self.rows);
                let shape = self.shape();
                let lines = self.rows.iter().map(|row| top::line(row, shape));
                lines.collect()
            }
        };
    }

    pub(crate) fn scroll(&mut self, by: isize) {
        let most = self.lines.len().saturating_sub(1);
        self.first_line = self.first_line.saturating_add_signed(by).min(most);
    }

    pub(crate) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let lines_of = |text: &str| {
            let width = usize::from(area.width).max(1);
            let most = if area.height < 14 { 1 } else { 3 };
            text.chars().count().div_ceil(width).clamp(1, most) as u16
        };
        let keys = match (self.options.pid, self.options.grouping) {
            (None, _) => KEYS_OF_PROCESSES,
            (Some(_), Grouping::Pools) => KEYS_OF_POOLS,
            (Some(_), _) => KEYS,
        };
        let head = self.head.lines().count() as u16;
        // A small terminal has the table first, then the sums, and the past last.
        let (head, past) = match area.height {
            ..14 => (0, 0),
            14..20 => (head, 0),
            _ => (head, PAST_LINES),
        };
        let parts = [
            Constraint::Length(lines_of(&self.title)),
            Constraint::Length(head),
            Constraint::Length(past),
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(lines_of(keys)),
        ];
        let [title, sums, past, columns, table, help] = Layout::vertical(parts).areas(area);
        let bold = Style::default().add_modifier(Modifier::BOLD);
        let reversed = Style::default().add_modifier(Modifier::REVERSED);
        let wrapped = |text| Paragraph::new(text).wrap(Wrap { trim: true });
        frame.render_widget(wrapped(self.title.as_str()).style(bold), title);
        frame.render_widget(Paragraph::new(self.head.as_str()), sums);
        let width = usize::from(past.width);
        let shown = self
            .history
            .iter()
            .skip(self.history.len().saturating_sub(width));
        // What was least is the bottom, or changes of a large heap would not show.
        let least = self.history.iter().min().copied().unwrap_or_default();
        let most = self.history.iter().max().copied().unwrap_or_default();
        let data: Vec<u64> = shown.map(|it| it - least + 1).collect();
        let range = format!("in use: {} to {}", view::human(least), view::human(most));
        let block = Block::new().title(range);
        frame.render_widget(Sparkline::default().block(block).data(&data), past);
        frame.render_widget(Paragraph::new(self.columns()).style(reversed), columns);
        let lines = self.lines.iter().skip(self.first_line);
        let lines: Vec<Line<'_>> = lines.map(|it| Line::from(it.as_str())).collect();
        frame.render_widget(Paragraph::new(lines), table);
        frame.render_widget(wrapped(keys), help);
    }
}

/// What is resident of the heaps of a process, as `show` and `ps` say it.
fn resident(snapshot: &Snapshot) -> Option<u64> {
    let mut heaps = snapshot.heaps.iter().filter(|it| it.is_made);
    let add = |sum: u64, heap: &Heap| Some(sum.saturating_add(heap.resident.as_ref()?.sum()));
    heaps.try_fold(0, add)
}
