//! A DNS server of the test's own, for a zone that the test writes.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::daemon::PATIENCE;

/// What the zone says: names with their records.
#[derive(Clone, Default)]
pub struct Zone(Vec<Record>);

impl Zone {
    pub fn host(self, host: &str, address: Ipv4Addr) -> Self {
        self.with(host, RData::A(A(address)))
    }

    pub fn srv(self, service: &str, priority: u16, address: SocketAddr, host: &str) -> Self {
        let zone = self.with(service, RData::SRV(SRV::new(priority, 0, address.port(), name(host))));
        match address {
            SocketAddr::V4(address) => zone.host(host, *address.ip()),
            SocketAddr::V6(_) => panic!("IPv4 alone"),
        }
    }

    pub fn naptr(self, domain: &str, order: u16, service: &str, replacement: &str) -> Self {
        let bytes = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
        let naptr = NAPTR::new(order, 10, bytes("s"), bytes(service), bytes(""), name(replacement));
        self.with(domain, RData::NAPTR(naptr))
    }

    /// How long everything holds, seconds.
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.0.iter_mut().for_each(|record| record.ttl = seconds);
        self
    }

    fn with(mut self, owner: &str, data: RData) -> Self {
        self.0.push(Record::from_rdata(name(owner), 600, data));
        self
    }
}

/// A running server; dropped, it answers nothing any more.
pub struct NameServer {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    pub fn start(host: Ipv4Addr, zone: Zone) -> Self {
        let socket = UdpSocket::bind((host, 0)).expect("a socket");
        // So that it looks at the order to stop.
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let address = socket.local_addr().expect("bound");
        let (asked, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (asked, stop) = (Arc::clone(&asked), Arc::clone(&stop));
            move || serve(&socket, &zone, &asked, &stop)
        });
        Self { address, asked, stop, thread: Some(thread) }
    }

    /// What was asked so far, as "SRV _sip._udp.example.".
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// Waits until something was asked that often, while `meanwhile` goes on.
    pub fn until_asked(&self, question: &str, times: usize, mut meanwhile: impl FnMut()) {
        let since = Instant::now();
        while self.asked().iter().filter(|asked| *asked == question).count() < times {
            assert!(since.elapsed() < PATIENCE, "{question} was not asked {times} times: {:?}", self.asked());
            meanwhile();
        }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, zone: &Zone, asked: &Mutex<Vec<String>>, stop: &AtomicBool) {
    let mut buf = [0; 4_096];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, peer)) = socket.recv_from(&mut buf) else { continue };
        let request = Message::from_vec(&buf[..length]).expect("a question");
        let query = request.queries.first().expect("a question").clone();
        asked.lock().expect("not poisoned").push(format!("{} {}", query.query_type(), query.name()));
        let mut response = Message::response(request.metadata.id, OpCode::Query);
        response.metadata.recursion_available = true;
        let of_name: Vec<&Record> = zone.0.iter().filter(|record| record.name == *query.name()).collect();
        let wanted = |record: &&&Record| record.record_type() == query.query_type();
        let found: Vec<Record> = of_name.iter().filter(wanted).map(|record| (*record).clone()).collect();
        if of_name.is_empty() {
            response.metadata.response_code = ResponseCode::NXDomain;
        }
        response.add_query(query);
        response.add_answers(found);
        let _ = socket.send_to(&response.to_vec().expect("a message"), peer);
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).expect("a name")
}

/// For questions in [`NameServer::asked`].
pub fn question(kind: RecordType, of: &str) -> String {
    format!("{kind} {of}.")
}
