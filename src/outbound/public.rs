//! Which addresses are public, and a resolver that gives no others.
//!
//! IPv4 is judged by what is reserved, IPv6 by what is given out: all of it that is neither
//! 2000::/3 nor reserved within that is refused, and with it every spelling of an IPv4 address
//! (mapped, NAT64, 6to4, Teredo), behind which anything may be.
//!
//! Source: IANA's special-purpose address registries for IPv4 and IPv6.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// First address and length of the prefix.
const RESERVED_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Carriers' own, and what some clouds and overlay networks use within.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, and the metadata of most clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Azure's platform, from within each of its machines.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Multicast, and all that is reserved for later, broadcast among it.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Within 2000::/3.
const RESERVED_V6: &[(Ipv6Addr, u32)] = &[
    // Protocols' own, Teredo and benchmarks among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Whether an address is one of the public network: neither private, nor this machine, nor reserved
/// for anything.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !RESERVED_V4
            .iter()
            .any(|(first, length)| (u32::from(v4) ^ u32::from(*first)).leading_zeros() >= *length),
        IpAddr::V6(v6) => {
            let is_in = |(first, length): &(Ipv6Addr, u32)| {
                (u128::from(v6) ^ u128::from(*first)).leading_zeros() >= *length
            };
            is_in(&GLOBAL_V6) && !RESERVED_V6.iter().any(is_in)
        }
    }
}

/// The system's resolver, less what is not public.
#[derive(Debug)]
pub(super) struct PublicOnly;

/// Not one address of a name is public.
#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
struct NotPublic;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is set by who connects.
            let found = lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|a| is_public(a.ip())).collect();
            if public.is_empty() {
                return Err(Box::new(NotPublic) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::public_client;

    #[test]
    fn public_is_what_the_registries_leave() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ];
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdaa::3",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        let judged = |text: &&str| is_public(text.parse().unwrap());
        let wrong: Vec<_> = public.iter().filter(|a| !judged(a)).collect();
        assert!(wrong.is_empty(), "{wrong:?} are public");
        let wrong: Vec<_> = refused.iter().filter(|a| judged(a)).collect();
        assert!(wrong.is_empty(), "{wrong:?} are not public");
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_gone_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let request = public_client()
            .unwrap()
            .get(format!("http://localhost:{port}/"));
        let error = tokio::select! {
            answer = request.send() => answer.unwrap_err(),
            _ = listener.accept() => panic!("somebody came"),
        };
        assert!(error.is_connect(), "{error:?}");
        assert!(format!("{error:?}").contains("NotPublic"), "{error:?}");
    }
}
