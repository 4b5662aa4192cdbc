//! Standard output as whoever reads it takes it: with colours and lines of its width on a terminal, plain elsewhere.

use std::{
    io::{ErrorKind, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::{
    config::{Cli, Colour},
    report::formats::Style,
};

/// Lines longer than this are hard to read, however wide the terminal is.
const WIDEST: usize = 120;

/// Writes a text. A reader that has gone away, such as `head`, has what it wanted.
pub(super) fn write(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let written =
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// How a text looks here.
pub(super) fn style(colour: &Colour) -> Style {
    let terminal = std::io::stdout().is_terminal();
    Style { colour: colour.is_wanted(terminal), width: terminal.then(width) }
}

/// Columns of the terminal; 80 where it does not say.
pub(super) fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)).min(WIDEST)
}

/// Prints a text that was asked for.
pub fn print(text: &str) -> anyhow::Result<ExitCode> {
    write(text)?;
    Ok(ExitCode::SUCCESS)
}

/// `meshtriage completions`.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "meshtriage", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// `meshtriage man`.
pub fn manual() -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text).context("the manual page cannot be written")?;
    print(&String::from_utf8_lossy(&text))
}
