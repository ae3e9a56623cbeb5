//! The table of codes.

use std::fmt;

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// There will be no plan.
    Error,
    /// There is a plan; it may not be the one that was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $severity:ident;)*) => {
        /// The kind of a message: what `cipherloom explain` takes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $variant),* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As printed, `E-SHAPE`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Whether it stops the compilation.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// The code of that text, in capitals or not.
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
            }
        }
    };
}

codes! {
    /// The text is no program.
    Syntax = "E-SYNTAX", Error;
    /// A name means nothing here, or two things.
    Name = "E-NAME", Error;
    /// A thing of the wrong kind.
    Type = "E-TYPE", Error;
    /// Extents that do not fit together.
    Shape = "E-SHAPE", Error;
    /// A secret where only public values can be.
    Secret = "E-SECRET", Error;
    /// Values outside the interval that was declared for them.
    Range = "E-RANGE", Error;
    /// More successive products than any modulus chain carries.
    Depth = "E-DEPTH", Error;
    /// A carried value that does not come back as it went in.
    Carry = "E-CARRY", Error;
    /// Correct, but not compiled by this version.
    Unsupported = "E-UNSUPPORTED", Error;
    /// Parameters below 128-bit security.
    Security = "E-SECURITY", Error;
    /// More memory than the target has.
    Memory = "E-MEMORY", Error;
    /// An option that does not fit the program.
    Option = "E-OPTION", Error;
    /// A mistake of the compiler itself.
    Internal = "E-INTERNAL", Error;
    /// Arguments that left the declared range in a clear run.
    RangeLeft = "W-RANGE", Warning;
    /// Outputs less precise than one might expect.
    Precision = "W-PRECISION", Warning;
    /// Memory that is large.
    MemoryLarge = "W-MEMORY", Warning;
    /// Something that has no effect.
    Unused = "W-UNUSED", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
