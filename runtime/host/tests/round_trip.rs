//! Encrypt, run, decrypt: in memory, through files, with any number of threads.

mod common;

use cipherloom_ckks::Context;
use cipherloom_ckks::encrypt::expand_c1;
use cipherloom_host::*;
use cipherloom_plan::Op;
use cipherloom_plan::data::*;
use cipherloom_ring::pack::{pack, packed_bytes};
use common::*;

/// Counts what a progress bar would show.
#[derive(Default)]
struct Counter {
    phases: Vec<(String, u64, u64)>,
    open: bool,
}

impl Progress for Counter {
    fn begin(&mut self, what: &str, total: u64) {
        assert!(!self.open, "phases do not nest");
        self.open = true;
        self.phases.push((what.to_owned(), total, 0));
    }

    fn advance(&mut self, by: u64) {
        self.phases.last_mut().unwrap().2 += by;
    }

    fn end(&mut self) {
        assert!(self.open);
        self.open = false;
    }
}

#[test]
fn in_memory_with_progress_and_report() {
    let (plan, data) = (plan("memory"), data());
    let mut progress = Counter::default();
    let secret = generate_seed().unwrap();
    let keys = generate_evaluation_keys(&plan, &secret, &mut progress).unwrap();
    let inputs = encrypt_inputs(&plan, &secret, &data, &mut progress).unwrap();
    let (outputs, report) = run(&plan, &keys, &inputs, RUN, &mut progress).unwrap();
    check(&decrypt_outputs(&plan, &secret, &outputs).unwrap(), &data);

    assert!(!progress.open);
    assert_eq!(progress.phases.len(), 3);
    // Two keys; two batches of two tiles, b and w; three steps.
    let wanted = [
        ("generating evaluation keys", 2),
        ("encrypting", 6),
        ("training steps", 3),
    ];
    for ((what, total, done), wanted) in progress.phases.iter().zip(wanted) {
        assert_eq!((what.as_str(), *total, *done), (wanted.0, wanted.1, wanted.1));
    }

    let summary = inputs.summary(&plan);
    let x = summary.iter().find(|port| port.name == "x").unwrap();
    assert_eq!((x.batches, x.rows, x.unused_rows, x.tiles), (2, 9, 1, 2));

    let view = plan.plan();
    assert_eq!(report.step_seconds.len(), STEPS as usize);
    assert!(report.step_seconds.iter().sum::<f64>() <= report.total_seconds);
    assert_eq!(report.arena_bytes, 8 * view.memory().arena_words);
    assert_eq!(report.threads, RUN.threads);
    if cfg!(target_os = "linux") {
        assert!(report.peak_memory_bytes > report.arena_bytes);
    }
    assert_eq!(keys.bytes(), 8 * view.memory().key_words);
}

#[test]
fn through_files_and_bit_equal_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (plan, data) = (plan("files"), data());
    std::fs::write(path("plan"), plan.bytes()).unwrap();
    let plan = PlanFile::open(path("plan")).unwrap();
    write_secret_key(path("secret"), &plan, &generate_seed().unwrap()).unwrap();
    let secret = read_secret_key(path("secret"), &plan).unwrap();

    // Keys that are written while they are made, and keys that are made and then written.
    write_evaluation_keys(path("keys"), &plan, &secret, &mut Silent).unwrap();
    let keys = EvaluationKeys::read(path("keys"), &plan, &mut Silent).unwrap();
    keys.write(path("keys again"), &plan, &mut Silent).unwrap();
    assert_eq!(
        std::fs::read(path("keys")).unwrap(),
        std::fs::read(path("keys again")).unwrap()
    );
    let keys = EvaluationKeys::read(path("keys again"), &plan, &mut Silent).unwrap();

    // Likewise inputs.
    let inputs = write_inputs(path("inputs"), &plan, &secret, &data, &mut Silent).unwrap();
    inputs.write(path("inputs again")).unwrap();
    assert_eq!(
        std::fs::read(path("inputs")).unwrap(),
        std::fs::read(path("inputs again")).unwrap()
    );
    let inputs = Inputs::open(path("inputs again"), &plan).unwrap();

    let mut first: Option<Vec<u8>> = None;
    for threads in [1, 2, 3] {
        let options = RunOptions { threads, ..RUN };
        let (outputs, report) = run(&plan, &keys, &inputs, options, &mut Silent).unwrap();
        assert_eq!(report.threads, threads);
        outputs.write(path("outputs")).unwrap();
        let bytes = std::fs::read(path("outputs")).unwrap();
        let first = first.get_or_insert_with(|| bytes.clone());
        assert!(*first == bytes, "{threads} threads gave other bits");
    }
    let outputs = Outputs::open(path("outputs"), &plan).unwrap();
    check(&decrypt_outputs(&plan, &secret, &outputs).unwrap(), &data);
    // Nothing but what was asked for is left behind.
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "inputs",
            "inputs again",
            "keys",
            "keys again",
            "outputs",
            "plan",
            "secret"
        ]
    );
}

#[test]
fn inputs_in_memory_and_in_files_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, mut data) = (plan("same"), data());
    // A state that is not given starts as zero.
    data.remove("w");
    let secret = generate_seed().unwrap();
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent).unwrap();
    let inputs = encrypt_inputs(&plan, &secret, &data, &mut Silent).unwrap();
    let path = folder.path().join("inputs");
    inputs.write(&path).unwrap();
    let mapped = Inputs::open(&path, &plan).unwrap();
    assert_eq!(inputs.summary(&plan), mapped.summary(&plan));
    let results = [inputs, mapped].map(|inputs| {
        let (outputs, _) = run(&plan, &keys, &inputs, RUN, &mut Silent).unwrap();
        decrypt_outputs(&plan, &secret, &outputs).unwrap()
    });
    assert_eq!(results[0], results[1]);
    check(&results[0], &data);
}

#[cfg(unix)]
#[test]
fn a_secret_key_file_is_the_owners_alone_and_is_never_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let plan = plan("secret");
    write_secret_key(&path, &plan, &generate_seed().unwrap()).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let before = std::fs::read(&path).unwrap();
    let error = write_secret_key(&path, &plan, &generate_seed().unwrap()).unwrap_err();
    assert!(error.to_string().contains("secret"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn two_encryptions_of_the_same_data_have_nothing_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, data) = (plan("fresh"), data());
    let secret = generate_seed().unwrap();
    let files = ["first", "second"].map(|name| {
        let path = folder.path().join(name);
        write_inputs(&path, &plan, &secret, &data, &mut Silent).unwrap();
        std::fs::read(path).unwrap()
    });
    assert_eq!(files[0].len(), files[1].len());
    // Header, list of ports and record headers agree; of the rest, one byte in 256 by chance.
    let equal = files[0].iter().zip(&files[1]).filter(|(a, b)| a == b).count();
    assert!(
        equal < files[0].len() / 100,
        "{equal} of {} bytes are equal",
        files[0].len()
    );
}

/// What was encrypted with a public key comes whole, without a seed; a set may hold both forms.
#[test]
fn whole_inputs_give_the_same_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (plan, data) = (plan("whole"), data());
    let secret = generate_seed().unwrap();
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent).unwrap();
    let seeded = write_inputs(path("seeded"), &plan, &secret, &data, &mut Silent).unwrap();
    let whole = whole_records(&plan.plan(), &std::fs::read(path("seeded")).unwrap());
    std::fs::write(path("whole"), whole).unwrap();
    let whole = Inputs::open(path("whole"), &plan).unwrap();
    assert!(whole.bytes() > seeded.bytes());
    for (inputs, name) in [(&seeded, "of seeded"), (&whole, "of whole")] {
        let (outputs, _) = run(&plan, &keys, inputs, RUN, &mut Silent).unwrap();
        outputs.write(path(name)).unwrap();
    }
    assert_eq!(
        std::fs::read(path("of seeded")).unwrap(),
        std::fs::read(path("of whole")).unwrap()
    );
}

/// The file with every other ciphertext in its whole form: c0 and the polynomial that the seed stands for.
fn whole_records(plan: &cipherloom_plan::Plan<'_>, file: &[u8]) -> Vec<u8> {
    let number = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize;
    let (records, body) = (number(80), number(88));
    let row = |index: usize| 96 + body + 48 * index;
    let parameters = cipherloom_exec::context_parameters(plan).unwrap();
    let mut tables = vec![0; Context::<u64>::memory_words(&parameters)];
    let context = Context::<u64>::new(parameters, &mut tables).unwrap();
    let mut contents: Vec<Vec<u8>> = Vec::new();
    for index in 0..records {
        let (start, length) = (number(row(index)), number(row(index) + 8));
        let mut record = file[start..start + length].to_vec();
        if index % 2 == 1 {
            let level = usize::from(record[12]);
            let (seed, c0) = record[16..].split_first_chunk::<32>().unwrap();
            let mut c1 = vec![0; context.parameters.plaintext_words(level)];
            expand_c1(&context, seed, level, &mut c1).unwrap();
            let mut packed = c0.to_vec();
            for (prime, limb) in c1.chunks_exact(context.degree()).enumerate() {
                let (at, bits) = (packed.len(), context.ring.modulus(prime).bits());
                packed.resize(at + packed_bytes(limb.len(), bits), 0);
                pack(limb, bits, &mut packed[at..]);
            }
            record.truncate(16);
            record[13] = 1;
            record.extend(packed);
        }
        contents.push(record);
    }
    let (mut header, mut table) = (file[..96].to_vec(), Vec::new());
    let body: usize = contents.iter().map(Vec::len).sum();
    header[88..].copy_from_slice(&(body as u64).to_le_bytes());
    let mut offset = 96;
    for record in &contents {
        table.extend((offset as u64).to_le_bytes());
        table.extend((record.len() as u64).to_le_bytes());
        table.extend(blake3::hash(record).as_bytes());
        offset += record.len();
    }
    let seal = blake3::hash(&[&header[..], &table].concat());
    [&header[..], &contents.concat(), &table, seal.as_bytes()].concat()
}

/// Rows 0 and 1 as real parts of the slots of one ciphertext, rows 2 and 3 as imaginary ones: in and out again.
#[test]
fn imaginary_parts_hold_values_too() {
    let mut data = plan_data("complex");
    let rows = LayoutDim {
        block: 2,
        slot_stride: 128,
        stack: 2,
        stack_stride: data.ports[0].layout.slots,
        tile_stride: 0,
    };
    let mut port = data.ports[0].clone();
    port.layout.tiles = 1;
    port.layout.dims[0] = rows;
    let (level, buffer) = (port.level, data.buffers[0]);
    data.ports = [("in", PortKind::Input), ("out", PortKind::Output)]
        .map(|(name, kind)| Port {
            name: name.into(),
            kind,
            ..port.clone()
        })
        .into();
    let op = |op, b| Instruction {
        op,
        level,
        aux: 0,
        dst: 0,
        a: 0,
        b,
    };
    data.parameters.steps = 0;
    data.instructions = vec![op(Op::Input, 0), op(Op::Output, 1)];
    (data.keys, data.scalars, data.buffers) = (vec![], vec![], vec![buffer]);
    let plan = PlanFile::from_bytes(data.encode().unwrap()).unwrap();

    let given = [("in".to_owned(), tensor(&[BATCH, COLUMNS], 7))].into();
    let secret = generate_seed().unwrap();
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent).unwrap();
    let inputs = encrypt_inputs(&plan, &secret, &given, &mut Silent).unwrap();
    let (outputs, _) = run(&plan, &keys, &inputs, RUN, &mut Silent).unwrap();
    let found = decrypt_outputs(&plan, &secret, &outputs).unwrap();
    let pairs = found["out"].values.iter().zip(&given["in"].values);
    pairs.for_each(|(found, given)| assert!((found - given).abs() < BOUND, "{found} for {given}"));
}
