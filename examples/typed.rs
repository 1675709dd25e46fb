//! Pools and caches as types of Rust, in a server that answers requests of several tenants:
//!
//! - each tenant has a `Pool` with a limit, which its requests count against;
//! - each request has a `LocalPool` below it, in whose scope all that the request needs is allocated, and which is empty at the end;
//! - sessions are values of a `Cache`, made in one thread and dropped in another;
//! - buffers are values of a `KeptCache`: a thread that is done with one leaves it, with its memory, to the next.
//!
//! ```text
//! cargo run --example typed
//! ```

use core::error::Error;
use std::sync::mpsc;
use std::thread;

use slubmalloc::{AllocError, Cache, CacheBox, KeptCache, LocalPool, Pool};

/// What a server remembers of somebody.
struct Session {
    tenant: usize,
    answered: usize,
}

/// A header of a request, which lies in the request's pool as its texts do.
struct Header<'pool> {
    name: &'pool str,
    value: &'pool str,
    next: Option<&'pool Header<'pool>>,
}

/// The headers of a request, last one first.
fn parse<'pool>(
    pool: &'pool LocalPool<'_>,
    request: &str,
) -> Result<Option<&'pool Header<'pool>>, AllocError> {
    let mut headers = None;
    for line in request.lines() {
        if let Some((name, value)) = line.split_once(": ") {
            let name = pool.alloc_str(name)?;
            name.make_ascii_lowercase();
            let value = pool.alloc_str(value)?;
            let header = pool.alloc(Header {
                name,
                value,
                next: headers,
            })?;
            headers = Some(&*header);
        }
    }
    Ok(headers)
}

/// The length that a request says it has; an error if the tenant's limit forbids to read it.
fn answer(pool: &mut LocalPool<'_>, request: &str) -> Result<usize, AllocError> {
    // Only the number leaves.
    pool.scope(|pool| {
        let headers = parse(pool, request)?;
        let mut all = core::iter::successors(headers, |header| header.next);
        let length = all.find(|header| header.name == "content-length");
        Ok(length.and_then(|it| it.value.parse().ok()).unwrap_or(0))
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Cache::<Session>::new("session")?;
    let buffers = KeptCache::new("buffer", || String::with_capacity(16 << 10))?;
    let tenants: Vec<_> = [1 << 20, 8 << 10]
        .into_iter()
        .map(|limit| Pool::builder().name("tenant").limit(limit).build())
        .collect::<Result<_, _>>()?;

    let (send, receive) = mpsc::channel::<CacheBox<'_, Session>>();
    let (answered, refused) = thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (mut answered, mut refused) = (0, 0);
            for mut session in receive {
                let tenant = &tenants[session.tenant];
                let request = Pool::builder().name("request").parent(tenant);
                let Ok(mut pool) = request.build_local() else {
                    continue;
                };
                for number in 0..100 {
                    let Ok(mut buffer) = buffers.take() else {
                        continue;
                    };
                    buffer.clear();
                    for line in 0..number {
                        *buffer += &format!("X-Header-{line}: of no use to anybody\n");
                    }
                    *buffer += "Content-Length: 42\n";
                    match answer(&mut pool, &buffer) {
                        Ok(length) => session.answered += length / 42,
                        Err(AllocError) => refused += 1,
                    }
                }
                answered += session.answered;
            }
            (answered, refused)
        });
        for number in 0..10 {
            let session = Session {
                tenant: number % 2,
                answered: 0,
            };
            // Without memory there is no session.
            if let Ok(session) = sessions.make(session) {
                let _ = send.send(session);
            }
        }
        drop(send);
        server.join().unwrap_or_default()
    });
    println!(
        "{} answered, {} refused: {}",
        answered,
        refused,
        if answered > 500 && refused > 0 {
            "as limits have it"
        } else {
            "?"
        }
    );
    let used: usize = tenants.iter().map(Pool::used).sum();
    println!("{} sessions and {used} bytes in use", sessions.used());
    Ok(())
}
