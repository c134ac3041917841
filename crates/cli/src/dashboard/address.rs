//! Where a dashboard is served: what may stand behind `--dashboard=`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// This machine, and a port that is free.
pub const USUAL: &str = "127.0.0.1";

/// Reads `8787`, `127.0.0.1`, `localhost:8787` or `[::1]:8787`.
///
/// # Errors
/// It is none of these, or others could reach it.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let home = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = |text: &str| text.parse::<u16>().ok();
    let named = match text.strip_prefix("localhost") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix(':').and_then(port),
        None => port(text),
    };
    let written = || text.parse::<SocketAddr>().ok();
    let address = match named {
        Some(port) => SocketAddr::new(home, port),
        None => written()
            .or_else(|| Some(SocketAddr::new(text.parse().ok()?, 0)))
            .ok_or("write a port such as 8787, or an address such as 127.0.0.1:8787")?,
    };
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("others could read the query there: serve it on 127.0.0.1, and reach it from another machine with \
                      `ssh -L 8787:127.0.0.1:8787`"
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_of_this_machine() {
        let read = |text| address(text).map(|address| address.to_string()).unwrap();
        assert_eq!(read(USUAL), "127.0.0.1:0");
        assert_eq!(read("8787"), "127.0.0.1:8787");
        assert_eq!(read("localhost"), "127.0.0.1:0");
        assert_eq!(read("localhost:8787"), "127.0.0.1:8787");
        assert_eq!(read("127.0.0.2:1"), "127.0.0.2:1");
        assert_eq!((read("::1"), read("[::1]:80")), ("[::1]:0".into(), "[::1]:80".into()));
    }

    #[test]
    fn refuses_all_others() {
        for text in ["0.0.0.0:80", "192.168.0.1", "[::]:80", "::", "::ffff:127.0.0.1"] {
            assert!(address(text).unwrap_err().contains("ssh -L"), "{text}");
        }
        for text in ["", "x", "localhost:", "localhost:x", "70000", "127.0.0.1:", "example.org:80"]
        {
            assert!(address(text).unwrap_err().contains("a port"), "{text}");
        }
    }
}
