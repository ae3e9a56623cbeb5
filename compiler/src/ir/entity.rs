//! Indices of the things that a graph owns.

macro_rules! entity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in the graph's list.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

entity! {
    /// An SSA value: the result of an operation or the argument of a block.
    Value
}
entity! {
    /// An operation.
    OpId
}
entity! {
    /// A block: a list of operations with arguments.
    BlockId
}
