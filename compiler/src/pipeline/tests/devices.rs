//! Plans for microcontrollers: parameters that fit, or what is missing.

use super::*;
use crate::diagnostic::Code;
use crate::target::{DEVICES, Device, Footprint, Role, Tables, Target};

const SCORE: &str = "graph score {
    input x: secret [1024] in [-1, 1];
    weight w: public [1024];
    reveal score = x * w - 0.25;
}";
/// Takes no level: the factor is left to the key holder.
const OFFSET: &str = "graph offset {
    input x: secret [1024] in [-1, 1];
    reveal score = 0.5 * x - 0.25;
}";

fn options(device: Device, log_n: Option<u32>) -> Options {
    let target = Target::device(device);
    let weights = TensorData {
        shape: vec![1024],
        values: (0..1024).map(|i| f64::from(i) / 1024.0).collect(),
    };
    Options {
        log_n,
        weights: BTreeMap::from([("w".to_owned(), weights)]),
        word_bits: target.word_bits(),
        target,
        ..Options::default()
    }
}

fn compiled(text: &str, options: &Options) -> Result<Compiled, Diagnostics> {
    compile(&Source::new("score.loom", text), options)
}

fn infer(compiled: &Compiled) -> Footprint {
    let plan = Plan::parse(&compiled.plan).unwrap();
    Footprint::new(&plan, Role::Infer, Tables::Stored).unwrap()
}

#[test]
fn a_plan_fits_the_device_that_it_is_compiled_for() {
    let [small, _] = DEVICES;
    let found = compiled(SCORE, &options(small, None)).unwrap();
    let plan = Plan::parse(&found.plan).unwrap();
    assert_eq!(plan.parameters().word_bits(), 32);
    assert!(plan.parameters().q().iter().all(|prime| prime < 1 << 30));
    assert!(infer(&found).fits(&small));
    for role in Role::ALL {
        let [computed, stored, generated] =
            Tables::ALL.map(|tables| Footprint::new(&plan, role, tables).unwrap());
        // Tables cost flash, or memory.
        assert!(computed.flash_bytes() <= stored.flash_bytes());
        assert_eq!(computed.ram_bytes(), stored.ram_bytes());
        assert!(generated.ram_bytes() > stored.ram_bytes());
        assert!(generated.flash_bytes() < stored.flash_bytes());
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let [small, large] = DEVICES;
    let tiny = Device {
        ram_bytes: infer(&compiled(SCORE, &options(large, Some(11))).unwrap()).ram_bytes(),
        ..small
    };
    let refusal = compiled(SCORE, &options(small, Some(13))).unwrap_err();
    assert_eq!(refusal.0[0].code, Code::Memory);
    let source = Source::new("score.loom", SCORE);
    insta::assert_snapshot!(refusal.render(&source, false));
    // To the byte: no room to cut stack from data, and nowhere to go but a larger device.
    let refusal = compiled(SCORE, &options(tiny, Some(11))).unwrap_err();
    assert!(refusal.0[0].message.contains("leave no room"), "{refusal:?}");
    assert!(
        refusal.0[0].remedies[0].starts_with("--target cortex-m4"),
        "{refusal:?}"
    );
    let bare = Device {
        flash_bytes: 1 << 16,
        ..large
    };
    let refusal = compiled(SCORE, &options(bare, None)).unwrap_err();
    assert!(
        refusal.0[0].message.contains("bytes of flash are missing"),
        "{refusal:?}"
    );
}

#[test]
fn another_ring_is_taken_where_the_fastest_has_no_room() {
    let [small, large] = DEVICES;
    let fastest = compiled(OFFSET, &options(large, None)).unwrap();
    let needed = infer(&fastest).ram_bytes();
    let smaller = Device {
        ram_bytes: needed - 1,
        ..small
    };
    let degree = |compiled: &Compiled| Plan::parse(&compiled.plan).unwrap().parameters().log_n();
    let other = compiled(OFFSET, &options(smaller, None)).unwrap();
    assert!(degree(&other) < degree(&fastest));
    assert!(infer(&other).fits(&smaller));
}

#[test]
fn devices_have_words_of_32_bits() {
    let [small, _] = DEVICES;
    let wide = Options {
        word_bits: 64,
        ..options(small, None)
    };
    assert_eq!(compiled(OFFSET, &wide).unwrap_err().0[0].code, Code::Option);
}
