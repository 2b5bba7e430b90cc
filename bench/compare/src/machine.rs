//! What figures were measured on: they mean little without it.

use std::fs;
use std::process::Command;
use std::thread;

use crate::run::Pinning;

/// One paragraph: cores, kernel, compiler, pinning, and how busy the machine was beforehand.
pub(crate) fn describe(pinning: Pinning) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let pinning = match pinning {
        Pinning::Apart => "server on CPU 0, generator on CPU 1",
        Pinning::None => {
            "nothing pinned (no taskset, or one core), so server and generator disturb each other"
        }
    };
    format!(
        "{cores} × {}, {} GiB, Linux {}, {}; {pinning}; load average {} at the start; loopback; commit {}.",
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned()),
        memory_gib(),
        read("/proc/sys/kernel/osrelease"),
        said("rustc", &["--version"]),
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
        said("git", &["rev-parse", "--short", "HEAD"]),
    )
}

fn memory_gib() -> u64 {
    let kilobytes = field("/proc/meminfo", "MemTotal")
        .and_then(|total| total.split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0).div_ceil(1 << 20)
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn said(program: &str, args: &[&str]) -> String {
    match Command::new(program).args(args).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        Ok(_) | Err(_) => format!("{program} unknown"),
    }
}
