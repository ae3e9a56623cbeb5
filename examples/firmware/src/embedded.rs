//! The plan and its tables in flash.

use cipherloom_runtime::ckks::stream::{Client, Factors, Roots};
use cipherloom_runtime::plan::Plan;

use crate::board;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The embedded plan.
pub fn plan() -> Plan<'static> {
    board::need(Plan::parse(PLAN), "the embedded plan is damaged")
}

/// The key holder of the plan. Tables are in flash with the feature `stored-tables`, and computed along the way without.
pub fn client(plan: &Plan<'_>) -> Client<'static> {
    let (roots, factors) = match cfg!(feature = "stored-tables") {
        true => (Roots::Stored(&ROOTS), Factors::Stored(&FACTORS)),
        false => (Roots::Computed, Factors::Computed),
    };
    let client = Client::new(LOG_N, plan.parameters().q().iter(), roots, factors);
    board::need(client, "the plan is not for words of 32 bits")
}

/// The tables of the executor's context: in flash, whatever the feature.
pub fn tables() -> &'static [u32] {
    &TABLES
}

/// The table of the executor's encoder.
pub fn encoder_table() -> &'static [f64] {
    &ENCODER
}
