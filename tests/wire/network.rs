//! Networks of a test's own: a public one with the floor, and private ones behind NATs, in network namespaces of the system.

use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fd::AsFd;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where the floor is, on the public network.
pub const FLOOR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Where the phone of every site is, on its private network: sites use the same addresses, as homes do.
pub const PHONE: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 10);

/// Translates the source of every datagram to another port, as the NATs do that are hardest on phones.
const NAT: &str = "table ip nat {\n chain out {\n  type nat hook postrouting priority 100;\n  \
    oifname \"out\" meta l4proto udp masquerade to :20000-29999 random\n  oifname \"out\" masquerade\n }\n}\n";

/// A public network with sites, each a phone's network behind a NAT.
pub struct Network {
    name: String,
    sites: u8,
}

impl Network {
    /// Makes it. What earlier runs have left that were killed is cleared away.
    pub fn new(sites: u8) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        assert!(
            rustix::process::geteuid().is_root(),
            "network namespaces need root: run the tests as root, or without these: cargo test --test wire -- --skip nat::"
        );
        clear_away();
        let name = format!("trunkline-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let network = Self { name, sites };
        let floor = network.floor();
        run(&["ip", "netns", "add", &floor], "");
        ip(&floor, "link set lo up");
        ip(&floor, "link add public type bridge");
        ip(&floor, &format!("addr add {FLOOR}/24 dev public"));
        ip(&floor, "link set public up");
        (0..sites).for_each(|site| network.add_site(site));
        network
    }

    fn add_site(&self, site: u8) {
        let (floor, nat, phone) = (self.floor(), self.box_of(site), self.phone_of(site));
        run(&["ip", "netns", "add", &nat], "");
        run(&["ip", "netns", "add", &phone], "");
        ip(&floor, &format!("link add site{site} type veth peer name out netns {nat}"));
        ip(&floor, &format!("link set site{site} master public up"));
        ip(&nat, "link set lo up");
        ip(&nat, &format!("addr add {}/24 dev out", Self::nat(site)));
        ip(&nat, "link set out up");
        ip(&nat, &format!("link add in type veth peer name eth0 netns {phone}"));
        ip(&nat, "addr add 192.168.7.1/24 dev in");
        ip(&nat, "link set in up");
        ip(&phone, "link set lo up");
        ip(&phone, &format!("addr add {PHONE}/24 dev eth0"));
        ip(&phone, "link set eth0 up");
        ip(&phone, "route add default via 192.168.7.1");
        self.set(site, "net.ipv4.ip_forward", "1");
        run(&["ip", "netns", "exec", &nat, "nft", "-f", "-"], NAT);
    }

    /// The address that the public network sees of a site.
    pub fn nat(site: u8) -> Ipv4Addr {
        Ipv4Addr::new(203, 0, 113, 11 + site)
    }

    /// Acts on the public network: sockets that are opened and processes that are started there stay there.
    pub fn at_floor<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        within(&self.floor(), act)
    }

    /// Acts on a site's private network.
    pub fn at_phone<T: Send>(&self, site: u8, act: impl FnOnce() -> T + Send) -> T {
        within(&self.phone_of(site), act)
    }

    /// How long a site's NAT remembers a way that nobody uses.
    pub fn remember_for(&self, site: u8, seconds: u32) {
        for which in ["udp_timeout", "udp_timeout_stream"] {
            self.set(site, &format!("net.netfilter.nf_conntrack_{which}"), &seconds.to_string());
        }
    }

    /// A site's NAT loses its line for a moment and forgets every way through it.
    pub fn forget(&self, site: u8) {
        ip(&self.box_of(site), "link set out down");
        ip(&self.box_of(site), "link set out up");
    }

    fn set(&self, site: u8, key: &str, value: &str) {
        run(&["ip", "netns", "exec", &self.box_of(site), "sysctl", "-qw", &format!("{key}={value}")], "");
    }

    fn floor(&self) -> String {
        format!("{}-floor", self.name)
    }

    fn box_of(&self, site: u8) -> String {
        format!("{}-nat{site}", self.name)
    }

    fn phone_of(&self, site: u8) -> String {
        format!("{}-phone{site}", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let sites = (0..self.sites).flat_map(|site| [self.box_of(site), self.phone_of(site)]);
        // One that could not be made cannot be deleted either.
        sites.chain([self.floor()]).for_each(|name| delete(&name));
    }
}

/// Deletes what test processes have left that were killed.
fn clear_away() {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return };
    for name in names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        let process = name.strip_prefix("trunkline-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            delete(&name);
        }
    }
}

fn delete(name: &str) {
    let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
}

fn ip(namespace: &str, arguments: &str) {
    let words: Vec<&str> = ["ip", "-n", namespace].into_iter().chain(arguments.split(' ')).collect();
    run(&words, "");
}

/// Runs a command that must succeed; gives what it says.
fn run(words: &[&str], input: &str) -> String {
    let child = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child =
        child.unwrap_or_else(|error| panic!("{words:?}: {error}; tests/install.sh installs what is needed"));
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Acts in a thread that has moved to the namespace: a namespace is a thread's own, and what it starts inherits it.
fn within<T: Send>(namespace: &str, act: impl FnOnce() -> T + Send) -> T {
    let file = File::open(Path::new("/run/netns").join(namespace)).expect("a namespace of this test's");
    let moved = || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
        act()
    };
    std::thread::scope(|scope| scope.spawn(moved).join()).unwrap_or_else(|panic| resume_unwind(panic))
}
