//! Files, memory mapping, threads and the loop around the executor.
