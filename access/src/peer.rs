//! Who is at the other end: the address that limits and the audit log go by.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

/// What proxies append the address to that they got a request from.
const FORWARDED: &str = "x-forwarded-for";

/// The address of a client behind `hops` proxies that each append to `x-forwarded-for`; with none of them the header is anybody's
/// word and not looked at.
#[must_use]
pub fn client(socket: IpAddr, headers: &HeaderMap, hops: u8) -> IpAddr {
    let Some(place) = usize::from(hops).checked_sub(1) else {
        return socket.to_canonical();
    };
    let lines: Vec<&str> = headers
        .get_all(FORWARDED)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let said = lines.iter().flat_map(|line| line.split(','));
    let said: Vec<&str> = said.collect();
    let named = said.iter().rev().nth(place).copied().and_then(address);
    named.unwrap_or(socket).to_canonical()
}

fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

/// What one subscriber has: an address, of IPv6 the network around it.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_header_counts_only_as_far_as_proxies_wrote_it() {
        let forwarded = |values: &[&str]| {
            let name = HeaderName::from_static(FORWARDED);
            let pairs = values
                .iter()
                .map(|value| (name.clone(), HeaderValue::from_str(value).expect("a value")));
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(name, value);
            }
            headers
        };
        let proxy = ip("10.0.0.1");
        let headers = forwarded(&["6.6.6.6, 1.2.3.4", "10.0.0.2"]);
        assert_eq!(client(proxy, &headers, 0), proxy);
        assert_eq!(client(proxy, &headers, 1), ip("10.0.0.2"));
        assert_eq!(client(proxy, &headers, 2), ip("1.2.3.4"));
        assert_eq!(client(proxy, &headers, 9), proxy, "more than there are");
        for (text, expected) in [
            ("1.2.3.4:567", ip("1.2.3.4")),
            ("[2001:db8::1]:567", ip("2001:db8::1")),
            ("2001:db8::1", ip("2001:db8::1")),
            ("::ffff:1.2.3.4", ip("1.2.3.4")),
            ("unknown", proxy),
        ] {
            assert_eq!(client(proxy, &forwarded(&[text]), 1), expected, "{text}");
        }
    }

    #[test]
    fn a_subscriber_of_ipv6_has_a_network() {
        assert_eq!(subscriber(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(subscriber(ip("1.2.3.4")), ip("1.2.3.4"));
    }
}
