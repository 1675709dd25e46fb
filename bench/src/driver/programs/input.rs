//! What the programs read, made anew in a temporary folder.

use core::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::Failure;
use crate::random::Random;

/// A program that does little but allocate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Small {
    /// Its name in reports.
    pub(super) name: &'static str,
    /// Its file.
    pub(super) file: &'static str,
    /// How much it does, for about half a second.
    pub(super) rounds: &'static str,
    text: &'static str,
}

macro_rules! small {
    ($file:literal, $rounds:literal) => {
        Small {
            name: concat!("program/", $file),
            file: $file,
            rounds: $rounds,
            text: include_str!(concat!("../../../programs/", $file, ".c")),
        }
    };
}

/// All of them, in the order of reports.
pub(super) const SMALL: [Small; 9] = [
    small!("numbers", "3000000"),
    small!("arrays", "40000"),
    small!("replacement", "20000000"),
    small!("tree", "60"),
    small!("batches", "400"),
    small!("buffers", "400"),
    small!("brief", "500"),
    small!("server", "40"),
    small!("writers", "100000"),
];

/// A new folder with everything in it; the caller removes it.
pub(super) fn prepare() -> Result<PathBuf, Failure> {
    let folder = std::env::temp_dir().join(format!("bench-programs-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(
        folder.join("churn.py"),
        include_str!("../../../programs/churn.py"),
    )?;
    std::fs::write(
        folder.join("churn.js"),
        include_str!("../../../programs/churn.js"),
    )?;
    std::fs::write(
        folder.join("random.h"),
        include_str!("../../../programs/random.h"),
    )?;
    for Small { file, text, .. } in SMALL {
        let options = ["-O2", "-pthread"];
        build(&folder, file, text, &options, &folder.join(file))?;
    }
    let text = include_str!("../../../programs/floor.c");
    let options = ["-O2", "-fPIC", "-shared", "-fno-builtin"];
    build(&folder, "floor", text, &options, &floor(&folder))?;
    std::fs::write(folder.join("input.cc"), source(12))?;
    std::fs::write(folder.join("input.sql"), statements(100_000))?;
    Ok(folder)
}

/// Compiles a program or library. Where there is no compiler it is missing, and its rows say so.
fn build(
    folder: &Path,
    name: &str,
    text: &str,
    options: &[&str],
    target: &Path,
) -> Result<(), Failure> {
    let source = folder.join(name).with_extension("c");
    std::fs::write(&source, text)?;
    _ = Command::new("gcc")
        .args(options)
        .arg("-o")
        .args([target, &source])
        .status();
    Ok(())
}

/// The floor's library in a folder with inputs.
pub(super) fn floor(folder: &Path) -> PathBuf {
    folder.join("libfloor.so")
}

/// C++ with templates and containers: `count` types and the functions that use them.
fn source(count: usize) -> String {
    let mut text = String::new();
    for header in [
        "algorithm",
        "functional",
        "map",
        "memory",
        "string",
        "unordered_map",
        "vector",
    ] {
        _ = writeln!(text, "#include <{header}>");
    }
    text +=
        "template <int N> struct Fold { static constexpr long value = N + Fold<N - 1>::value; };\n";
    text += "template <> struct Fold<0> { static constexpr long value = 0; };\n";
    for index in 0..count {
        _ = writeln!(
            text,
            "struct Type{index} {{\n  std::string name; std::map<int, std::vector<long>> parts;\n  \
             long sum(std::function<long(long)> f) const {{\n    long s = Fold<{fold}>::value;\n    \
             for (auto const &[key, part] : parts) for (long x : part) s += f(x) * key + {index};\n    \
             return s;\n  }}\n}};\nlong run{index}(std::unordered_map<std::string, Type{index}> &all) {{\n  \
             std::vector<std::shared_ptr<Type{index}>> kept;\n  \
             for (auto &[name, one] : all) if (one.sum([](long x) {{ return x ^ {index}; }}) > {index})\n    \
             kept.push_back(std::make_shared<Type{index}>(one));\n  \
             std::sort(kept.begin(), kept.end(), [](auto &a, auto &b) {{ return a->name < b->name; }});\n  \
             return long(kept.size());\n}}",
            fold = 100 + index,
        );
    }
    text
}

/// SQL that fills, indexes, joins, updates and deletes; `count` rows.
fn statements(count: usize) -> String {
    let mut random = Random::new(7);
    let mut text = String::from(
        "create table person(id integer primary key, name text, town text, age int);\n\
         create table visit(person int, place text, cost real);\nbegin;\n",
    );
    for id in 0..count {
        let (town, age) = (random.below(500), random.below(90));
        _ = writeln!(
            text,
            "insert into person values({id},'name {}','town {town}',{age});",
            random.below(count)
        );
        let (person, place) = (random.below(count), random.below(1000));
        _ = writeln!(
            text,
            "insert into visit values({person},'place {place}',{}.5);",
            random.below(100)
        );
    }
    text += "commit;\ncreate index by_town on person(town, age);\ncreate index by_person on visit(person);\n\
        select town, count(*), avg(age), group_concat(name) from person group by town order by 2 desc;\n\
        select p.town, v.place, sum(v.cost) from person p join visit v on v.person = p.id group by 1, 2 \
        order by 3 desc limit 1000;\n\
        update person set name = name || ' of ' || town where age > 40;\n\
        delete from visit where cost < 50;\n\
        select sum(length(name)), count(*) from person join visit on person = id;\n";
    text
}
