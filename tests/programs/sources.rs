//! What the real programs get to work on: fixed scripts, and generated sources too long to keep.

use core::fmt::Write;

pub(crate) const PYTHON: &str = include_str!("churn.py");
pub(crate) const PERL: &str = include_str!("churn.pl");
pub(crate) const NODE: &str = include_str!("churn.js");
pub(crate) const JAVA: &str = include_str!("Churn.java");
pub(crate) const RUST: &str = include_str!("churn.rs");
pub(crate) const PHP: &str = include_str!("work.php");
pub(crate) const GIT: &str = include_str!("history.sh");
pub(crate) const TAR_AND_XZ: &str = include_str!("pack.sh");

/// Thousands of lines of templates, classes and loops.
pub(crate) fn generated_cpp() -> String {
    let mut source = String::from(
        "#include <map>\n#include <string>\n#include <vector>\n#include <algorithm>\n",
    );
    for n in 0..200 {
        let _ = write!(
            source,
            "template <int N> struct Shape{n} {{\n    std::vector<int> sides;\n    std::map<std::string, int> names;\n\
             \x20   int area(int x) const {{\n        int sum = N;\n        for (int side : sides) sum = sum * {k} + side % (x + 1);\n\
             \x20       return sum;\n    }}\n    void grow(int by) {{\n        for (int i = 0; i < by; i++) sides.push_back(i * {k});\n\
             \x20       std::sort(sides.begin(), sides.end());\n        names[\"shape {n}\"] += by;\n    }}\n}};\n\
             int use{n}(int x) {{\n    Shape{n}<{k}> shape;\n    shape.grow(x);\n    return shape.area(x) + shape.names[\"other\"];\n}}\n",
            k = n * 7 + 3,
        );
    }
    source
}

/// Tables, indices, updates, joins, aggregates and recursion.
pub(crate) fn generated_sql() -> String {
    let mut script = String::from(
        "PRAGMA synchronous=OFF; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c INTEGER); BEGIN;\n",
    );
    for n in 0..20_000_u64 {
        let _ = writeln!(
            script,
            "INSERT INTO t VALUES({n}, '{:x}-{}', {});",
            n * 2_654_435_761 % 1_000_003,
            "x".repeat(n as usize % 90),
            n * 31 % 977
        );
    }
    script.push_str(
        "COMMIT; CREATE INDEX i ON t(c, b); UPDATE t SET b = b || c WHERE c % 7 = 0; DELETE FROM t WHERE c % 11 = 3;\n\
         SELECT count(*), sum(c), sum(length(b)), max(b) FROM t;\n\
         SELECT c, count(*), group_concat(a) FROM t GROUP BY c ORDER BY 2 DESC, 1 LIMIT 50;\n\
         SELECT x.a, y.a FROM t x JOIN t y ON x.c = y.c AND x.a < y.a ORDER BY x.b, y.b LIMIT 200;\n\
         WITH RECURSIVE n(i, s) AS (SELECT 1, 'a' UNION ALL SELECT i + 1, substr(s || i, -500) FROM n WHERE i < 20000)\n\
         SELECT sum(length(s)), max(s) FROM n;\n\
         VACUUM; PRAGMA integrity_check;\n",
    );
    script
}

/// 10,000 keys of all types, in the form that redis-cli's pipe mode reads.
pub(crate) fn generated_redis() -> String {
    let mut commands = String::new();
    for n in 0..10_000_usize {
        let _ = match n % 5 {
            0 => writeln!(commands, "SET key:{n} {}", "v".repeat(n % 1500 + 1)),
            1 => writeln!(commands, "RPUSH key:{n} {}", "item ".repeat(n % 40 + 1)),
            2 => writeln!(
                commands,
                "HSET key:{n} field {n} other {}",
                "h".repeat(n % 300 + 1)
            ),
            3 => writeln!(commands, "SADD key:{n} {n} a b c {}", n * 31),
            _ => writeln!(commands, "ZADD key:{n} {n} one {} two 7 three", n % 13),
        };
    }
    commands
}
