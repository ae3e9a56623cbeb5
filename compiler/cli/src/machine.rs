//! Which machine this is.

/// The processor's name where the system tells it (`/proc/cpuinfo`), with its number of threads.
pub fn name() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model(&info).unwrap_or(std::env::consts::ARCH);
    format!("{model}, {threads} hardware threads")
}

fn model(info: &str) -> Option<&str> {
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found() {
        let info = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nmodel name\t: Other\n";
        assert_eq!(model(info), Some("Some CPU @ 3 GHz"));
        assert_eq!(model("Processor: ARM\n"), None);
        assert!(name().ends_with("hardware threads"));
    }
}
