//! How many files and sockets the process may have open, and what it may leave when it crashes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What journal, recordings, database, HTTP and the sockets to listen on take beside connections and media.
const BESIDE: u64 = 1_024;

/// Takes all that the system allows (systems give 1,024 unless one asks), and says where that is less than the settings may need.
pub(super) fn allow(sockets: usize) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files stays as it was");
    }
    let wanted = sockets as u64 + BESIDE;
    let allowed = getrlimit(Resource::Nofile).current;
    if let Some(allowed) = allowed.filter(|allowed| *allowed < wanted) {
        tracing::warn!(
            allowed,
            wanted,
            "sip.max_connections and rtp.ports together may need more open files than the system allows: raise LimitNOFILE of the unit, or `ulimit -Hn`"
        );
    }
}

/// No core dumps: they would hold sound and keys in the clear.
pub(super) fn forbid_dumps() {
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "a crash may write a core dump, which would hold what recordings keep sealed");
    }
}
