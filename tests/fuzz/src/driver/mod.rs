//! The program: a parent that starts children, watches them, and makes lists that fail short; the allocator under test
//! runs only in the children.

mod arguments;
mod child;
mod minimise;
mod parent;
mod progress;
mod promise;
mod random;

use std::process::ExitCode;

use arguments::{Arguments, Mode};

/// Runs as the command line says.
pub fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Err(complaint) => {
            eprintln!("operations: {complaint}");
            ExitCode::from(2)
        }
        Ok(arguments) => match arguments.mode {
            Mode::Help => {
                print!("{}", arguments::HELP);
                ExitCode::SUCCESS
            }
            Mode::Parent => parent::run(&arguments),
            Mode::Replay => parent::replay(&arguments),
            Mode::ChildRandom | Mode::ChildLists => child::run(&arguments),
        },
    }
}
