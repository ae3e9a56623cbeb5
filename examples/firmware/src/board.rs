//! The board: files and text by semihosting, a clock, and what of flash and memory was used.
//!
//! On a real board the files would be a radio or a flash chip, and [`entropy`] the hardware's generator of random numbers.

use core::arch::asm;
use core::fmt::{self, Write};
use core::ptr::{addr_of, addr_of_mut};
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{ExceptionFrame, exception};

use crate::embedded::{LOG_N, Tables};

/// Operations of Arm's "Semihosting for AArch32 and AArch64".
#[derive(Clone, Copy)]
#[repr(u32)]
enum Operation {
    Open = 0x01,
    Close = 0x02,
    Write = 0x05,
    Read = 0x06,
    Seek = 0x0a,
    CommandLine = 0x15,
    Exit = 0x18,
}

fn call(operation: Operation, argument: usize) -> isize {
    let result;
    // SAFETY: the debugger reads the argument block that `argument` points to, which outlives the call, and writes
    // only to memory that the block names.
    unsafe {
        asm!("bkpt 0xab", inout("r0") operation as usize => result, in("r1") argument);
    }
    result
}

/// A file on the debugger's machine.
pub struct File(usize);

impl File {
    /// Opens a file to read it.
    pub fn open(name: &'static str) -> Self {
        Self::with_mode(name, 1)
    }

    /// Makes a file, or empties it.
    pub fn create(name: &'static str) -> Self {
        Self::with_mode(name, 5)
    }

    /// `name` ends with a zero byte.
    fn with_mode(name: &'static str, mode: usize) -> Self {
        debug_assert!(name.ends_with('\0'));
        let block = [name.as_ptr() as usize, mode, name.len() - 1];
        let handle = call(Operation::Open, block.as_ptr() as usize);
        Self(need(usize::try_from(handle).map_err(drop), "cannot open a file"))
    }

    /// Writes all bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        let block = [self.0, bytes.as_ptr() as usize, bytes.len()];
        let left = call(Operation::Write, block.as_ptr() as usize);
        require(left == 0, "cannot write a file");
    }

    /// Fills `bytes`.
    pub fn read(&mut self, bytes: &mut [u8]) {
        let block = [self.0, bytes.as_mut_ptr() as usize, bytes.len()];
        let left = call(Operation::Read, block.as_ptr() as usize);
        require(left == 0, "a file is too short");
    }

    /// Goes to an offset from the start.
    pub fn seek(&mut self, offset: usize) {
        let block = [self.0, offset];
        require(
            call(Operation::Seek, block.as_ptr() as usize) == 0,
            "cannot seek in a file",
        );
    }
}

impl Drop for File {
    fn drop(&mut self) {
        call(Operation::Close, [self.0].as_ptr() as usize);
    }
}

/// The debugger's standard output.
pub struct Output(File);

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// Opens it.
pub fn output() -> Output {
    Output(File::with_mode(":tt\0", 4))
}

fn exit(success: bool) -> ! {
    const APPLICATION_EXIT: usize = 0x2_0026;
    const RUN_TIME_ERROR: usize = 0x2_0023;
    loop {
        call(
            Operation::Exit,
            if success { APPLICATION_EXIT } else { RUN_TIME_ERROR },
        );
    }
}

/// Says what is wrong, and ends the program.
pub fn fail(what: &str) -> ! {
    let mut output = output().0;
    for text in ["error: ", what, "\n"] {
        output.write(text.as_bytes());
    }
    exit(false)
}

/// The value, or the end of the program.
pub fn need<T, E>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(_) => fail(what),
    }
}

/// Ends the program unless a condition holds.
pub fn require(condition: bool, what: &str) {
    if !condition {
        fail(what);
    }
}

/// Memory of a program that lives as long as it: `zeroed!(u32; N)` is `&'static mut [u32; N]`, all zero, once at each place.
/// Whole double words, so that the linker leaves no gaps.
#[macro_export]
macro_rules! zeroed {
    ($element:ty; $count:expr) => {{
        #[repr(align(8))]
        struct Aligned([$element; $count]);
        let memory = cortex_m::singleton!(: Aligned = Aligned([0 as $element; $count]));
        &mut $crate::board::need(memory.ok_or(()), "memory is given out once").0
    }};
}

/// 32 random bytes, from the file `entropy`: an emulated board has no source of its own. A real one asks its hardware; bytes
/// that are known or used twice give the messages away.
pub fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    File::open("entropy\0").read(&mut bytes);
    bytes
}

const RELOAD: u32 = 0x00ff_ffff;
static WRAPS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    WRAPS.store(WRAPS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// A program's use of time and memory, from [`Meter::start`] to [`Meter::report`].
pub struct Meter {
    peripherals: Peripherals,
}

impl Meter {
    /// Starts the clock. Once in a program.
    pub fn start() -> Self {
        let mut peripherals = need(Peripherals::take().ok_or(()), "the meter runs already");
        let clock = &mut peripherals.SYST;
        clock.set_clock_source(SystClkSource::Core);
        clock.set_reload(RELOAD);
        clock.clear_current();
        clock.enable_interrupt();
        clock.enable_counter();
        Self { peripherals }
    }

    /// Instructions since the start, on an emulator that counts each as a nanosecond. The debugger's command line is the name of
    /// the machine, and how many ticks its clock has in a microsecond.
    pub fn instructions(&self) -> u64 {
        let (wraps, elapsed) = loop {
            let wraps = WRAPS.load(Ordering::Relaxed);
            let elapsed = RELOAD - cortex_m::peripheral::SYST::get_current();
            if wraps == WRAPS.load(Ordering::Relaxed) {
                break (wraps, elapsed);
            }
        };
        let ticks = u64::from(wraps) * u64::from(RELOAD + 1) + u64::from(elapsed);
        let (_, megahertz) = command_line(&mut [0; 64]);
        ticks * 1000 / megahertz
    }

    /// Prints one line of JSON and ends the program.
    pub fn report(mut self, program: &str) -> ! {
        self.peripherals.SYST.disable_counter();
        let instructions = self.instructions();
        let mut line = [0; 64];
        let (machine, _) = command_line(&mut line);
        let Use { flash, data, stack } = Use::now();
        let _ = writeln!(
            output(),
            "{{\"program\":\"{program}\",\"machine\":\"{machine}\",\"instructions\":{instructions},\"ram_bytes\":{},\
             \"flash_bytes\":{flash},\"static_bytes\":{data},\"stack_bytes\":{stack},\"tables\":\"{}\",\"log_n\":{LOG_N}}}",
            data + stack,
            Tables::POLICY.name(),
        );
        exit(true)
    }
}

/// The machine's name, and how many ticks a microsecond has.
fn command_line(line: &mut [u8]) -> (&str, u64) {
    let block = [line.as_mut_ptr() as usize, line.len()];
    let found = call(Operation::CommandLine, block.as_ptr() as usize) == 0;
    let text = line.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut words = core::str::from_utf8(text).unwrap_or_default().split_whitespace();
    match (
        found,
        words.next(),
        words.next().and_then(|word| word.parse().ok()),
    ) {
        (true, Some(machine), Some(megahertz)) => (machine, megahertz),
        _ => ("unknown", 1000),
    }
}

/// The deepest stack is told in whole units: a function's frame moves by a few words with the features and the ring degree.
const STACK_UNIT: usize = 512;

/// Bytes of flash and memory.
struct Use {
    flash: usize,
    data: usize,
    stack: usize,
}

impl Use {
    fn now() -> Self {
        unsafe extern "C" {
            static __sdata: u32;
            static __edata: u32;
            static __sidata: u32;
            static __ebss: u32;
            static mut _stack_start: u32;
            static mut _stack_end: u32;
        }
        // Only the addresses of these symbols of the linker mean anything.
        let [start, end] = [addr_of!(__sdata), addr_of!(__edata)].map(|address| address as usize);
        let data = addr_of!(__ebss) as usize - start;
        let flash = addr_of!(__sidata) as usize + (end - start);
        let (mut untouched, top) = (addr_of_mut!(_stack_end), addr_of_mut!(_stack_start));
        // SAFETY: the words between the two symbols are the stack; what is read below the stack pointer is paint, or left there
        // by a function that has returned.
        while untouched < top && unsafe { untouched.read_volatile() } == cortex_m_rt::STACK_PAINT_VALUE {
            untouched = untouched.wrapping_add(1);
        }
        let stack = (top as usize - untouched as usize).next_multiple_of(STACK_UNIT);
        Self { flash, data, stack }
    }
}

/// An access to what is not there, a stack that overflowed above all. Where the handler itself has no stack, the processor locks
/// up, and the emulator ends.
// SAFETY: it returns to nowhere.
#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    fail("the processor faults")
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    fail("panic")
}
