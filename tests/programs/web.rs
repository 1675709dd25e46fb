//! PHP's own web server and Apache with mod_php, each on a port of the loopback and in a directory of its own.

use crate::support::{Heap, libc_allowed, preload_into};
use core::time::Duration;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

/// How long a server may take to start and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where Debian's Apache has its modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// A web server, ended by its id when dropped.
pub(crate) struct Web {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Web {
    /// `php -S`, with processes that share its socket.
    pub(crate) fn php(heap: Heap, dir: &Path, page: &str) -> Self {
        fs::write(dir.join("index.php"), page).expect("a page");
        let log = dir.join("log");
        Self::start(heap, &log, |port| {
            let mut command = Command::new("php");
            command
                .args(["-d", "opcache.enable_cli=1", "-S"])
                .arg(format!("127.0.0.1:{port}"))
                .env("PHP_CLI_SERVER_WORKERS", "3")
                .current_dir(dir);
            command
        })
    }

    /// Apache's prefork with mod_php. `dir` must be one that everybody may read, as its children have no rights.
    pub(crate) fn apache(heap: Heap, dir: &Path, page: &str) -> Self {
        let root = dir.join("pages");
        fs::create_dir_all(&root).expect("a directory");
        fs::write(root.join("index.php"), page).expect("a page");
        let log = dir.join("log");
        Self::start(heap, &log, |port| {
            let configuration = dir.join("apache.conf");
            fs::write(&configuration, configuration_of(dir, port)).expect("a file");
            let mut command = Command::new("apache2");
            command.args(["-D", "FOREGROUND", "-f"]).arg(configuration);
            command
        })
    }

    fn start(heap: Heap, log: &Path, make: impl Fn(u16) -> Command) -> Self {
        // A port that is free now may be somebody's a moment later: then the server ends, and another is tried.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
            let port = free.local_addr().expect("its number").port();
            drop(free);
            let mut command = make(port);
            let output = File::create(log.with_extension("output")).expect("a file");
            command
                .stdin(Stdio::null())
                .stdout(output.try_clone().expect("a second descriptor"))
                .stderr(output)
                .process_group(0);
            preload_into(heap, &mut command);
            let child = command.spawn().expect("the server starts");
            let mut web = Self {
                child,
                port,
                log: log.to_owned(),
            };
            if web.answers() {
                web.is_on(heap);
                return web;
            }
        }
        panic!(
            "no server answers: {}",
            fs::read_to_string(log.with_extension("output")).unwrap_or_default()
        );
    }

    fn answers(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && self.child.try_wait().expect("our child").is_none() {
            if self.page().is_some() {
                return true;
            }
            sleep(Duration::from_millis(50));
        }
        false
    }

    /// The server and all its children have the library, or none has.
    fn is_on(&self, heap: Heap) {
        let of_children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = fs::read_to_string(of_children).unwrap_or_default();
        let own = self.child.id().to_string();
        for process in children.split_whitespace().chain([own.as_str()]) {
            // A child that has just ended has no maps.
            let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
            let served = maps.contains("libslubmalloc");
            let expected = heap != Heap::Libc && !maps.is_empty();
            assert!(
                libc_allowed() || served == expected,
                "{process} is not on {heap:?}"
            );
        }
    }

    /// What the server answers when asked for its page, without the head; `None` unless all is well.
    pub(crate) fn page(&self) -> Option<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        connection.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = "GET /index.php HTTP/1.0\r\nHost: localhost\r\n\r\n";
        connection.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.lines()
            .next()?
            .contains(" 200 ")
            .then(|| body.to_owned())
    }

    /// What `ab` has to ask for.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/index.php", self.port)
    }

    /// Has Apache load its configuration and all its plug-ins once more, and waits for children that have them.
    pub(crate) fn restarts(&self) {
        let said = |log: &str| log.matches("resuming normal operations").count();
        let before = said(&self.log());
        self.signal("USR1");
        let deadline = Instant::now() + PATIENCE;
        while said(&self.log()) == before {
            assert!(Instant::now() < deadline, "no restart: {}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Ends it, and returns what it said in its life.
    pub(crate) fn ends(mut self) -> String {
        self.signal("TERM");
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().expect("our child").is_none() {
            assert!(Instant::now() < deadline, "does not end: {}", self.log());
            sleep(Duration::from_millis(20));
        }
        self.log()
    }

    fn log(&self) -> String {
        let read = |file: &Path| fs::read_to_string(file).unwrap_or_default();
        read(&self.log) + &read(&self.log.with_extension("output"))
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // The child leads a process group, whose id is its own.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The module of PHP, whatever its version.
pub(crate) fn php_module() -> Option<PathBuf> {
    let modules = fs::read_dir(MODULES).ok()?;
    let mut paths = modules.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libphp") && name.ends_with(".so")
    })
}

fn configuration_of(dir: &Path, port: u16) -> String {
    let php = php_module().expect("the test has looked for it");
    format!(
        r#"
ServerRoot "{dir}"
ServerName localhost
Listen 127.0.0.1:{port}
PidFile "{dir}/pid"
DefaultRuntimeDir "{dir}"
Mutex "file:{dir}" default
ErrorLog "{dir}/log"
LogLevel notice
LoadModule mpm_prefork_module {MODULES}/mod_mpm_prefork.so
LoadModule authz_core_module {MODULES}/mod_authz_core.so
LoadModule mime_module {MODULES}/mod_mime.so
LoadModule deflate_module {MODULES}/mod_deflate.so
LoadModule filter_module {MODULES}/mod_filter.so
LoadModule rewrite_module {MODULES}/mod_rewrite.so
LoadModule php_module {php}
TypesConfig /dev/null
User {user}
Group {group}
DocumentRoot "{dir}/pages"
<FilesMatch "\.php$">
    SetHandler application/x-httpd-php
</FilesMatch>
StartServers 3
MinSpareServers 2
MaxSpareServers 4
MaxRequestWorkers 6
MaxConnectionsPerChild 60
GracefulShutdownTimeout 5
"#,
        dir = dir.display(),
        php = php.display(),
        user = "nobody",
        group = "nogroup",
    )
}
