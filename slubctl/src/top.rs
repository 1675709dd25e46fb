//! `slubctl top`: a process's caches or all processes, again and again, on the full screen or as text.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, enable_raw_mode};
use slubctl::view::top::{Grouping, Sort};

use crate::screen::Screen;
use crate::signals::Signals;
use crate::told::Told;

/// A signal is noticed within this time.
const POLL: Duration = Duration::from_millis(100);

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

/// Prints looks as text.
pub(crate) fn batch(options: Options, output: &mut dyn Write) -> Result<ExitCode> {
    let (mut screen, mut told) = (Screen::new(options), Told::default());
    for count in 1.. {
        screen.look()?;
        told.tell(std::mem::take(&mut screen.complaints));
        writeln!(output, "{}\n{}", screen.title, screen.head)?;
        writeln!(output, "{}", screen.columns())?;
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
    // A terminal that is gone needs nothing.
    let _ = ratatui::try_restore();
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
        if signals.is_stop() {
            let _ = ratatui::try_restore();
            signals.stop()?;
        }
        if signals.has_continued() {
            // Another program had the terminal meanwhile, and may have left it as it likes.
            enable_raw_mode()?;
            execute!(std::io::stdout(), EnterAlternateScreen)?;
            terminal.clear()?;
            screen.look()?;
        }
        screen.fit(terminal.size()?.width);
        terminal.draw(|frame| screen.draw(frame))?;
        if is_event(screen, signals)? {
            if signals.is_change() {
                continue;
            }
            // Anything else, a new size for example, is drawn at once.
            if let Event::Key(key) = event::read()? {
                match key.code {
                    // What a terminal makes signals of as long as nobody reads keys.
                    KeyCode::Char(letter) if key.modifiers.contains(KeyModifiers::CONTROL) => {
                        match letter {
                            'c' => return Ok(()),
                            'z' => signals.note_stop(),
                            '\\' | '4' => signals.note_quit(),
                            _ => {}
                        }
                    }
                    KeyCode::Char('q') => return Ok(()),
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
        if signals.is_change() {
            return Ok(true);
        }
        if event::poll(left.min(POLL))? {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
    }
}
