//! A small HTTP server for one page.
//!
//! # Invariant
//!
//! A client that is slow, or asks and does not read, holds one of several threads, and for some seconds only: each connection
//! is for one request.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Connections that are served at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 8;
/// The time in which a client has to ask, and again in which it has to take the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The time in which it has to read the end, and the pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of a request's head.
const LONGEST: usize = 16 << 10;

/// An answer: status, type and text.
pub(crate) type Page = (&'static str, &'static str, String);

/// Answers requests for paths by `page` until this program ends.
pub(crate) fn serve(listener: &TcpListener, page: &(dyn Fn(&str) -> Page + Sync)) {
    let serve_one_by_one = || {
        loop {
            match listener.accept() {
                // Who asked may be gone.
                Ok((stream, _)) => drop(answer(stream, page)),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..CONNECTIONS {
            scope.spawn(serve_one_by_one);
        }
        serve_one_by_one();
    });
}

fn answer(mut stream: TcpStream, page: &dyn Fn(&str) -> Page) -> Result<()> {
    let head = head(&mut stream, Instant::now() + PATIENCE)?;
    let mut words = head.split_whitespace();
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let plain = "text/plain; charset=utf-8";
    let (status, kind, text) = match method {
        Some("GET" | "HEAD") => page(target.split('?').next().unwrap_or_default()),
        _ => (
            "405 Method Not Allowed",
            plain,
            "only GET and HEAD\n".to_owned(),
        ),
    };
    let length = text.len();
    let mut all = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    if method != Some("HEAD") {
        all.push_str(&text);
    }
    let (mut rest, deadline) = (all.as_bytes(), Instant::now() + PATIENCE);
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        let written = stream.write(rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    stream.shutdown(Shutdown::Write)?;
    // To close with something unread would take back what the client has not read yet.
    let deadline = Instant::now() + PAUSE;
    let mut buffer = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        if stream.read(&mut buffer)? == 0 {
            return Ok(());
        }
    }
}

/// The lines of a request up to the empty one.
fn head(stream: &mut TcpStream, deadline: Instant) -> Result<String> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|it| it == b"\r\n\r\n") {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = stream.read(&mut buffer)?;
        if read == 0 || head.len() > LONGEST {
            return Err(ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&buffer[..read]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn left(deadline: Instant) -> Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(Error::from(ErrorKind::TimedOut)),
        false => Ok(left),
    }
}
