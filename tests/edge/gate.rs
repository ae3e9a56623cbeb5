//! The firmware in `examples/firmware`, built and run on emulated boards: budgets, the same bytes as on the host, and a
//! computation that goes from the device to the server and back.
//!
//! Without `qemu-system-arm` or the target of the compiler the test passes with a message, unless `CI` is set.

mod elf;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use chacha20::ChaCha20Rng;
use cipherloom_ckks::seed::derive_seed;
use cipherloom_ckks::stream::{Client, Encoding, Factors, Roots, Slots, Ternary};
use cipherloom_ckks::{Context, Encoder, SecretKey, encrypt, scratch};
use cipherloom_exec::context_parameters;
use cipherloom_host::{
    EvaluationKeys, Inputs, PlanFile, RunOptions, Silent, decrypt_outputs, read_secret_key, run,
};
use cipherloom_plan::{PortKind, PortView};
use cipherloom_ring::pack::{packed_bytes, unpack};
use elf::Program;
use rand_core::SeedableRng;

const PROGRAMS: [&str; 4] = ["encrypt-symmetric", "encrypt-public", "infer", "decrypt"];
/// Functions that may divide 64-bit numbers: they prepare or report, and none is a loop over coefficients.
const MAY_DIVIDE: [&str; 8] = [
    "Prime",
    "Modulus",
    "Parameters",
    "cipherloom_plan",
    "Meter",
    "Display",
    "div",
    "5infer3run",
];

/// Bytes before the payload of the only ciphertext in a container: header, list of ports, header of the record.
const PAYLOAD: usize = 96 + 16 + 16;
/// Bytes of a container after its records: two rows and the seal.
const TRAILER: usize = 2 * 48 + 32;

#[test]
fn firmware() {
    let Some(run) = Run::start() else {
        return;
    };
    run.keeps_its_budgets();
    run.has_no_allocator_and_no_division_in_loops();
    run.symmetric_bytes_are_the_host_s();
    run.public_bytes_are_the_host_s_and_decrypt();
    run.computes_what_the_server_computes();
}

/// A finished run of all programs.
struct Run {
    folder: PathBuf,
    elfs: PathBuf,
    /// What the programs printed.
    lines: Vec<serde_json::Value>,
    plan: PlanFile,
}

impl Run {
    fn start() -> Option<Self> {
        let firmware = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/firmware");
        let target = env::var_os("CARGO_TARGET_DIR").map_or(firmware.join("target"), PathBuf::from);
        let target = env::current_dir().unwrap().join(target);
        let folder = target.join("edge");
        let output = Command::new(firmware.join("measure.sh"))
            .env("CIPHERLOOM_EDGE", &folder)
            .output()
            .expect("measure.sh starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(3) && env::var_os("CI").is_none() {
            eprintln!("skipped: {errors}");
            return None;
        }
        assert!(output.status.success(), "{errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        let plan = PlanFile::open(folder.join("score.plan")).unwrap();
        let elfs = target.join("thumbv7em-none-eabihf/release");
        Some(Self {
            folder,
            elfs,
            lines,
            plan,
        })
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).expect(name)
    }

    fn keeps_its_budgets(&self) {
        let budgets = budgets(include_str!("budgets.toml"));
        assert_eq!(
            self.lines.len(),
            PROGRAMS.len() * 4,
            "two boards, with and without tables"
        );
        for line in &self.lines {
            let program = line["program"].as_str().unwrap();
            for name in ["instructions", "ram_bytes", "flash_bytes"] {
                let tables = name == "flash_bytes" && line["stored_tables"] == true;
                let budget = budgets[program][&if tables {
                    format!("{name}_with_tables")
                } else {
                    name.into()
                }];
                let used = line[name].as_u64().unwrap();
                assert!(
                    used <= budget,
                    "{program} on {}: {used} {name}, {budget} allowed",
                    line["machine"]
                );
            }
        }
    }

    fn has_no_allocator_and_no_division_in_loops(&self) {
        for name in PROGRAMS {
            let program = Program::new(fs::read(self.elfs.join(name)).unwrap());
            for symbol in &program.symbols {
                let allocates = ["__rust_alloc", "__rg_alloc", "__rdl_alloc", "malloc"];
                assert!(
                    !allocates.iter().any(|allocator| symbol.contains(allocator)),
                    "{name} has {symbol}"
                );
            }
            let division = |symbol: &str| {
                let routines = [
                    "__aeabi_uldivmod",
                    "__aeabi_ldivmod",
                    "__udivti3",
                    "__umodti3",
                    "__divti3",
                ];
                routines.contains(&symbol)
            };
            let callers = program.callers(division);
            assert!(
                !callers.is_empty(),
                "{name}: a divided modulus is prepared somewhere"
            );
            for caller in callers {
                assert!(
                    MAY_DIVIDE.iter().any(|part| caller.contains(part)),
                    "{name}: {caller} divides"
                );
            }
        }
    }

    fn symmetric_bytes_are_the_host_s(&self) {
        let plan = self.plan.plan();
        let (_, port) = plan.port_by_name(PortKind::Input, "x").unwrap();
        let master: [u8; 32] = self.file("entropy")[..32].try_into().unwrap();
        let (seed, errors) = (derive_seed(&master, 0), derive_seed(&master, 1));
        let log_n = u32::from(plan.parameters().log_n());
        let (mut work, mut ternary) = (
            vec![0; Slots::memory_words(log_n)],
            vec![0; Ternary::memory_words(log_n)],
        );
        let secret = Ternary::secret(log_n, &self.secret(), &mut ternary).unwrap();
        let message = message(&port, log_n, &mut work);
        let mut bytes = seed.to_vec();
        let mut rng = ChaCha20Rng::from_seed(errors);
        self.client()
            .encrypt_symmetric(&secret, message, encoding(&port), &seed, &mut rng, |piece| {
                bytes.extend(piece)
            })
            .unwrap();
        assert!(payload(&self.file("inputs.ct")) == bytes);
    }

    fn public_bytes_are_the_host_s_and_decrypt(&self) {
        let plan = self.plan.plan();
        let (_, port) = plan.port_by_name(PortKind::Input, "x").unwrap();
        let log_n = u32::from(plan.parameters().log_n());
        let (mut work, mut ternary) = (
            vec![0; Slots::memory_words(log_n)],
            vec![0; Ternary::memory_words(log_n)],
        );
        let mut ephemeral = Ternary::empty(log_n, &mut ternary).unwrap();
        let message = message(&port, log_n, &mut work);
        let mut rng = ChaCha20Rng::from_seed(self.file("entropy")[..32].try_into().unwrap());
        let mut bytes = Vec::new();
        let key = self.file("public.key");
        self.client()
            .encrypt_public(
                &key[32..],
                message,
                encoding(&port),
                &mut ephemeral,
                &mut rng,
                |piece| bytes.extend(piece),
            )
            .unwrap();
        assert!(payload(&self.file("public-inputs.ct")) == bytes);

        let parameters = context_parameters(&plan).unwrap();
        let mut tables = vec![0; Context::<u64>::memory_words(&parameters)];
        let context = Context::<u64>::new(parameters, &mut tables).unwrap();
        let level = usize::from(port.level());
        let mut ciphertext = vec![0; context.parameters.ciphertext_words(level, 1)];
        let mut rest = &bytes[..];
        for (limb, prime) in ciphertext.chunks_exact_mut(1 << log_n).zip((0..=level).cycle()) {
            let modulus = context.ring.modulus(prime);
            unpack(rest, modulus.bits(), modulus, limb).unwrap();
            rest = &rest[packed_bytes(limb.len(), modulus.bits())..];
        }
        let mut memory = vec![0; SecretKey::<u64>::memory_words(&context.parameters)];
        let secret = SecretKey::from_seed(&context, &self.secret(), &mut memory).unwrap();
        let mut plaintext = vec![0; context.parameters.plaintext_words(level)];
        encrypt::decrypt(&context, &secret, &ciphertext, level, 1, &mut plaintext).unwrap();
        let mut factors = vec![0.0; Encoder::memory_f64(log_n)];
        let encoder = Encoder::new(log_n, &mut factors).unwrap();
        let (mut re, mut im) = (vec![0.0; encoder.slots()], vec![0.0; encoder.slots()]);
        let mut scratch = vec![0; scratch::decode_scratch(&context.parameters, level)];
        encoder
            .decode(
                &context,
                &plaintext,
                level,
                port.scale(),
                &mut re,
                &mut im,
                &mut scratch,
            )
            .unwrap();
        // A coefficient's error has variance σ²·(4N/3 + 1), half of N times that is in the real part of a slot.
        let n = f64::from(1 << log_n);
        let deviation = (n / 2.0 * 3.19f64.powi(2) * (4.0 / 3.0 * n + 1.0)).sqrt() / port.scale();
        for (index, value) in re.into_iter().enumerate() {
            assert!(
                (value - reading(index)).abs() < 6.0 * deviation,
                "slot {index}: {value}"
            );
        }
    }

    /// Device encrypts, server computes and gives the bytes that the device gave, device and host decrypt.
    fn computes_what_the_server_computes(&self) {
        let plan = &self.plan;
        let keys = EvaluationKeys::read(self.folder.join("keys/evaluation.keys"), plan, &mut Silent).unwrap();
        let inputs = Inputs::open(self.folder.join("inputs.ct"), plan).unwrap();
        let options = RunOptions {
            threads: 1,
            allow_toy: false,
        };
        let (outputs, _) = run(plan, &keys, &inputs, options, &mut Silent).unwrap();
        let server = self.folder.join("server-outputs.ct");
        outputs.write(&server).unwrap();
        assert!(
            fs::read(server).unwrap() == self.file("outputs.ct"),
            "the server computes something else"
        );

        let secret = read_secret_key(self.folder.join("secret.key"), plan).unwrap();
        let host = &decrypt_outputs(plan, &secret, &outputs).unwrap()["score"].values;
        let device = self.file("scores");
        let device = device
            .chunks_exact(8)
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
        let view = plan.plan();
        let (_, port) = view.port_by_name(PortKind::Reveal, "score").unwrap();
        let weights =
            fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/firmware/weights.npz"));
        let mut weights = ndarray_npy::NpzReader::new(weights.unwrap()).unwrap();
        let mut array = |name: &str| {
            weights
                .by_name::<ndarray::OwnedRepr<f64>, ndarray::Ix1>(name)
                .unwrap()
        };
        let (w, b) = (array("w"), array("b"));
        assert_eq!(device.len(), host.len());
        let mut squares = 0.0;
        for (index, (device, &host)) in device.zip(host).enumerate() {
            let exact = reading(index) * w[index] + b[index];
            // The device decodes in fixed point: 2^-27, and the root of N in all.
            assert!(
                (device - host).abs() < 1e-6,
                "score {index}: {device} on the device, {host} here"
            );
            assert!(
                (host - exact).abs() < 6.0 * port.error(),
                "score {index}: {host}, not {exact}"
            );
            squares += (host - exact).powi(2);
        }
        let deviation = (squares / host.len() as f64).sqrt();
        assert!(
            deviation <= port.error(),
            "{deviation} where {} was predicted",
            port.error()
        );
    }

    /// The key holder, with tables of its own.
    fn client(&self) -> Client<'static> {
        let parameters = self.plan.plan();
        let parameters = parameters.parameters();
        let log_n = parameters.log_n().into();
        Client::new(log_n, parameters.q().iter(), Roots::Computed, Factors::Computed).unwrap()
    }

    fn secret(&self) -> [u8; 32] {
        self.file("secret.key")[96..128].try_into().unwrap()
    }
}

/// The bytes of the only ciphertext.
fn payload(container: &[u8]) -> &[u8] {
    &container[PAYLOAD..container.len() - TRAILER]
}

/// Reading number `index` of the firmware's sensor.
fn reading(index: usize) -> f64 {
    ((index * 2741 % 16384) as f64 - 8192.0) / 8192.0
}

fn message<'m>(port: &PortView<'_>, log_n: u32, work: &'m mut [u32]) -> Slots<'m> {
    let mut message = Slots::new(log_n, 1.0, work).unwrap();
    assert!(port.low() == -1.0 && port.high() == 1.0 && port.layout().factor() == 1.0);
    for slot in 0..message.slots() {
        message.set(slot, reading(slot)).unwrap();
    }
    message
}

fn encoding(port: &PortView<'_>) -> Encoding {
    Encoding {
        scale: port.scale(),
        level: port.level().into(),
    }
}

/// Tables of whole numbers, which is all of TOML that budgets need.
fn budgets(text: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut budgets: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut program = String::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => program = name.to_owned(),
            None => {
                let (name, number) = line.split_once(" = ").expect(line);
                let number = number.replace('_', "").parse().expect(line);
                budgets
                    .entry(program.clone())
                    .or_default()
                    .insert(name.to_owned(), number);
            }
        }
    }
    budgets
}
