//! The table of functions that the language has.

/// How a function is called.
#[derive(Debug)]
pub(super) struct Signature {
    pub name: &'static str,
    /// Fewest and most arguments without a name.
    pub positional: (usize, usize),
    /// Arguments with a name.
    pub named: &'static [&'static str],
    /// An example.
    pub usage: &'static str,
}

const fn function(
    name: &'static str,
    positional: (usize, usize),
    named: &'static [&'static str],
    usage: &'static str,
) -> Signature {
    Signature {
        name,
        positional,
        named,
        usage,
    }
}

/// Arguments of functions that are approximated by polynomials.
const FIT: &[&str] = &["range", "error", "degree"];
/// Arguments of functions with a jump: nearer to it than the margin, anything between its two sides comes out.
const JUMP: &[&str] = &["range", "error", "margin"];

const FUNCTIONS: &[Signature] = &[
    // Non-linear, element by element.
    function("sigmoid", (1, 1), FIT, "sigmoid(z, range: 8)"),
    function("tanh", (1, 1), FIT, "tanh(z, range: 4)"),
    function("exp", (1, 1), FIT, "exp(z, range: 4)"),
    function("gelu", (1, 1), FIT, "gelu(z, range: 6)"),
    function("silu", (1, 1), FIT, "silu(z, range: 6)"),
    function("softplus", (1, 1), FIT, "softplus(z, range: 6)"),
    function("relu", (1, 1), FIT, "relu(z, range: 6)"),
    function("sign", (1, 1), JUMP, "sign(z, range: 6)"),
    function("inverse", (1, 1), FIT, "inverse(z, range: [0.1, 4])"),
    function("inverse_sqrt", (1, 1), FIT, "inverse_sqrt(z, range: [0.1, 4])"),
    function("poly", (2, 2), &[], "poly(z, [0.5, 0.25, 0, -0.02])"),
    // The same values with room for further products; without a range it is derived.
    function("bootstrap", (1, 1), &["range"], "bootstrap(w)"),
    // Comparisons: the range is that of the difference.
    function("less", (2, 2), JUMP, "less(a, b, range: 2)"),
    function("greater", (2, 2), JUMP, "greater(a, b, range: 2)"),
    function("max", (2, 2), &["range", "error"], "max(a, b, range: 2)"),
    function("min", (2, 2), &["range", "error"], "min(a, b, range: 2)"),
    // Rows.
    function(
        "softmax",
        (1, 1),
        &["range", "error", "method"],
        "softmax(z, range: 16)",
    ),
    function(
        "cross_entropy",
        (2, 2),
        &[],
        "cross_entropy(softmax(z, range: 16), y)",
    ),
    // Sums and shapes.
    function("sum", (1, 1), &["axis"], "sum(x, axis: 0)"),
    function("mean", (1, 1), &["axis"], "mean(x, axis: 0)"),
    function("transpose", (1, 1), &["axes"], "transpose(x)"),
    function("reshape", (2, 2), &[], "reshape(x, [16, 8])"),
    function(
        "slice",
        (1, 1),
        &["axis", "start", "end"],
        "slice(x, axis: 1, start: 0, end: 8)",
    ),
    function("concat", (2, usize::MAX), &["axis"], "concat(a, b, axis: 0)"),
    function("conv1d", (2, 2), &[], "conv1d(x, kernel)"),
    function("conv2d", (2, 2), &[], "conv2d(x, kernel)"),
    function("avg_pool", (2, 2), &[], "avg_pool(x, 2)"),
    // Training.
    function("grad", (2, 2), &[], "grad(loss, w)"),
    function("glorot", (0, 0), &["seed"], "glorot(seed: 1)"),
    // Of constants only.
    function("sqrt", (1, 1), &[], "sqrt(2)"),
    function("log", (1, 1), &[], "log(2)"),
];

/// The function of that name.
pub(super) fn signature(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.iter().find(|signature| signature.name == name)
}

/// Whether the language has a function of that name.
pub(super) fn is_function(name: &str) -> bool {
    signature(name).is_some()
}

/// All names.
pub(super) fn names<'a>() -> impl Iterator<Item = &'a str> {
    FUNCTIONS.iter().map(|signature| signature.name)
}
