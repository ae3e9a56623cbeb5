//! Where data come in and go out.

use cipherloom_plan::PortView;
use serde::Serialize;

/// A port: a tensor that comes in or goes out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PortReport {
    /// The name in the source.
    pub name: String,
    /// `input`, `stream`, `state`, `output` or `reveal`.
    pub kind: &'static str,
    /// Extent of each dimension.
    pub shape: Vec<u32>,
    /// Ciphertexts that hold it.
    pub tiles: u32,
    /// Level of the ciphertexts.
    pub level: u8,
    /// log2 of their scale.
    pub log_scale: f64,
    /// The declared range.
    pub range: [f64; 2],
    /// Predicted error of a value; 0 for what comes in, infinite if it is not known.
    pub error: f64,
    /// The same in bits after the binary point; none for what comes in and what is not known.
    pub precision_bits: Option<f64>,
}

impl PortReport {
    pub(super) fn new(port: &PortView<'_>) -> Self {
        let error = port.error();
        Self {
            name: port.name().to_owned(),
            kind: port.kind().name(),
            shape: port.shape().to_vec(),
            tiles: port.layout().tiles(),
            level: port.level(),
            log_scale: port.scale().log2(),
            range: [port.low(), port.high()],
            error,
            precision_bits: (error > 0.0 && error.is_finite()).then(|| -error.log2()),
        }
    }
}

/// A predicted error for people.
pub fn error_text(error: f64) -> String {
    if error.is_finite() {
        format!("{error:.1e}")
    } else {
        "not known".to_owned()
    }
}
