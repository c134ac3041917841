//! Sizes in bytes as users write and read them: `512MB`, `4GiB`, `50%`.

use crate::{Error, Result};

/// A size in bytes, or a share of the memory there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// A share between 0 and 1.
    Share(f64),
}

impl Size {
    /// The bytes this means where `whole` bytes are there in all.
    pub fn of(self, whole: u64) -> u64 {
        match self {
            Size::Bytes(bytes) => bytes,
            Size::Share(share) => (whole as f64 * share) as u64,
        }
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Self {
        Size::Bytes(bytes)
    }
}

impl std::str::FromStr for Size {
    type Err = Error;

    /// Reads `1024`, `512MB` (decimal), `4GiB` or `4G` (binary, as `ulimit` and `sort -S` do), `50%`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let bad = || {
            Error::invalid_input(format!("'{text}' is not a size"))
                .remedy("write a number with a unit, such as 512MB, 4GiB or 50%")
        };
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: f64 = number.parse().map_err(|_| bad())?;
        let unit = unit.trim().to_ascii_lowercase();
        if unit == "%" {
            return if (0.0..=100.0).contains(&number) && number > 0.0 {
                Ok(Size::Share(number / 100.0))
            } else {
                Err(bad())
            };
        }
        let factor = unit_factor(&unit).ok_or_else(bad)?;
        Ok(Size::Bytes((number * factor) as u64))
    }
}

fn unit_factor(unit: &str) -> Option<f64> {
    let power = |base: f64, exponent: i32| Some(base.powi(exponent));
    match unit {
        "" | "b" => Some(1.0),
        "kb" => power(1000.0, 1),
        "mb" => power(1000.0, 2),
        "gb" => power(1000.0, 3),
        "tb" => power(1000.0, 4),
        "k" | "kib" => power(1024.0, 1),
        "m" | "mib" => power(1024.0, 2),
        "g" | "gib" => power(1024.0, 3),
        "t" | "tib" => power(1024.0, 4),
        _ => None,
    }
}

/// Bytes for people: `1.5 GiB`, `640 KiB`, `12 B`.
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 10.0 { 1 } else { 0 };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// The smaller of the machine's memory and the control group's limit, in bytes.
pub fn memory_total() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit).max(1));
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = groups
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .filter_map(|text| text.trim().parse::<u64>().ok())
        .min();
    limit.map_or(machine, |limit| limit.min(machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_users_write() {
        let bytes = |text: &str| text.parse::<Size>().expect(text).of(1000);
        assert_eq!(bytes("1024"), 1024);
        assert_eq!(bytes("512MB"), 512_000_000);
        assert_eq!(bytes("4GiB"), 4 << 30);
        assert_eq!(bytes("1.5k"), 1536);
        assert_eq!(bytes("50%"), 500);
        for bad in ["", "x", "4QB", "-1", "200%", "0%"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn prints_for_people() {
        assert_eq!(format_bytes(12), "12 B");
        assert_eq!(format_bytes(1536), "1.5 KiB");
        assert_eq!(format_bytes(640 << 20), "640 MiB");
    }

    #[test]
    fn the_machine_has_memory() {
        assert!(memory_total() > 1 << 20);
    }
}
