//! Plans for microcontrollers: parameters whose memory the device has, or what is missing and what would help.

use cipherloom_plan::Plan;

use super::{Compiled, compile_freely};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::Graph;
use crate::options::Options;
use crate::target::{DEVICES, Device, Footprint, Part, Role, Tables};

/// Ring degrees that small machines have memory for.
const SMALL_RINGS: std::ops::RangeInclusive<u32> = 10..=13;
/// Fewer steps that are tried, so that a hopeless program is refused soon.
const STEPS_TRIED: usize = 4;

/// Compiles for a device: the fastest plan where it fits, else the first of another ring degree, unless one is asked for.
pub(super) fn compile(
    device: &Device,
    graph: &Graph,
    options: &Options,
    warnings: Diagnostics,
) -> Result<Compiled, Diagnostics> {
    let compiled = compile_freely(graph, options, warnings.clone())?;
    let Some(footprint) = too_large(&compiled, device) else {
        return Ok(compiled);
    };
    let with = |other: Options| compile_freely(graph, &other, warnings.clone()).ok();
    let at = |log_n: u32| {
        let log_n = Some(log_n);
        with(Options {
            log_n,
            ..options.clone()
        })
    };
    let serves = |other: &Compiled| {
        too_large(other, device).is_none() && (is_precise(other) || !is_precise(&compiled))
    };
    let mut smaller = SMALL_RINGS.filter_map(|log_n| Some((log_n, at(log_n).filter(serves)?)));
    let ring = match (smaller.next(), options.log_n) {
        (Some((_, compiled)), None) => return Ok(compiled),
        (Some((log_n, _)), Some(_)) => Some(format!("--log-n {log_n}: it fits")),
        (None, _) => None,
    };
    let mut fewer = (1..compiled.steps).rev().take(STEPS_TRIED);
    let steps = fewer.find(|&steps| {
        let steps = Some(steps);
        let fewer = with(Options {
            steps,
            ..options.clone()
        });
        fewer.is_some_and(|fewer| serves(&fewer))
    });
    let steps = steps.map(|steps| format!("--steps {steps}: as many fit"));
    let larger = DEVICES.iter().find(|larger| footprint.fits(larger));
    let larger = larger.map(|larger| {
        format!(
            "--target {}, which has {} bytes of memory",
            larger.name, larger.ram_bytes
        )
    });
    let refusal = refusal(&footprint, &compiled, device)
        .remedy_if(ring)
        .remedy_if(steps)
        .remedy_if(larger)
        .remedy("fewer products in a row: each takes a level, and each level a limb of every ciphertext")
        .remedy(format!(
            "leave --target out and execute the plan on a server: with --word-bits {}, devices still encrypt and decrypt",
            options.word_bits
        ));
    Err(refusal.into())
}

fn is_precise(compiled: &Compiled) -> bool {
    !compiled
        .warnings
        .0
        .iter()
        .any(|warning| warning.code == Code::Precision)
}

/// What executing the plan takes, if the device does not have it.
fn too_large(compiled: &Compiled, device: &Device) -> Option<Footprint> {
    let plan = Plan::parse(&compiled.plan).ok()?;
    let footprint = Footprint::new(&plan, Role::Infer, Tables::Stored)?;
    (!footprint.fits(device)).then_some(footprint)
}

fn refusal(footprint: &Footprint, compiled: &Compiled, device: &Device) -> Diagnostic {
    let (ram, flash) = (footprint.ram_bytes(), footprint.flash_bytes());
    let missing = |what: &str, needed: u64, there: u64| {
        format!(
            "{} bytes of {what} are missing: {needed} needed, {there} there",
            needed - there
        )
    };
    let message = if ram > device.ram_bytes {
        missing("memory", ram, device.ram_bytes)
    } else if flash > device.flash_bytes {
        missing("flash", flash, device.flash_bytes)
    } else {
        format!(
            "{ram} of {} bytes of memory leave no room between stack and data",
            device.ram_bytes
        )
    };
    let list = |parts: &[Part]| {
        let parts = parts.iter().map(|part| format!("{} {}", part.holds, part.bytes));
        parts.collect::<Vec<_>>().join(", ")
    };
    let log_n = Plan::parse(&compiled.plan).map_or(0, |plan| plan.parameters().log_n());
    Diagnostic::new(
        Code::Memory,
        format!(
            "the plan does not fit a {} ({}): {message}",
            device.name, device.chip
        ),
    )
    .note(format!("memory: {}", list(&footprint.ram)))
    .note(format!("flash: {}", list(&footprint.flash)))
    .note(format!(
        "with N = 2^{log_n}, a limb takes {} bytes",
        4u64 << log_n
    ))
}
