//! A redis-server that is started, asked and ended within a test.

use crate::support::{Heap, libc_allowed, preload_into, run};
use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;

/// A redis-server on a unix socket in its own directory, killed by its id when dropped.
pub(crate) struct Redis<'dir> {
    child: Child,
    dir: &'dir Path,
}

impl<'dir> Redis<'dir> {
    pub(crate) fn start(heap: Heap, dir: &'dir Path) -> Self {
        let mut command = Command::new("redis-server");
        // A relative socket: an absolute path may be longer than a socket's name can be.
        command.args([
            "--port",
            "0",
            "--unixsocket",
            "redis.sock",
            "--save",
            "",
            "--enable-debug-command",
            "yes",
        ]);
        command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        preload_into(heap, &mut command);
        let redis = Self {
            child: command.spawn().expect("redis-server starts"),
            dir,
        };
        for _ in 0..200 {
            if dir.join("redis.sock").exists()
                && redis
                    .try_ask(&["ping"])
                    .is_some_and(|answer| answer == "PONG")
            {
                redis.is_on(heap);
                return redis;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("redis-server does not answer");
    }

    fn is_on(&self, heap: Heap) {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.child.id()))
            .expect("our child's maps");
        let served = maps.contains("libslubmalloc");
        assert!(
            libc_allowed() || served == (heap != Heap::Libc),
            "redis-server is not on {heap:?}"
        );
    }

    fn try_ask(&self, words: &[&str]) -> Option<String> {
        let mut ask = Command::new("redis-cli");
        ask.args(["-s", "redis.sock"])
            .args(words)
            .current_dir(self.dir);
        let answer = run(Heap::Libc, &mut ask, Duration::from_secs(30));
        answer
            .status
            .success()
            .then(|| answer.stdout.trim().to_owned())
    }

    pub(crate) fn ask(&self, words: &[&str]) -> String {
        self.try_ask(words).expect("redis-server answers")
    }

    pub(crate) fn saves_in_the_background(&self) {
        self.ask(&["bgsave"]);
        for _ in 0..400 {
            let state = self.ask(&["info", "persistence"]);
            if state.contains("rdb_bgsave_in_progress:0") {
                assert!(state.contains("rdb_last_bgsave_status:ok"), "{state}");
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("BGSAVE does not end");
    }
}

impl Drop for Redis<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(self.dir.join("redis.sock"));
    }
}
