//! The heap profile: tables as they are described, names of code, formats, and what looks like a leak.

mod formats;
mod growth;
mod made;
mod names;
mod reader;
mod stand_in;
mod structures;
#[path = "../support/mod.rs"]
mod support;
mod running;
