//! What the connections of the HTTP client do differently: a host's addresses are asked for now and then rather than
//! before each request, which takes a thread, a request's head goes out together with its body, and it is known whether
//! anything of it has gone out.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Timeout;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// How long addresses are used again. A host that moves is found anew after that.
const FRESH: Duration = Duration::from_secs(5);
/// So many hosts: the server's own, and those that it sends us on to.
const MOST_HOSTS: usize = 8;

/// The addresses of the hosts that were asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    resolver: DefaultResolver,
    known: Mutex<Vec<(String, Instant, ResolvedSocketAddrs)>>,
}

impl Resolver for Addresses {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let place = format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
        let place = format!("{place}:{}", uri.port_u16().unwrap_or_default());
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|(_, since, _)| since.elapsed() < FRESH);
            if let Some((_, _, addresses)) = known.iter().find(|(other, ..)| *other == place) {
                return Ok(addresses.clone());
            }
        }
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.truncate(MOST_HOSTS - 1);
        known.push((place, Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

thread_local! {
    /// Of the request that this thread sends: when its answer has to begin, and whether anything of it has gone out.
    static SENDING: Cell<(Option<Instant>, bool)> = const { Cell::new((None, false)) };
}

/// Sends a request by the connections of this file: what came of it, and whether anything of it has gone out. Sending it and
/// waiting for the head of its answer end at the deadline.
pub(crate) fn sending<T>(deadline: Instant, send: impl FnOnce() -> T) -> (T, bool) {
    /// However it ends: what is read of an answer later has a deadline of its own.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            SENDING.set((None, false));
        }
    }
    SENDING.set((Some(deadline), false));
    let _end = End;
    let came = send();
    (came, SENDING.get().1)
}

/// Not longer than until the deadline of what is being sent.
fn in_time(timeout: NextTimeout) -> NextTimeout {
    let left = SENDING.get().0.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    match left {
        Some(left) if left < *timeout.after => NextTimeout { after: left.into(), reason: Timeout::Global, ..timeout },
        _ => timeout,
    }
}

/// Comes last in the chain of connectors: what a connection takes to be made, TLS included, is behind it.
#[derive(Debug)]
pub(crate) struct Together;

impl<In: Transport> Connector<In> for Together {
    type Out = Joined<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|inner| Joined { inner, head: Vec::new() }))
    }
}

/// A connection that keeps the head of a request back until the begin of its body.
#[derive(Debug)]
pub(crate) struct Joined<T> {
    inner: T,
    head: Vec<u8>,
}

impl<T: Transport> Joined<T> {
    /// Sends so many bytes of output.
    fn out(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        SENDING.set((SENDING.get().0, true));
        self.inner.transmit_output(amount, in_time(timeout))
    }

    /// Sends what was kept back before `amount` bytes of output.
    fn send(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let head = std::mem::take(&mut self.head);
        let output = self.inner.buffers().output();
        if head.len() + amount <= output.len() {
            output.copy_within(..amount, head.len());
            output[..head.len()].copy_from_slice(&head);
            return self.out(head.len() + amount, timeout);
        }
        let body = output[..amount].to_vec();
        output[..head.len()].copy_from_slice(&head);
        self.out(head.len(), timeout)?;
        self.inner.buffers().output()[..amount].copy_from_slice(&body);
        self.out(amount, timeout)
    }
}

impl<T: Transport> Transport for Joined<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let output = &self.inner.buffers().output()[..amount];
        // Each of ours that is a POST has a body, and no body of ours begins so.
        if self.head.is_empty() && output.starts_with(b"POST ") && output.ends_with(b"\r\n\r\n") {
            self.head = output.to_vec();
            return Ok(());
        }
        if self.head.is_empty() { self.out(amount, timeout) } else { self.send(amount, timeout) }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if !self.head.is_empty() {
            self.send(0, timeout)?;
        }
        self.inner.await_input(in_time(timeout))
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use ureq::unversioned::transport::LazyBuffers;

    use super::*;

    /// Keeps what goes out, a piece for each packet.
    #[derive(Debug)]
    struct Wire {
        buffers: LazyBuffers,
        sent: Vec<Vec<u8>>,
    }

    impl Transport for Wire {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
            self.sent.push(self.buffers.output()[..amount].to_vec());
            Ok(())
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
            Ok(false)
        }

        fn is_open(&mut self) -> bool {
            true
        }

        fn is_tls(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_head_goes_with_its_body_in_one_piece_where_it_fits() {
        let head = b"POST /v3/pipeline HTTP/1.1\r\n\r\n";
        let room = head.len() + 10;
        for (pieces, expected) in [
            (vec![&head[..], b"{\"a\":1}"], vec![[&head[..], b"{\"a\":1}"].concat()]),
            // As much as fits, and one more.
            (vec![&head[..], &[b'x'; 10]], vec![[&head[..], &[b'x'; 10]].concat()]),
            (vec![&head[..], &[b'x'; 11]], vec![head.to_vec(), vec![b'x'; 11]]),
            (vec![&head[..], b"{", b"}"], vec![[&head[..], b"{"].concat(), b"}".to_vec()]),
            (vec![b"GET /version HTTP/1.1\r\n\r\n"], vec![b"GET /version HTTP/1.1\r\n\r\n".to_vec()]),
            // The body never came: whoever waits for an answer has sent what there was.
            (vec![&head[..]], vec![head.to_vec()]),
        ] {
            let wire = Wire { buffers: LazyBuffers::new(64, room), sent: Vec::new() };
            let mut joined = Joined { inner: wire, head: Vec::new() };
            for piece in pieces {
                joined.buffers().output()[..piece.len()].copy_from_slice(piece);
                joined.transmit_output(piece.len(), NextTimeout::default()).unwrap();
            }
            joined.await_input(NextTimeout::default()).unwrap();
            assert_eq!(joined.inner.sent, expected);
            assert!(joined.is_tls() && joined.is_open());
        }
    }

    #[test]
    fn it_is_known_whether_anything_has_gone_out_and_nothing_waits_beyond_the_deadline() {
        let wire = || Wire { buffers: LazyBuffers::new(64, 64), sent: Vec::new() };
        let later = Instant::now() + Duration::from_secs(3600);
        let mut joined = Joined { inner: wire(), head: Vec::new() };
        let head = b"POST / HTTP/1.1\r\n\r\n";
        let kept_back = sending(later, || {
            joined.buffers().output()[..head.len()].copy_from_slice(head);
            joined.transmit_output(head.len(), NextTimeout::default()).unwrap();
        });
        assert_eq!(kept_back, ((), false));
        assert_eq!(sending(later, || joined.await_input(NextTimeout::default()).unwrap()), (false, true));
        assert_eq!(sending(later, || ()), ((), false), "each request by itself");
        let within = |deadline| sending(deadline, || *in_time(NextTimeout::default()).after).0;
        assert!(within(later) <= Duration::from_secs(3600) && within(later) > Duration::from_secs(3000));
        assert_eq!(within(Instant::now() - Duration::from_secs(1)), Duration::ZERO);
        assert!(in_time(NextTimeout::default()).after.is_not_happening(), "nothing is being sent");
    }

    #[test]
    fn addresses_are_asked_for_once_in_a_while() {
        let addresses = Addresses::default();
        let config = Config::default();
        let ask = |uri: &str| {
            let uri: Uri = uri.parse().unwrap();
            let found = addresses.resolve(&uri, &config, NextTimeout::default()).unwrap();
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(ask("http://127.0.0.1:80/a"), ["127.0.0.1:80"]);
        assert_eq!(ask("http://127.0.0.1:80/b"), ["127.0.0.1:80"]);
        assert_eq!(addresses.known.lock().unwrap().len(), 1, "the path is not the place");
        // Another port and another scheme are other places.
        assert_eq!(ask("http://127.0.0.1:81/"), ["127.0.0.1:81"]);
        assert_eq!(ask("http://127.0.0.1/"), ["127.0.0.1:80"]);
        assert_eq!(ask("https://127.0.0.1/"), ["127.0.0.1:443"]);
        for port in 1..30 {
            assert_eq!(ask(&format!("http://127.0.0.1:{port}/")), [format!("127.0.0.1:{port}")]);
        }
        assert!(addresses.known.lock().unwrap().len() <= MOST_HOSTS);
        // An old one is asked for anew.
        addresses.known.lock().unwrap().iter_mut().for_each(|known| known.1 -= FRESH);
        ask("http://127.0.0.1:80/");
        assert_eq!(addresses.known.lock().unwrap().len(), 1);
    }
}
