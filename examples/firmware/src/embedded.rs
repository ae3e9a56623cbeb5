//! The plan and its tables in flash.

use cipherloom_runtime::ckks::stream::{Client, Factors, Roots, fill_factors, fill_roots};
use cipherloom_runtime::ckks::{Context, Encoder};
use cipherloom_runtime::exec::{Keys, context_parameters};
use cipherloom_runtime::plan::{Basis, Plan};

use crate::board::need;
use crate::zeroed;

#[allow(clippy::approx_constant, reason = "a table of cosines")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

pub use generated::{ARENA_WORDS, LIMB_BYTES, LOG_N, PLAN, PRIMES, PUBLIC_KEY};
use generated::{ENCODED, ENCODER, FACTORS, ROOTS, TABLES};

/// The embedded plan.
pub fn plan() -> Plan<'static> {
    need(Plan::parse(PLAN), "the embedded plan is damaged")
}

/// Where the tables of transforms are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// Nowhere: roots and factors are computed along the way. The executor cannot do without, and has them in flash.
    Computed,
    /// In flash.
    Stored,
    /// In memory, made once at the start.
    Generated,
}

impl Tables {
    /// What the features ask for.
    pub const POLICY: Self = if cfg!(feature = "stored-tables") {
        Self::Stored
    } else if cfg!(feature = "generated-tables") {
        Self::Generated
    } else {
        Self::Computed
    };

    /// As features and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Computed => "computed",
            Self::Stored => "stored",
            Self::Generated => "generated",
        }
    }
}

/// The key holder of the plan.
#[inline(never)]
pub fn client(plan: &Plan<'_>) -> Client<'static> {
    let (roots, factors) = match Tables::POLICY {
        Tables::Computed => (Roots::Computed, Factors::Computed),
        Tables::Stored => (Roots::Stored(&ROOTS), Factors::Stored(&FACTORS)),
        Tables::Generated => {
            let roots = zeroed!(u32; PRIMES << LOG_N);
            for (prime, table) in plan
                .parameters()
                .q()
                .iter()
                .zip(roots.chunks_exact_mut(1 << LOG_N))
            {
                need(fill_roots(LOG_N, prime, table), "make the roots");
            }
            let factors = zeroed!(i32; 1 << LOG_N);
            need(fill_factors(LOG_N, factors), "make the factors");
            (Roots::Stored(roots), Factors::Stored(factors))
        }
    };
    let client = Client::new(LOG_N, plan.parameters().q().iter(), roots, factors);
    need(client, "the plan is not for words of 32 bits")
}

/// The ring of the plan, for the executor.
#[inline(never)]
pub fn context(plan: &Plan<'_>) -> Context<'static, u32> {
    let parameters = need(context_parameters(plan), "the plan's parameters are wrong");
    let context = match Tables::POLICY {
        Tables::Generated => Context::new(parameters, zeroed!(u32; TABLES.len())),
        _ => Context::with_tables(parameters, &TABLES),
    };
    need(context, "the tables are of another plan")
}

/// The encoder that the executor asks for, and does not need as long as all constants are encoded: its table is in flash.
#[inline(never)]
pub fn encoder() -> Encoder<'static> {
    let encoder = Encoder::with_table(LOG_N, &ENCODER);
    need(encoder, "the tables are of another plan")
}

/// What the executor finds in flash beside the plan: its constants, encoded; and no switching keys.
pub struct Encoded;

impl Keys<u32> for Encoded {
    fn key(&self, _: usize) -> Option<&[u32]> {
        None
    }

    fn constant(&self, index: usize, level: u8, basis: Basis) -> Option<&[u32]> {
        let wanted = (index, level, basis == Basis::Qp);
        let found = ENCODED
            .iter()
            .find(|(index, level, qp, _)| (*index, *level, *qp) == wanted);
        found.map(|(.., limbs)| *limbs)
    }
}
