//! Which connections are let in: limits on all of them together and on those of one client network.
//!
//! Process-wide: all workers share one [`Admission`]. A network is a /24 of IPv4 or a /64 of IPv6.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts open connections.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    open: AtomicUsize,
    by_network: Mutex<HashMap<Network, usize>>,
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// `connections_max` is reached.
    Connections,
    /// `connections_per_prefix_max` is reached.
    Network,
}

/// A client network: the bits of its address that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 3]),
    V6([u16; 4]),
}

impl Network {
    fn of(address: IpAddr) -> Network {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Network::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Network::V6([a, b, c, d])
            }
        }
    }
}

impl Admission {
    /// Counts a connection, or says which limit it would pass.
    pub(crate) fn admit(self: &Arc<Admission>, connections_max: usize) -> Result<Admitted, Full> {
        let admitted = Admitted { admission: Arc::clone(self), network: None };
        match self.open.fetch_add(1, Ordering::Relaxed) < connections_max {
            true => Ok(admitted),
            false => Err(Full::Connections),
        }
    }

    /// Open connections.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// An open connection; no longer counted when dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    network: Option<Network>,
}

impl Admitted {
    /// Counts the connection for its client's network too, once the address is known.
    pub(crate) fn count_client(&mut self, client: IpAddr, per_network_max: usize) -> Result<(), Full> {
        let network = Network::of(client);
        let mut by_network = self.admission.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let open = by_network.entry(network).or_insert(0);
        if *open >= per_network_max {
            return Err(Full::Network);
        }
        *open += 1;
        self.network = Some(network);
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.open.fetch_sub(1, Ordering::Relaxed);
        let Some(network) = self.network else { return };
        let mut by_network = self.admission.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = by_network.get_mut(&network) {
            *open -= 1;
            if *open == 0 {
                by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_counted_until_its_connections_end() {
        let admission = Arc::new(Admission::default());
        let neighbour: IpAddr = "192.0.2.77".parse().unwrap();
        let mut first = admission.admit(9).unwrap();
        first.count_client("192.0.2.1".parse().unwrap(), 1).unwrap();
        assert_eq!(admission.admit(9).unwrap().count_client(neighbour, 1), Err(Full::Network));
        assert_eq!(admission.admit(9).unwrap().count_client("198.51.100.1".parse().unwrap(), 1), Ok(()));
        assert_eq!(
            admission.admit(9).unwrap().count_client("::ffff:192.0.2.5".parse().unwrap(), 1),
            Err(Full::Network)
        );
        drop(first);
        assert_eq!(admission.admit(9).unwrap().count_client(neighbour, 1), Ok(()));
        assert!(admission.by_network.lock().unwrap().is_empty(), "no entry outlives its connections");
    }

    #[test]
    fn the_limit_itself_is_let_in_and_one_more_is_not() {
        let admission = Arc::new(Admission::default());
        let held: Vec<Admitted> = (0..2).map(|_| admission.admit(2).unwrap()).collect();
        assert_eq!(admission.admit(2).unwrap_err(), Full::Connections);
        assert_eq!(admission.open(), 2, "a refused connection is not counted");
        drop(held);
        assert!(admission.admit(2).is_ok());
    }
}
