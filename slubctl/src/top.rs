//! `slubctl top`: a process's caches or all processes, again and again, on the full screen or as text.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Sparkline, Wrap};
use slubctl::memory::Process;
use slubctl::read::{self, Depth};
use slubctl::totals::Totals;
use slubctl::view;
use slubctl::view::top::{self, Grouping, Row, Sort};

use crate::looks::{self, Looks};
use crate::signals::Signals;
use crate::told::Told;

/// Looks that are in the picture of the last minutes.
const REMEMBERED: usize = 600;

/// A signal is noticed within this time.
const POLL: Duration = Duration::from_millis(100);

/// Lines of that picture.
const PAST_LINES: u16 = 4;

/// What the keys do.
const KEYS: &str = "q quit  space now  tab cache nodes, nodes  sort: a active  b objs/slab  c cache  l slabs  n name  o objects  s size  u use  r rate";

/// How `top` was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The process, or all of them.
    pub(crate) pid: Option<i32>,
    /// Seconds between two looks.
    pub(crate) delay: f64,
    /// Looks, if there is an end.
    pub(crate) iterations: Option<u64>,
    /// What rows are sorted by.
    pub(crate) sort: Sort,
    /// What a row is.
    pub(crate) grouping: Grouping,
}

/// What is on the screen.
struct Screen {
    options: Options,
    title: String,
    head: String,
    rows: Vec<Row>,
    nodes: Vec<String>,
    lines: Vec<String>,
    /// What is said of processes that cannot be read.
    complaints: Vec<String>,
    /// Bytes in use.
    history: VecDeque<u64>,
    seen: Instant,
    first_line: usize,
}

/// Prints looks as text.
pub(crate) fn batch(options: Options, output: &mut dyn Write) -> Result<ExitCode> {
    let (mut screen, mut told) = (Screen::new(options), Told::default());
    for count in 1.. {
        screen.look()?;
        told.tell(std::mem::take(&mut screen.complaints));
        writeln!(
            output,
            "{}\n{}{}",
            screen.title,
            screen.head,
            screen.columns()
        )?;
        for line in &screen.lines {
            writeln!(output, "{line}")?;
        }
        if options.iterations.is_some_and(|most| count >= most) {
            break;
        }
        writeln!(output)?;
        output.flush()?;
        std::thread::sleep(screen.delay());
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows looks on the full screen until somebody presses `q`.
pub(crate) fn full_screen(options: Options) -> Result<ExitCode> {
    let mut screen = Screen::new(options);
    if !std::io::stdout().is_terminal() {
        bail!("top needs a terminal; --batch prints text");
    }
    // What cannot be looked at is told on the usual screen.
    screen.look()?;
    let signals = Signals::keep()?;
    let mut terminal = ratatui::try_init()?;
    let done = run(&mut screen, &mut terminal, &signals);
    ratatui::restore();
    signals.take_effect()?;
    // What could not be read is told on the usual screen.
    Told::default().tell(screen.complaints);
    done.map(|()| ExitCode::SUCCESS)
}

fn run(
    screen: &mut Screen,
    terminal: &mut ratatui::DefaultTerminal,
    signals: &Signals,
) -> Result<()> {
    let mut looks = 1;
    loop {
        terminal.draw(|frame| screen.draw(frame))?;
        if is_event(screen, signals)? {
            // Anything else, a new size for example, is drawn at once.
            if let Event::Key(key) = event::read()? {
                let is_end = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q') => return Ok(()),
                    KeyCode::Char('c') if is_end => return Ok(()),
                    KeyCode::Char(' ') => screen.look()?,
                    KeyCode::Tab => screen.group()?,
                    KeyCode::Char(letter) => screen.sort(letter),
                    KeyCode::Down => screen.scroll(1),
                    KeyCode::Up => screen.scroll(-1),
                    KeyCode::PageDown => screen.scroll(20),
                    KeyCode::PageUp => screen.scroll(-20),
                    KeyCode::Home => screen.first_line = 0,
                    _ => {}
                }
            }
            continue;
        }
        let is_last = screen.options.iterations.is_some_and(|most| looks >= most);
        if is_last || signals.is_end() {
            return Ok(());
        }
        screen.look()?;
        looks += 1;
    }
}

/// Waits for an event, and returns false if it is time for the next look or for the end.
fn is_event(screen: &Screen, signals: &Signals) -> Result<bool> {
    loop {
        let left = screen.delay().saturating_sub(screen.seen.elapsed());
        if signals.is_end() {
            return Ok(false);
        }
        if event::poll(left.min(POLL))? {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
    }
}

impl Screen {
    fn new(options: Options) -> Self {
        Self {
            options,
            title: String::new(),
            head: String::new(),
            rows: Vec::new(),
            nodes: Vec::new(),
            lines: Vec::new(),
            complaints: Vec::new(),
            history: VecDeque::new(),
            seen: Instant::now(),
            first_line: 0,
        }
    }

    fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.options.delay)
    }

    /// Looks again.
    fn look(&mut self) -> Result<()> {
        let seconds = self.seen.elapsed().as_secs_f64();
        self.seen = Instant::now();
        let Some(pid) = self.options.pid else {
            return self.look_at_all();
        };
        let snapshot = read::process(pid, Depth::Counts)?;
        let totals = Totals::of_all(&snapshot);
        self.title = format!(
            "slubctl: {pid} ({}): {} resident, {} held, {} in use, {} cached, {} free, {:.0}% fragmented, {}{}",
            snapshot.command,
            Process::open(pid)
                .resident_bytes()
                .map_or_else(|| "?".to_owned(), view::human),
            view::human(totals.held()),
            view::human(totals.in_use()),
            view::human(totals.cached()),
            view::human(totals.free()),
            100.0 * totals.fragmented(),
            view::counted(
                snapshot.heaps.iter().map(|heap| heap.threads).sum(),
                "thread"
            ),
            if snapshot.heaps.iter().any(|heap| heap.is_approximate) {
                " (approximate)"
            } else {
                ""
            }
        );
        let before = std::mem::take(&mut self.rows);
        self.rows = top::rows(&snapshot, self.options.grouping, &before, seconds);
        self.head = top::head(&self.rows);
        self.nodes = top::nodes(&snapshot);
        self.complaints = looks::unread(&snapshot).collect();
        self.note(totals.in_use());
        self.sort_rows();
        Ok(())
    }

    fn look_at_all(&mut self) -> Result<()> {
        let looks = Looks::at_all()?;
        let complaints = looks.complaints();
        let mut all = looks.found;
        if all.is_empty() && self.history.is_empty() {
            let complaints = complaints.iter().map(|it| format!("; {it}"));
            let complaints: String = complaints.collect();
            bail!("no process that may be read uses slubmalloc{complaints}");
        }
        all.sort_by_key(|it| std::cmp::Reverse(Totals::of_all(it).in_use()));
        self.title = format!(
            "slubctl: {}",
            match all.len() {
                1 => "1 process".to_owned(),
                count => format!("{count} processes"),
            }
        );
        self.complaints = complaints;
        self.note(all.iter().map(|it| Totals::of_all(it).in_use()).sum());
        self.lines = view::ps(&all).lines().skip(1).map(str::to_owned).collect();
        Ok(())
    }

    fn note(&mut self, in_use: u64) {
        self.history.push_back(in_use);
        if self.history.len() > REMEMBERED {
            self.history.pop_front();
        }
    }

    fn columns(&self) -> String {
        match (self.options.pid, self.options.grouping) {
            (Some(_), Grouping::Nodes) => top::NODE_COLUMNS.to_owned(),
            (Some(_), _) => top::COLUMNS.to_owned(),
            (None, _) => view::ps(&[]).trim_end().to_owned(),
        }
    }

    /// Shows caches, cache nodes and nodes in turn.
    fn group(&mut self) -> Result<()> {
        self.options.grouping = self.options.grouping.next();
        self.first_line = 0;
        self.look()
    }

    fn sort(&mut self, letter: char) {
        if let Some(sort) = Sort::from_letter(letter) {
            self.options.sort = sort;
            self.sort_rows();
        }
    }

    fn sort_rows(&mut self) {
        self.options.sort.apply(&mut self.rows);
        match (self.options.pid, self.options.grouping) {
            (None, _) => {}
            (Some(_), Grouping::Nodes) => self.lines.clone_from(&self.nodes),
            (Some(_), _) => self.lines = self.rows.iter().map(top::line).collect(),
        }
    }

    fn scroll(&mut self, by: isize) {
        let most = self.lines.len().saturating_sub(1);
        self.first_line = self.first_line.saturating_add_signed(by).min(most);
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let lines_of = |text: &str| {
            let width = usize::from(area.width).max(1);
            let most = if area.height < 14 { 1 } else { 3 };
            text.chars().count().div_ceil(width).clamp(1, most) as u16
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
            Constraint::Length(lines_of(KEYS)),
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
        frame.render_widget(wrapped(KEYS), help);
    }
}
